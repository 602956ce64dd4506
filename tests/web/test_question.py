"""Pages of questions and classes: added and changed while people label."""

from typing import Any

import pytest
from django.urls import reverse

from core.models import LabelClass, Question
from core.services.mapping import apply_merge
from tests.conftest import Actors, client_of
from tests.factories.project import make_question
from tests.web.test_project import annotate, make_items

CLASS = {"name": "perhaps", "definition": "Neither.", "key": "", "colour": "3"}


def class_of(actors: Actors, name: str) -> LabelClass:
    """A class of the question ``answer``."""
    return LabelClass.objects.get(question__project=actors.project, name=name)


def test_the_page_shows_definitions_keys_and_which_class_is_uncertain(actors: Actors) -> None:
    class_of(actors, "yes")
    LabelClass.objects.filter(name="yes").update(definition="It <b>sings</b>.")
    text = client_of(actors.alice).get(reverse("questions", args=["birds"])).text
    assert "It &lt;b&gt;sings&lt;/b&gt;." in text
    assert "(uncertainty class)" in text
    assert "<kbd>0</kbd>" in text


def test_a_class_is_added_and_finished_items_stay_finished(actors: Actors) -> None:
    address = reverse("class_new", args=["birds", "answer"])
    assert client_of(actors.alice).post(address, CLASS).status_code == 302
    made = class_of(actors, "perhaps")
    assert (made.definition, made.key, made.colour, made.order) == ("Neither.", "3", 3, 3)


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"name": "YES"}, "name", "Another class is called 'YES'"),
        ({"name": "ye\u0301s\u200b"}, "name", "The name holds an invisible character"),
        ({"key": "S"}, "key", "The key 'S' belongs to the label page itself"),
        ({"key": "1"}, "key", "Another class has the key '1'"),
        ({"colour": "8"}, "colour", "Select a valid choice. 8 is not one of the available choices."),
    ],
)
def test_what_is_wrong_with_a_class_stands_at_its_field(
    actors: Actors, wrong: dict[str, str], field: str, said: str
) -> None:
    response = client_of(actors.alice).post(
        reverse("class_new", args=["birds", "answer"]), {**CLASS, **wrong}
    )
    assert (response.status_code, response.context["form"].errors) == (422, {field: [said]})


def test_a_class_is_changed_and_its_answers_point_at_it_still(actors: Actors) -> None:
    make_items(actors.project, 2, target=2)
    annotate(actors, 1)
    spec = class_of(actors, "yes")
    address = reverse("class_edit", args=["birds", "answer", spec.pk])
    client_of(actors.alice).post(
        address, {"name": "sure", "definition": "", "key": "y", "colour": "0", "version": "1"}
    )
    spec.refresh_from_db()
    assert (spec.name, spec.key, spec.answers.count()) == ("sure", "y", 2)


def test_classes_of_other_questions_and_projects_are_not_found(actors: Actors) -> None:
    other = LabelClass.objects.filter(question__project__slug="flowers").first()
    assert other is not None
    alice = client_of(actors.alice)
    assert alice.get(reverse("class_edit", args=["birds", "answer", other.pk])).status_code == 404
    assert alice.get(reverse("class_new", args=["birds", "nothing"])).status_code == 404
    make_question(actors.project, "free", [], kind="text")
    assert alice.get(reverse("class_new", args=["birds", "free"])).status_code == 404


NEW: dict[str, Any] = {
    "q-0-title": "How loud is it?",
    "q-0-kind": "scale",
    "q-0-key": "loud",
    "q-0-required": "on",
    "q-0-c-0-name": "quiet",
    "q-0-c-0-definition": "",
    "q-0-c-0-key": "",
    "q-0-c-1-name": "loud",
    "q-0-c-1-definition": "",
    "q-0-c-1-key": "",
}


def test_a_question_is_added_and_the_page_says_first_what_that_opens_again(actors: Actors) -> None:
    make_items(actors.project, 3, target=2)
    annotate(actors, 2)
    alice = client_of(actors.alice)
    address = reverse("question_new", args=["birds"])
    assert "2 finished items open again" in alice.get(address).text
    assert alice.post(address, {**NEW, "edit": "add-class:0"}).status_code == 200
    assert alice.post(address, NEW).status_code == 302
    made = Question.objects.get(project=actors.project, key="loud")
    assert (made.kind, list(made.classes.values_list("name", flat=True))) == ("scale", ["quiet", "loud"])
    assert actors.project.items.filter(done=0).count() == 3


