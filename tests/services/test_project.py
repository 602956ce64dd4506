"""Projects: made from a document or refused with every reason, and changed midway without loss."""

from typing import Any

import pytest

from core.access import Actor
from core.choices import ProjectState, Role
from core.exceptions import Conflict, Invalid, NotAllowed, Stale
from core.models import Event, Item, Membership, Project
from core.selectors.progress import progress_of
from core.selectors.project import document_of
from core.services.annotation import Work, submit
from core.services.guideline import publish_guideline
from core.services.lease import hand_out
from core.services.progress import recount
from core.services.project import clone_project, create_project, edit_project, found_project, set_state
from tests.conftest import Actors
from tests.factories.item import make_items

pytestmark = pytest.mark.django_db

RTE: dict[str, Any] = {
    "slug": "rte",
    "name": "Entailment",
    "overlap": 3,
    "audit_fraction": 0.12,
    "audit_overlap": 5,
    "lease_minutes": 45,
    "retest": {"after_days": 7, "rate": 0.03, "per_person_minimum": 30},
    "adaptive": {"most": 5, "sure": 0.9, "budget": 200},
    "gold_rate": 0.05,
    "gold_bound": 0.8,
    "validation_gate": "stop",
    "guideline": "Read *both* texts.",
    "questions": [
        {
            "key": "entailment",
            "kind": "single",
            "title": "Does the text entail the hypothesis?",
            "classes": [
                {"name": "entailed", "definition": "It follows.", "key": "1"},
                {"name": "not_entailed", "key": "2"},
                {"name": "cannot tell", "key": "0", "uncertain": True},
            ],
        },
        {
            "key": "why",
            "kind": "text",
            "title": "Why?",
            "required": False,
            "when": {"question": "entailment", "classes": ["cannot tell"]},
        },
    ],
    "display": {"text": "pair", "hypothesis": "pair"},
}


def test_a_document_makes_a_project_that_gives_the_same_document_back(actors: Actors) -> None:
    project = create_project(actors.alice, RTE)
    document = document_of(project)
    assert {key: document[key] for key in RTE if key != "questions"} == {
        key: RTE[key] for key in RTE if key != "questions"
    }
    assert [spec["name"] for spec in document["questions"][0]["classes"]] == [
        "entailed",
        "not_entailed",
        "cannot tell",
    ]
    assert document["questions"][1]["when"] == {"question": "entailment", "classes": ["cannot tell"]}
    owner = Membership.objects.get(project=project)
    assert (owner.user, owner.role) == (actors.alice, Role.OWNER)
    assert project.guideline is not None
    assert project.guideline.number == 1
    assert Event.objects.filter(project=project, verb="project.created").count() == 1


def test_a_clone_has_the_same_questions_and_nobodys_items(actors: Actors) -> None:
    create_project(actors.alice, RTE)
    member = Membership.objects.select_related("project", "user").get(project__slug="rte")
    copy = clone_project(member, "rte-2", "Second")
    assert {**document_of(copy), "slug": "rte", "name": "Entailment"} == document_of(member.project)
    assert not copy.items.exists()


def test_only_leads_make_projects(actors: Actors) -> None:
    with pytest.raises(NotAllowed):
        create_project(actors.bob, RTE)
    create_project(actors.alice, RTE)
    with pytest.raises(Conflict) as refusal:
        create_project(actors.alice, RTE)
    assert refusal.value.code == "slug-taken"


