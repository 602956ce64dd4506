"""What a run says is shown beside items as the lead set it, stays on the answer, and says nothing of agreement."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.access import Actor
from core.choices import AuditPart, Pass, ProjectState, RelabelTo, RunKind
from core.exceptions import Conflict, Invalid, Stale
from core.models import Annotation, Event, Item, Lease, Membership, Prediction, Project, Run
from core.pipelines.agreement import agreement_report
from core.pipelines.suggestion import suggestions_document
from core.selectors.check_data import findings
from core.selectors.gold_accuracy import gold_answers
from core.selectors.suggestion import shown_on, suggestions
from core.services.annotation import Submitted, Work, correct, submit
from core.services.lease import hand_out, hand_out_trial, release_leases_of
from core.services.mapping import apply_rename
from core.services.suggestion import edit_suggestions
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_gold
from tests.factories.item import make_items, make_waiting
from tests.factories.passes import mix_passes
from tests.factories.queue import make_place
from tests.factories.run import make_run

pytestmark = pytest.mark.django_db
SURE = {"yes": 0.93, "no": 0.07}


@pytest.fixture
def alice(actors: Actors) -> Membership:
    return actors.membership(actors.alice)


@pytest.fixture
def bob(actors: Actors) -> Membership:
    return actors.membership(actors.bob)


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Twelve items that want one answer each, none of the audit slice."""
    return make_waiting(actors.project, 12)


@pytest.fixture
def run(actors: Actors, items: list[Item]) -> Run:
    """A run that says "yes" of all of them, and is .93 sure of it."""
    made = make_run(actors.project, {item.external_id: "yes" for item in items})
    weigh(made, SURE)
    return made


def weigh(run: Run, shares: dict[str, float], *items: Item) -> None:
    """What probabilities a run gives, for all of its items or some."""
    classes = dict(run.project.questions.get().classes.values_list("name", "pk"))
    rows = Prediction.objects.filter(run=run)
    if items:
        rows = rows.filter(item__in=items)
    rows.update(probabilities={str(classes[name]): share for name, share in shares.items()})


def suggest(actors: Actors, run: Run, **more: Any) -> Project:
    return edit_suggestions(actors.membership(actors.alice), {"run": run.pk, "withheld": 0, **more})


def submitted(member: Membership, lease: Lease, value: str = "yes", count: int = 1) -> Submitted:
    assert member.user is not None
    return submit(Actor(member.user), lease.pk, str(uuid4()), Work({"answer": value}, count=count))


def answer(member: Membership, lease: Lease, value: str) -> Annotation:
    return submitted(member, lease, value, count=0).annotation


def fresh(member: Membership) -> Membership:
    return Membership.objects.select_related("project").get(pk=member.pk)


def test_it_is_shown_and_the_answer_says_so(actors: Actors, bob: Membership, run: Run) -> None:
    suggest(actors, run)
    first, second = hand_out(bob, 2).leases
    told = {"run": run.pk, "answers": {"answer": "yes"}, "probability": {"answer": 0.93}}
    assert shown_on(first) == told
    followed, refused = answer(bob, first, "yes"), answer(bob, second, "no")
    assert followed.suggested
    assert followed.suggestion == {**told, "shown": True, "taken": {"answer": True}}
    assert refused.suggestion == {**told, "shown": True, "taken": {"answer": False}}
    assert list(findings()) == []


def test_nothing_is_suggested_until_a_lead_says_so(actors: Actors, bob: Membership, run: Run) -> None:
    assert run.pk
    (lease,) = hand_out(bob, 1).leases
    assert (lease.suggestion, shown_on(lease)) == (None, None)
    made = answer(bob, lease, "yes")
    assert (made.suggested, made.suggestion) == (False, None)


def test_the_audit_slice_never_has_any(actors: Actors, bob: Membership, run: Run, items: list[Item]) -> None:
    suggest(actors, run)
    Item.objects.filter(pk__in=[items[0].pk, items[1].pk]).update(audit=AuditPart.STREAM)
    Item.objects.filter(pk=items[2].pk).update(audit=AuditPart.HOLDOUT)
    told = {lease.item_id: lease.suggestion is not None for lease in hand_out(bob, 12).leases}
    assert [told[item.pk] for item in items] == [False] * 3 + [True] * 9


def test_what_the_run_is_not_sure_of_is_not_said(
    actors: Actors, bob: Membership, run: Run, items: list[Item]
) -> None:
    weigh(run, {"yes": 0.6, "no": 0.4}, items[0])
    suggest(actors, run, sure=0.8)
    told = {lease.item_id: lease.suggestion is not None for lease in hand_out(bob, 12).leases}
    assert [told[item.pk] for item in items] == [False] + [True] * 11


