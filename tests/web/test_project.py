"""Pages of projects: the list, the editor of a new one, home, settings, state."""

import json
from typing import Any

from django.test import Client
from django.urls import reverse

from core.access import Actor
from core.choices import ProjectState, Role
from core.models import Event, Item, Project
from core.services.annotation import Work, submit
from core.services.lease import hand_out
from core.services.progress import recount
from tests.conftest import Actors, client_of
from tests.factories.item import make_items as rows_of_items
from tests.factories.project import add_member, make_project

XSS = '"><svg/onload=alert(1)>{{7*7}}'
NEW: dict[str, str] = {
    "name": "Bird sounds",
    "slug": "",
    "overlap": "2",
    "audit_percent": "12.5",
    "guideline": "Listen twice.\r\nThen answer.",
    "q-0-title": "Which bird is it?",
    "q-0-kind": "single",
    "q-0-key": "",
    "q-0-required": "on",
    "q-0-c-0-name": "robin",
    "q-0-c-0-definition": "Red breast.",
    "q-0-c-0-key": "",
    "q-0-c-1-name": "",
    "q-0-c-1-definition": "",
    "q-0-c-1-key": "",
    "q-0-c-2-name": "cannot tell",
    "q-0-c-2-definition": "",
    "q-0-c-2-key": "0",
    "q-0-c-2-uncertain": "on",
}


def make_items(project: Project, n: int, **fields: Any) -> list[Item]:
    """Items, counted in the project's totals."""
    items = rows_of_items(project, n, **fields)
    recount(project.pk)
    return items


def annotate(actors: Actors, n: int) -> None:
    """Bob and Carol each answer ``n`` items."""
    for user in (actors.bob, actors.carol):
        member = actors.membership(user)
        for number in range(n):
            (lease,) = hand_out(member, 1, have=[]).leases
            submit(Actor(user), lease.pk, f"{user.pk}-{number}", Work(answers={"answer": "yes"}))


# The list ---------------------------------------------------------------------------------------------


def test_the_list_shows_own_projects_with_role_and_progress_only(actors: Actors) -> None:
    make_items(actors.project, 4)
    response = client_of(actors.bob).get(reverse("projects"))
    rows = response.context["rows"]
    assert [(row["membership"].project.slug, row["membership"].role) for row in rows] == [
        ("birds", "annotator")
    ]
    assert "Flowers" not in response.text