def test_what_is_wrong_with_a_new_question_stands_at_its_field(actors: Actors) -> None:
    wrong = {**NEW, "q-0-key": "answer", "q-0-c-1-name": "QUIET"}
    response = client_of(actors.alice).post(reverse("question_new", args=["birds"]), wrong)
    assert [(place, problem) for place, _label, problem in response.context["editor"].errors] == [
        ("id_q-0-key", "Another question has the key 'answer'"),
        (
            "id_q-0-c-1-name",
            "Another class is called 'QUIET' (case and Unicode form do not tell classes apart)",
        ),
    ]


def test_a_question_gets_other_words(actors: Actors) -> None:
    address = reverse("question_edit", args=["birds", "answer"])
    assert (
        client_of(actors.alice).post(address, {"title": "  Does it   sing? ", "version": "1"}).status_code
        == 302
    )
    question = Question.objects.get(project=actors.project, key="answer")
    assert (question.title, question.required) == ("Does it sing?", False)
    assert client_of(actors.alice).post(address, {"title": "", "version": "2"}).status_code == 422


def test_annotators_and_reviewers_change_nothing(actors: Actors) -> None:
    for user in (actors.bob, actors.dave):
        assert client_of(user).get(reverse("questions", args=["birds"])).status_code == 403
        assert client_of(user).post(reverse("class_new", args=["birds", "answer"]), CLASS).status_code == 403


def test_of_two_leads_the_second_is_shown_what_was_typed_and_may_save_again(actors: Actors) -> None:
    spec = class_of(actors, "yes")
    address = reverse("class_edit", args=["birds", "answer", spec.pk])
    alice = client_of(actors.alice)
    seen = alice.get(address).context["form"]["version"].value()
    fields = {"definition": "", "key": "y", "colour": "0", "version": seen}
    assert alice.post(address, {**fields, "name": "sure"}).status_code == 302
    late = alice.post(address, {**fields, "name": "certain"})
    assert (late.status_code, late.context["form"]["name"].value()) == (412, "certain")
    assert "Somebody else changed the questions or settings" in late.text
    spec.refresh_from_db()
    assert spec.name == "sure"
    now = late.context["form"]["version"].value()
    assert alice.post(address, {**fields, "name": "certain", "version": now}).status_code == 302
    title = reverse("question_edit", args=["birds", "answer"])
    assert alice.post(title, {"title": "Does it sing?", "version": seen}).status_code == 412


def test_the_second_of_two_leads_sees_the_firsts_words_beside_the_own(actors: Actors) -> None:
    spec = class_of(actors, "yes")
    alice = client_of(actors.alice)
    address = reverse("class_edit", args=["birds", "answer", spec.pk])
    fields = {"name": "yes", "key": spec.key, "colour": "0", "version": "1"}
    assert alice.post(address, {**fields, "definition": "It <sings>,\r\nor calls."}).status_code == 302
    late = alice.post(address, {**fields, "definition": "It is a bird."})
    told = {row["label"]: (row["stored"], row["typed"]) for row in late.context["stored"] if not row["same"]}
    assert (late.status_code, told) == (412, {"When it applies": ("It <sings>,\nor calls.", "It is a bird.")})
    assert "It &lt;sings&gt;,\nor calls." in late.text

    title = reverse("question_edit", args=["birds", "answer"])
    late = alice.post(title, {"title": "Does it sing?", "required": "on", "version": "1"})
    assert [(row["typed"], row["same"]) for row in late.context["stored"]] == [
        ("Does it sing?", False),
        ("yes", True),
    ]


def test_merged_classes_stand_beside_the_one_they_are_read_as(actors: Actors) -> None:
    yes, no = class_of(actors, "yes"), class_of(actors, "no")
    apply_merge(actors.membership(actors.alice), "answer", [yes.pk, no.pk], yes.pk, version=0)
    alice = client_of(actors.alice)
    assert "also what was answered as “no”" in alice.get(reverse("questions", args=["birds"])).text
    assert alice.get(reverse("class_edit", args=["birds", "answer", no.pk])).status_code == 404