def test_a_run_without_probabilities_is_taken_to_be_sure(
    actors: Actors, bob: Membership, items: list[Item]
) -> None:
    suggest(actors, make_run(actors.project, {items[0].external_id: "no"}), sure=1)
    (lease,) = hand_out(bob, 1).leases
    assert lease.suggestion is not None
    assert lease.suggestion["probability"] == {"answer": None}


def test_a_share_is_withheld_by_the_item_alone(actors: Actors, run: Run) -> None:
    many = make_items(actors.project, 400)
    told = make_run(actors.project, {item.external_id: "no" for item in many}, name="many")
    project = suggest(actors, told, withheld=0.25)
    found = suggestions(project, many)
    shown = [item.pk for item in many if found[item.pk]["shown"]]
    assert 400 * 0.75 - 40 < len(shown) < 400 * 0.75 + 40
    again = suggestions(Project.objects.get(pk=project.pk), many[::-1])
    assert [item.pk for item in many if again[item.pk]["shown"]] == shown
    assert run.pk


def test_every_pass_shows_what_a_normal_one_would(actors: Actors, bob: Membership, run: Run) -> None:
    """Gold, repeats and trials: what is beside an item does not tell why it was handed out."""
    more = make_items(actors.project, 120)
    said = make_run(actors.project, {item.external_id: "no" for item in more[::2]}, name="half")
    for item in more[40:80]:
        make_gold(item, "answer", "no")
    suggest(actors, said, withheld=0.3)
    mix_passes(bob, 60)
    Project.objects.filter(pk=actors.project.pk).update(retest_after_days=0)
    seen: set[str] = set()
    expected: dict[int, Any] = suggestions(fresh(bob).project, more)
    for _turn in range(60):
        Membership.objects.filter(pk=bob.pk).update(cursors={})  # a look in vain is not repeated for a minute
        (lease,) = hand_out(fresh(bob), 1).leases
        seen.add(lease.pass_kind)
        assert lease.suggestion == expected.get(lease.item_id)
        answer(bob, lease, "yes")
    assert seen == {Pass.NORMAL, Pass.GOLD, Pass.RETEST}
    alice = actors.membership(actors.alice)
    assert all(lease.suggestion == expected.get(lease.item_id) for lease in hand_out_trial(alice, 20).leases)
    assert run.pk


def test_who_is_asked_again_is_not_told(actors: Actors, bob: Membership, run: Run, items: list[Item]) -> None:
    suggest(actors, run)
    make_place(items[5], bob, to=RelabelTo.NAMED, blind=True)
    (lease,) = hand_out(fresh(bob), 1).leases
    assert (lease.item_id, lease.suggestion) == (items[5].pk, None)


def test_agreement_leaves_such_answers_out_and_says_how_many(
    actors: Actors, bob: Membership, run: Run, items: list[Item]
) -> None:
    carol = actors.membership(actors.carol)
    for item in items[:4]:
        make_answer(carol, item, {"answer": "yes"})
    for item in items[:2]:
        make_answer(bob, item, {"answer": "yes"})
    told = {"run": run.pk, "shown": True, "answers": {"answer": "yes"}, "taken": {"answer": True}}
    for item in items[2:4]:
        make_answer(bob, item, {"answer": "yes"}, suggestion=told, suggested=True)
    report = agreement_report(actors.project)
    assert (report["n_annotations"], report["dropped"]["suggested"]) == (6, 2)
    assert report["coefficients"]["percent_agreement"]["n_items"] == 2


def test_gold_judges_people_where_nothing_was_suggested(
    actors: Actors, bob: Membership, run: Run, items: list[Item]
) -> None:
    told = {"run": run.pk, "shown": True, "answers": {"answer": "yes"}, "taken": {"answer": True}}
    for item in items[:2]:
        make_gold(item, "answer", "yes")
    make_answer(bob, items[0], {"answer": "no"}, pass_kind=Pass.GOLD)
    make_answer(bob, items[1], {"answer": "yes"}, pass_kind=Pass.GOLD, suggestion=told, suggested=True)
    (found,) = gold_answers(actors.project, [bob])
    assert found.right == [False]


def test_a_correction_keeps_what_was_in_sight(actors: Actors, bob: Membership, run: Run) -> None:
    suggest(actors, run)
    (lease,) = hand_out(bob, 1).leases
    made = answer(bob, lease, "yes")
    corrected = correct(made.pk, {"answer": "no"}).annotation
    assert corrected.suggested
    assert corrected.suggestion is not None
    assert corrected.suggestion["taken"] == {"answer": False}