def test_the_list_costs_the_same_statements_for_any_number_of_projects(
    actors: Actors, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        add_member(make_project(f"more-{number}"), actors.bob)
    bob = client_of(actors.bob)
    with django_assert_max_num_queries(7):
        response = bob.get(reverse("projects"))
    assert len(response.context["rows"]) == 13


def test_somebody_without_a_project_is_told_where_projects_come_from(actors: Actors) -> None:
    actors.membership(actors.bob).delete()
    text = client_of(actors.bob).get(reverse("projects")).text
    assert "You are in no project yet" in text
    assert reverse("project_new") not in text


def test_the_bare_address_leads_to_the_list(client: Client) -> None:
    assert client.get("/")["Location"] == "/projects/"


def test_strangers_are_sent_to_the_sign_in_page() -> None:
    response = Client().get(reverse("projects"))
    assert (response.status_code, response["Location"]) == (302, "/sign-in?next=/projects/")


# A new one --------------------------------------------------------------------------------------------


def test_alice_makes_a_project_by_form(actors: Actors) -> None:
    response = client_of(actors.alice).post(reverse("project_new"), NEW)
    assert (response.status_code, response["Location"]) == (302, "/projects/bird-sounds/")
    project = Project.objects.get(slug="bird-sounds")
    assert (project.overlap, str(project.audit_fraction)) == (2, "0.125")
    assert project.guideline is not None
    assert project.guideline.text == "Listen twice.\nThen answer."
    question = project.questions.get()
    assert (question.key, question.title) == ("which_bird_is_it", "Which bird is it?")
    assert list(question.classes.values_list("name", "definition", "key", "uncertain")) == [
        ("robin", "Red breast.", "1", False),
        ("cannot tell", "", "0", True),
    ]


def test_errors_of_the_service_stand_at_their_fields(actors: Actors) -> None:
    wrong = {**NEW, "slug": "Not A Slug", "q-0-c-0-key": "s", "q-0-c-1-name": "Robin", "q-0-key": "9lives"}
    response = client_of(actors.alice).post(reverse("project_new"), wrong)
    assert response.status_code == 422
    assert [(place, problem) for place, _label, problem in response.context["editor"].errors] == [
        ("id_slug", "A slug is 1 to 60 lower-case letters, digits and hyphens"),
        ("id_q-0-key", "A key is lower-case letters, digits and _, and starts with a letter"),
        ("id_q-0-c-0-key", "The key 's' belongs to the label page itself"),
        (
            "id_q-0-c-1-name",
            "Another class is called 'Robin' (case and Unicode form do not tell classes apart)",
        ),
    ]
    assert not Project.objects.filter(name="Bird sounds").exists()


def test_errors_find_their_row_when_blank_rows_stand_before_it(actors: Actors) -> None:
    wrong = {**NEW, "q-0-c-2-key": "l"}
    response = client_of(actors.alice).post(reverse("project_new"), wrong)
    assert [place for place, _label, _problem in response.context["editor"].errors] == ["id_q-0-c-2-key"]


def test_a_short_name_cannot_be_the_address_of_the_editor(actors: Actors) -> None:
    response = client_of(actors.alice).post(reverse("project_new"), {**NEW, "slug": "new"})
    assert response.context["editor"].errors == [
        ("id_slug", "Short name in addresses", "The slug 'new' is an address of labelapp's own")
    ]


def test_a_taken_short_name_is_told_at_its_field(actors: Actors) -> None:
    response = client_of(actors.alice).post(reverse("project_new"), {**NEW, "slug": "flowers"})
    assert [place for place, _label, _problem in response.context["editor"].errors] == ["id_slug"]


def names(response: Any) -> list[str]:
    """What the rows of the first question's classes hold."""
    return [form["name"].value() for form in response.context["editor"].rows[0].classes]


def test_rows_are_added_and_removed_without_scripts_and_nothing_typed_is_lost(actors: Actors) -> None:
    alice = client_of(actors.alice)
    address = reverse("project_new")
    assert names(alice.post(address, {**NEW, "edit": "add-class:0"})) == ["robin", "", "", "cannot tell"]
    assert names(alice.post(address, {**NEW, "edit": "remove-class:0:0"})) == ["", "cannot tell"]
    more = alice.post(address, {**NEW, "edit": "add-question"})
    assert [row.form["title"].value() for row in more.context["editor"].rows] == ["Which bird is it?", None]
    assert more.context["form"]["name"].value() == "Bird sounds"
    assert names(alice.post(address, {**NEW, "edit": "remove-question:0"})) == ["robin", "", "cannot tell"]
    for nonsense in ("remove-class:7:0", "remove-class:0", "add-class:x", "what", "add-class:99999999999"):
        assert alice.post(address, {**NEW, "edit": nonsense}).status_code == 200
    assert not Project.objects.filter(name="Bird sounds").exists()


def test_the_kind_of_a_question_decides_what_is_asked_about_it(actors: Actors) -> None:
    number = {**NEW, "q-0-kind": "number", "edit": "refresh"}
    text = client_of(actors.alice).post(reverse("project_new"), number).text
    assert 'name="q-0-minimum"' in text
    assert 'name="q-0-c-0-name"' not in text


def test_a_pasted_document_makes_the_same_project_as_the_api(actors: Actors) -> None:
    document = {
        "name": "Pasted",
        "questions": [{"key": "a", "kind": "single", "classes": ["x", "y"], "title": "A?"}],
    }
    address = reverse("project_new_document")
    response = client_of(actors.alice).post(address, {"document": json.dumps(document)})
    assert response["Location"] == "/projects/pasted/"
    wrong = client_of(actors.alice).post(address, {"document": json.dumps({**document, "colour": 1})})
    assert (wrong.status_code, wrong.context["form"].errors["document"]) == (
        422,
        ["There is a project with the slug 'pasted' already."],
    )
    for text in ("{", '{"name": NaN}', "[" * 100_000):
        assert client_of(actors.alice).post(address, {"document": text}).status_code == 422


def test_people_who_lead_nothing_make_no_projects(actors: Actors) -> None:
    assert client_of(actors.bob).get(reverse("project_new")).status_code == 403
    assert client_of(actors.bob).post(reverse("project_new"), NEW).status_code == 403


# Home -------------------------------------------------------------------------------------------------


def steps_of(actors: Actors) -> list[str]:
    """What Alice is told to do next."""
    response = client_of(actors.alice).get(reverse("project", args=["birds"]))
    return [step["label"] for step in response.context["steps"]]


def test_the_next_steps_follow_the_state(actors: Actors) -> None:
    assert steps_of(actors) == ["Import the first items"]
    items = make_items(actors.project, 6)
    Item.objects.filter(pk=items[0].pk).update(state="with_lead", free=0)
    assert steps_of(actors) == ["Decide on 1 item that waits for the lead"]
    annotate(actors, 2)
    assert steps_of(actors) == ["Decide on 1 item that waits for the lead", "See how far people agree"]


def test_home_shows_the_agreement_to_those_who_may_see_it(actors: Actors) -> None:
    make_items(actors.project, 6, target=2)
    annotate(actors, 4)
    lead = client_of(actors.alice).get(reverse("project", args=["birds"]))
    assert lead.context["agreement"]["percent"]["value"] == 1.0
    reviewer = client_of(actors.dave).get(reverse("project", args=["birds"]))
    assert "Krippendorff" in reviewer.text
    annotator = client_of(actors.bob).get(reverse("project", args=["birds"]))
    assert "agreement" not in annotator.context
    assert "carol" not in annotator.text


def test_an_annotator_sees_the_way_to_label_and_own_progress(actors: Actors) -> None:
    make_items(actors.project, 6)
    response = client_of(actors.bob).get(reverse("project", args=["birds"]))
    assert "Start labeling" in response.text
    assert reverse("project_pause", args=["birds"]) not in response.text


def test_pause_resume_and_archive_are_posts_that_leave_a_line(actors: Actors) -> None:
    alice = client_of(actors.alice)
    for name, state in (
        ("project_pause", ProjectState.PAUSED),
        ("project_resume", ProjectState.ACTIVE),
        ("project_archive", ProjectState.ARCHIVED),
    ):
        assert alice.get(reverse(name, args=["birds"])).status_code == 405
        response = alice.post(reverse(name, args=["birds"]))
        assert (response.status_code, response["Location"]) == (302, "/projects/birds/")
        assert Project.objects.get(slug="birds").state == state
    assert Event.objects.filter(verb__startswith="project.").count() == 3


def test_a_lead_who_is_no_owner_cannot_archive(actors: Actors) -> None:
    frank = add_member(actors.project, actors.eve, Role.LEAD)
    assert client_of(frank.user).post(reverse("project_archive", args=["birds"])).status_code == 403
    assert "Archive the project?" not in client_of(frank.user).get(reverse("project", args=["birds"])).text


def test_posts_need_the_csrf_token(actors: Actors) -> None:
    browser = client_of(actors.alice, enforce_csrf_checks=True)
    assert browser.post(reverse("project_pause", args=["birds"])).status_code == 403
    assert Project.objects.get(slug="birds").state == ProjectState.ACTIVE


def test_a_copy_has_the_questions_and_no_items(actors: Actors) -> None:
    make_items(actors.project, 3)
    alice = client_of(actors.alice)
    taken = alice.post(reverse("project_clone", args=["birds"]), {"name": "Two", "slug": "flowers"})
    assert (taken.status_code, list(taken.context["form"].errors)) == (422, ["slug"])
    alice.post(reverse("project_clone", args=["birds"]), {"name": "Two", "slug": "two"})
    copy = Project.objects.get(slug="two")
    assert (copy.items.count(), copy.questions.get().key) == (0, "answer")


def test_names_are_shown_literally_everywhere(actors: Actors) -> None:
    Project.objects.filter(slug="birds").update(name=XSS)
    make_items(actors.project, 1)
    shown = XSS.replace('"', "&quot;").replace(">", "&gt;").replace("<", "&lt;")
    for name in ("projects", "project", "project_settings", "questions", "guideline", "items", "imports"):
        arguments = [] if name == "projects" else ["birds"]
        response = client_of(actors.alice).get(reverse(name, args=arguments))
        assert response.status_code == 200, name
        assert shown in response.text, name
        assert "<svg/onload" not in response.text, name


# Settings ---------------------------------------------------------------------------------------------


def settings_form(project: Project, **changes: Any) -> dict[str, Any]:
    """The settings page as a browser would send it back, with changes."""
    page = client_of(project.created_by).get(reverse("project_settings", args=[project.slug]))
    form = page.context["form"]
    return as_typed(form) | changes


def as_typed(form: Any) -> dict[str, Any]:
    """The fields as a browser sends them: what is empty is an empty text."""
    values = {name: form[name].value() for name in form.fields}
    return {name: "" if value is None else value for name, value in values.items()}


def test_settings_are_changed_and_only_on_the_version_that_was_read(actors: Actors) -> None:
    alice = client_of(actors.alice)
    address = reverse("project_settings", args=["birds"])
    read = settings_form(actors.project, lease_minutes="45", audit_percent="20")
    assert alice.post(address, read).status_code == 302
    project = Project.objects.get(slug="birds")
    assert (project.lease_minutes, str(project.audit_fraction), project.version) == (45, "0.200", 2)
    stale = alice.post(address, {**read, "lease_minutes": "60"})
    assert stale.status_code == 412
    assert "Somebody else changed these settings" in stale.text
    assert Project.objects.get(slug="birds").lease_minutes == 45
    assert alice.post(address, as_typed(stale.context["form"])).status_code == 302
    assert Project.objects.get(slug="birds").lease_minutes == 60


def test_a_bound_on_gold_and_the_gate_are_set_and_the_bound_taken_away(actors: Actors) -> None:
    alice, address = client_of(actors.alice), reverse("project_settings", args=["birds"])
    typed = settings_form(actors.project, gold_bound_percent="82.5", validation_gate="stop")
    assert alice.post(address, typed).status_code == 302
    project = Project.objects.get(slug="birds")
    assert (str(project.gold_bound), project.validation_gate) == ("0.825", "stop")
    kept = settings_form(project)
    assert (str(kept["gold_bound_percent"]), kept["validation_gate"]) == ("82.5", "stop")
    refused = alice.post(address, settings_form(project, gold_bound_percent="100", validation_gate="shut"))
    assert sorted(refused.context["form"].errors) == ["gold_bound_percent", "validation_gate"]
    assert alice.post(address, settings_form(project, gold_bound_percent="")).status_code == 302
    assert Project.objects.get(slug="birds").gold_bound is None


def test_repeats_gold_and_more_people_are_set_on_the_settings_page(actors: Actors) -> None:
    alice = client_of(actors.alice)
    address = reverse("project_settings", args=["birds"])
    typed = {"retest_percent": "3", "retest_after_days": "7", "retest_minimum": "30", "gold_percent": "5"}
    typed |= {"overlap_most": "5", "sure_percent": "97.5", "overlap_budget": "400"}
    assert alice.post(address, settings_form(actors.project, **typed)).status_code == 302
    project = Project.objects.get(slug="birds")
    assert (str(project.retest_rate), project.retest_after_days, project.retest_minimum) == ("0.030", 7, 30)
    assert (str(project.gold_rate), str(project.overlap_sure)) == ("0.050", "0.975")
    assert (project.overlap_most, project.overlap_budget) == (5, 400)
    kept = settings_form(project)
    assert (str(kept["retest_percent"]), str(kept["sure_percent"]), kept["overlap_most"]) == ("3", "97.5", 5)
    assert "answer?" in alice.get(address).text  # the question that decides
    refused = alice.post(address, settings_form(project, retest_percent="51", overlap_most="0"))
    assert refused.status_code == 422
    assert sorted(refused.context["form"].errors) == ["overlap_most", "retest_percent"]
    higher = alice.post(address, settings_form(project, overlap="6"))
    assert (higher.status_code, "at least the overlap" in higher.text) == (422, True)
    assert alice.post(address, settings_form(project, overlap_most="", overlap_budget="")).status_code == 302
    assert Project.objects.get(slug="birds").overlap_most is None


def test_home_tells_what_more_people_where_they_are_needed_has_saved(actors: Actors) -> None:
    alice, home = client_of(actors.alice), reverse("project", args=["birds"])
    assert "Saved" not in alice.get(home).text
    Project.objects.filter(slug="birds").update(overlap=2, overlap_most=4)
    actors.project.refresh_from_db()
    make_items(actors.project, 3)
    annotate(actors, 3)
    page = alice.get(home)
    assert (page.context["saving"].used, page.context["saving"].everywhere) == (6, 12)
    assert "6 instead of 12 with 4 people each" in page.text
    assert "6 answers" in page.text
    assert "Saved" not in client_of(actors.bob).get(home).text


def test_raising_the_overlap_first_says_in_numbers_what_it_will_do(actors: Actors) -> None:
    Project.objects.filter(slug="birds").update(overlap=2)
    actors.project.refresh_from_db()
    make_items(actors.project, 5)
    annotate(actors, 3)
    alice = client_of(actors.alice)
    address = reverse("project_settings", args=["birds"])
    raised = settings_form(actors.project, overlap="3")
    asked = alice.post(address, raised)
    assert asked.context["facts"] == ["3 finished items outside the audit slice open again for more people."]
    assert Project.objects.get(slug="birds").overlap == 2
    assert alice.post(address, {**raised, "confirmed": "1"}).status_code == 302
    assert Item.objects.filter(project=actors.project, free=1, done=2).count() == 3


def test_the_display_is_set_field_by_field(actors: Actors) -> None:
    make_items(actors.project, 1)
    alice = client_of(actors.alice)
    address = reverse("project_settings", args=["birds"])
    only_hidden = alice.post(address, {**settings_form(actors.project), "display-0": "hidden"})
    assert (only_hidden.status_code, "Choose how at least one field is shown." in only_hidden.text) == (
        422,
        True,
    )
    alice.post(address, {**settings_form(actors.project), "display-0": "table"})
    assert Project.objects.get(slug="birds").display == {"text": "table"}