def test_whoever_runs_the_server_makes_a_project_without_a_person(actors: Actors) -> None:
    project = found_project(None, RTE, "command line")
    owner = Membership.objects.get(project=project)
    assert (owner.name, owner.user) == ("command line", None)


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"slug": "Not A Slug"}, "/slug", "bad-slug"),
        ({"overlap": 0}, "/overlap", "out-of-range"),
        ({"overlap": True}, "/overlap", "out-of-range"),
        ({"audit_fraction": 1.5}, "/audit_fraction", "out-of-range"),
        ({"gold_rate": "NaN"}, "/gold_rate", "out-of-range"),
        ({"lease_minutes": "5"}, "/lease_minutes", "out-of-range"),
        ({"retest": 3}, "/retest", "not-an-object"),
        ({"gold_bound": 1}, "/gold_bound", "out-of-range"),
        ({"gold_bound": True}, "/gold_bound", "out-of-range"),
        ({"validation_gate": "closed"}, "/validation_gate", "bad-gate"),
        ({"validation_gate": ["stop"]}, "/validation_gate", "bad-gate"),
        ({"display": {"text": "html"}}, "/display", "bad-display"),
        ({"guideline": 5}, "/guideline", "not-a-text"),
        ({"webhook": "http://127.0.0.1/"}, "/webhook", "unknown-field"),
        ({"questions": []}, "/questions", "required"),
        ({"questions": ["x"]}, "/questions/0", "not-an-object"),
        ({"questions": [{"key": "Q", "kind": "text"}]}, "/questions/0/key", "bad-key"),
        ({"questions": [{"key": "q", "kind": "span"}]}, "/questions/0/kind", "unknown-kind"),
        ({"questions": [{"key": "q", "kind": "single"}]}, "/questions/0/classes", "required"),
        ({"questions": [{"key": "q", "kind": "text", "level": "ratio"}]}, "/questions/0/level", "bad-level"),
        ({"questions": [{"key": "q", "kind": "text", "minimum": 1}]}, "/questions/0/minimum", "not-a-number"),
    ],
)
def test_a_wrong_document_is_refused_with_the_field_and_makes_nothing(
    actors: Actors, change: dict[str, Any], pointer: str, code: str
) -> None:
    before = Project.objects.count()
    with pytest.raises(Invalid) as refusal:
        create_project(actors.alice, {**RTE, **change})
    assert (pointer, code) in [(row["pointer"], row["code"]) for row in refusal.value.errors]
    assert Project.objects.count() == before


def test_everything_that_is_wrong_is_told_at_once(actors: Actors) -> None:
    with pytest.raises(Invalid) as refusal:
        create_project(actors.alice, {"slug": "x", "overlap": 0, "questions": [{"key": "1"}]})
    assert len(refusal.value.errors) >= 3


def test_an_edit_of_an_older_version_is_stale(actors: Actors) -> None:
    alice = actors.membership(actors.alice)
    edit_project(alice, {"name": "Waterbirds"}, version=1)
    with pytest.raises(Stale):
        edit_project(alice, {"name": "Songbirds"}, version=1)
    assert Project.objects.get(pk=alice.project_id).name == "Waterbirds"


def test_raising_the_overlap_opens_finished_items_and_lowering_loses_nothing(actors: Actors) -> None:
    alice, bob = actors.membership(actors.alice), actors.membership(actors.bob)
    edit_project(alice, {"overlap": 1})
    make_items(Project.objects.get(pk=alice.project_id), 2)
    recount(alice.project_id)
    lease = hand_out(bob, 1).leases[0]
    key = bob.project.questions.get().key
    value = bob.project.questions.get().classes.first().name  # type: ignore[union-attr]
    submit(Actor(actors.bob), lease.pk, "k", Work({key: value}, count=0))
    assert progress_of(alice.project_id).items_done == 1
    edit_project(alice, {"overlap": 3})
    assert progress_of(alice.project_id).items_done == 0
    assert sorted(Item.objects.values_list("target", "done", "free")) == [(3, 0, 3), (3, 1, 2)]
    edit_project(alice, {"overlap": 1})
    assert sorted(Item.objects.values_list("target", "done", "free")) == [(1, 0, 1), (1, 1, 0)]
    assert progress_of(alice.project_id).items_done == 1


def test_the_audit_slice_follows_the_overlap_until_it_is_set_apart(actors: Actors) -> None:
    alice = actors.membership(actors.alice)
    edit_project(alice, {"overlap": 2, "audit_overlap": 2})
    assert edit_project(alice, {"overlap": 3}).audit_overlap == 3
    edit_project(alice, {"audit_overlap": 5})
    assert edit_project(alice, {"overlap": 4}).audit_overlap == 5


def test_an_archived_project_can_be_resumed(actors: Actors) -> None:
    alice = actors.membership(actors.alice)
    assert set_state(alice, ProjectState.ARCHIVED).state == ProjectState.ARCHIVED
    assert set_state(alice, ProjectState.ACTIVE).state == ProjectState.ACTIVE


def test_an_archive_is_closed_until_an_owner_reopens_it(actors: Actors) -> None:
    alice = actors.membership(actors.alice)
    set_state(alice, ProjectState.ARCHIVED)
    alice = actors.membership(actors.alice)
    with pytest.raises(Conflict):
        edit_project(alice, {"name": "Other"})
    with pytest.raises(Conflict):
        publish_guideline(alice, "# New")
    alice.role = Role.LEAD
    with pytest.raises(NotAllowed):
        set_state(alice, ProjectState.ACTIVE)