def test_a_class_that_was_renamed_meanwhile_is_still_taken(
    actors: Actors, alice: Membership, bob: Membership, run: Run
) -> None:
    suggest(actors, run)
    (lease,) = hand_out(bob, 1).leases
    yes = actors.project.questions.get().classes.get(name="yes")
    apply_rename(alice, "answer", yes.pk, "aye", version=0)
    made = answer(fresh(bob), lease, "aye")
    assert made.suggestion is not None
    assert made.suggestion["taken"] == {"answer": True}
    (following,) = hand_out(fresh(bob), 1).leases
    assert following.suggestion is not None
    assert following.suggestion["answers"] == {"answer": "aye"}


def test_it_costs_one_statement(actors: Actors, bob: Membership, run: Run) -> None:
    counts = []
    for on in (False, True):
        edit_suggestions(actors.membership(actors.alice), {"run": run.pk if on else None, "withheld": 0})
        (lease,) = hand_out(fresh(bob), 1).leases
        (lease,) = submitted(bob, lease).next.leases  # what is kept in memory is read now
        with CaptureQueriesContext(connection) as captured:
            (lease,) = submitted(bob, lease).next.leases
        counts.append(len([one for one in captured if "SAVEPOINT" not in one["sql"]]))
        assert (lease.suggestion is not None) == on
        release_leases_of(bob)
    assert counts[1] == counts[0] + 1
    assert counts[1] <= 12


def test_the_effect_compares_items_with_and_without_it(
    actors: Actors, bob: Membership, run: Run, items: list[Item]
) -> None:
    carol = actors.membership(actors.carol)
    for place, item in enumerate(items):
        shown = place < 8
        said = "yes" if (shown and place) or place == 8 else "no"
        told = {
            "run": run.pk,
            "shown": shown,
            "answers": {"answer": "yes"},
            "taken": {"answer": said == "yes"},
        }
        make_answer(bob, item, {"answer": said}, suggestion=told, suggested=shown)
    later = {"run": run.pk, "shown": True, "answers": {"answer": "yes"}, "taken": {"answer": False}}
    make_answer(carol, items[1], {"answer": "no"}, suggestion=later, suggested=True)
    (effect,) = suggestions_document(suggest(actors, run))["effect"]
    assert (effect["shown"]["value"], effect["shown"]["n_items"]) == (7 / 8, 8)
    assert (effect["withheld"]["value"], effect["withheld"]["n_items"]) == (1 / 4, 4)
    assert effect["difference"]["value"] == 5 / 8
    assert effect["difference"]["method"] == "newcombe"
    assert effect["difference"]["ci"][0] > 0


def test_switching_on_and_off_is_told_in_the_audit_log_and_kept_from_stale_hands(
    actors: Actors, alice: Membership, run: Run
) -> None:
    on = suggest(actors, run, sure="0.85")
    with pytest.raises(Stale):
        edit_suggestions(alice, {"run": None}, version=on.version - 1)
    off = edit_suggestions(alice, {"run": None}, version=on.version)
    assert off.suggestion_run is None
    lines = Event.objects.filter(verb="suggestions.changed").order_by("pk").values_list("data", flat=True)
    assert [line["run"] for line in lines] == [run.pk, None]
    assert lines[0]["sure"] == 0.85


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sure": 2}, "invalid-document"),
        ({"withheld": 0.95}, "invalid-document"),
        ({"withheld": True}, "invalid-document"),
        ({"often": 1}, "invalid-document"),
        ({"run": "nobody's"}, "unknown-run"),
        ({"run": True}, "unknown-run"),
        ([], "not-an-object"),
    ],
)
def test_wrong_settings_change_nothing(actors: Actors, alice: Membership, changes: Any, code: str) -> None:
    before = Project.objects.get(pk=actors.project.pk).version
    with pytest.raises(Invalid) as refused:
        edit_suggestions(alice, changes)
    assert refused.value.code == code
    assert Project.objects.get(pk=actors.project.pk).version == before


def test_a_run_that_tells_repeats_apart_or_says_nothing_is_refused(
    actors: Actors, alice: Membership, run: Run
) -> None:
    """Labels that were spread say nothing of labelled items: no suggestion would mean a repeat."""
    empty = Run.objects.create(project=actors.project, name="empty")
    Run.objects.filter(pk=run.pk).update(kind=RunKind.SPREAD)
    for one in (empty, run):
        with pytest.raises(Conflict) as refused:
            edit_suggestions(alice, {"run": one.pk})
        assert refused.value.code == "run-says-nothing"


def test_an_archived_project_stays_as_it_is(actors: Actors, alice: Membership, run: Run) -> None:
    Project.objects.filter(pk=actors.project.pk).update(state=ProjectState.ARCHIVED)
    with pytest.raises(Conflict):
        edit_suggestions(alice, {"run": run.pk})
