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
from core.pipelines.mapping import Merge, preview
from core.pipelines.mapping import suggest as suggest_merges
from core.pipelines.standard import variants
from core.pipelines.suggestion import suggestions_document
from core.selectors.check_data import findings
from core.selectors.gold_accuracy import gold_answers
from core.selectors.question import schema_of
from core.selectors.suggestion import shown_on, suggestions
from core.selectors.timeline import history_of_answers
from core.services.annotation import Submitted, Work, correct, submit
from core.services.lease import defer, hand_out, hand_out_trial, release_leases_of
from core.services.mapping import apply_rename
from core.services.question import add_question
from core.services.relabel import send_again
from core.services.suggestion import edit_suggestions
from core.services.void import void_annotations
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_gold
from tests.factories.item import make_items, make_waiting
from tests.factories.passes import mix_passes
from tests.factories.project import make_question
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
    assert shown_on(first, schema_of(actors.project)) == told
    followed, refused = answer(bob, first, "yes"), answer(bob, second, "no")
    assert followed.suggested
    assert followed.suggestion == {**told, "shown": True, "taken": {"answer": True}}
    assert refused.suggestion == {**told, "shown": True, "taken": {"answer": False}}
    assert list(findings()) == []


def test_nothing_is_suggested_until_a_lead_says_so(actors: Actors, bob: Membership, run: Run) -> None:
    assert run.pk
    (lease,) = hand_out(bob, 1).leases
    assert (lease.suggestion, shown_on(lease, schema_of(actors.project))) == (None, None)
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


def test_what_goes_to_further_people_shows_none(
    actors: Actors, alice: Membership, bob: Membership, run: Run, items: list[Item]
) -> None:
    (lease,) = hand_out(bob, 1).leases
    answer(bob, lease, "yes")
    send_again(alice, [lease.item_id], "a new rule")
    suggest(actors, run)
    carol = actors.membership(actors.carol)
    given = {one.item_id: one.suggestion for one in hand_out(carol, 12).leases}
    assert [given[item.pk] is None for item in items] == [item.pk == lease.item_id for item in items]


def test_whoever_saw_it_and_put_the_item_off_has_seen_it(
    actors: Actors, bob: Membership, run: Run, items: list[Item]
) -> None:
    suggest(actors, run)
    (lease,) = hand_out(bob, 1).leases
    defer(lease.pk, "later")
    edit_suggestions(actors.membership(actors.alice), {"run": None})
    given = {one.item_id: one for one in hand_out(fresh(bob), 12).leases}
    assert given[lease.item_id].suggestion is None
    made = answer(bob, given[lease.item_id], "no")
    assert made.suggested
    assert made.suggestion is not None
    assert made.suggestion["taken"] == {"answer": False}
    assert items


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


@pytest.fixture
def twice(actors: Actors, alice: Membership, bob: Membership, run: Run) -> Membership:
    """Bob, who answered all items by himself, and after a question was added once more with a suggestion in sight."""
    for lease in hand_out(bob, 12).leases:
        answer(bob, lease, "no")
    document = {"key": "second", "kind": "single", "title": "2?", "classes": [{"name": "a"}, {"name": "b"}]}
    add_question(fresh(alice), document)
    suggest(actors, run)
    assert bob.user is not None
    for lease in hand_out(fresh(bob), 12).leases:
        work = Work({"answer": "yes", "second": "a"}, count=0)
        submit(Actor(bob.user), lease.pk, str(uuid4()), work)
    return fresh(bob)


def n_standing(member: Membership) -> int:
    question = schema_of(fresh(member).project).questions[0]
    return int(history_of_answers(member.project, question).standing().size)


def test_the_timeline_counts_what_agreement_counts(twice: Membership) -> None:
    """What Bob said by himself was replaced by what he said with the suggestion in sight."""
    assert agreement_report(twice.project, "answer")["n_annotations"] == 0
    assert n_standing(twice) == 0


def test_answers_that_were_taken_out_do_not_come_back_on_the_timeline(
    alice: Membership, twice: Membership
) -> None:
    void_annotations(fresh(alice), twice.pk, "in haste")
    assert n_standing(twice) == 0


def test_whoever_has_seen_it_once_has_seen_it(
    actors: Actors, alice: Membership, bob: Membership, run: Run
) -> None:
    suggest(actors, run)
    (lease,) = hand_out(bob, 1).leases
    answer(bob, lease, "yes")
    document = {"key": "second", "kind": "single", "title": "2?", "classes": [{"name": "a"}, {"name": "b"}]}
    add_question(fresh(alice), document)
    edit_suggestions(fresh(alice), {"run": None})
    assert bob.user is not None
    while leases := hand_out(fresh(bob), 12).leases:  # what was opened again comes after the others
        for again in leases:
            work = Work({"answer": "no", "second": "a"}, count=0)
            submit(Actor(bob.user), again.pk, str(uuid4()), work)
    made = Annotation.objects.get(item=lease.item_id, current=True)
    assert (made.revision, made.suggested) == (2, True)
    assert made.suggestion is not None
    assert made.suggestion["taken"] == {"answer": False}


def test_a_what_if_counts_them_among_what_would_be_read_otherwise(
    actors: Actors, bob: Membership, items: list[Item]
) -> None:
    carol, question = actors.membership(actors.carol), actors.project.questions.get()
    told = {"run": 1, "shown": True, "answers": {"answer": "yes"}, "taken": {"answer": True}}
    for place, item in enumerate(items[:6]):
        seen = {"suggestion": told, "suggested": True} if place < 4 else {}
        make_answer(bob, item, {"answer": "yes"}, **seen)
        make_answer(carol, item, {"answer": "no"}, **seen)
    ids = dict(question.classes.values_list("name", "pk"))
    found = preview(actors.project, "answer", [Merge((ids["yes"], ids["no"]), ids["no"])])
    assert (found["rows"]["answers"], found["rows"]["of_answers"], found["rows"]["items"]) == (6, 12, 6)
    assert found["labels"] == {"n": 6, "tied_before": 6, "tied_after": 0}
    assert found["agreement"]["before"]["n_annotations"] == 4
    classes = {one["name"]: one["n"] for one in suggest_merges(actors.project, "answer")["classes"]}
    assert (classes["yes"], classes["no"]) == (6, 6)


def test_texts_beside_it_are_nobody_elses(actors: Actors, bob: Membership, items: list[Item]) -> None:
    make_question(actors.project, "note", [], kind="text", level="nominal", required=False)
    told = {"run": 1, "shown": True, "answers": {"answer": "yes"}, "taken": {"answer": True}}
    for item in items[:3]:
        said = {"answer": "yes", "note": "colour"}
        make_answer(bob, item, said, suggestion=told, suggested=True)
    assert variants(actors.project, "note")["n_answers"] == 3
    report = agreement_report(actors.project, "note")
    assert (report["n_annotations"], report["dropped"]["suggested"]) == (3, 0)


def test_a_question_that_was_left_open_was_not_answered_so(
    actors: Actors, bob: Membership, items: list[Item]
) -> None:
    """Whether a further question is asked may hang on what was in sight: it counts in both arms."""
    make_question(actors.project, "kind", ["owl", "gull"], required=False)
    said = make_run(actors.project, {item.external_id: "yes" for item in items})
    kinds = make_run(actors.project, {item.external_id: "owl" for item in items}, name="kinds", key="kind")
    Prediction.objects.filter(run=kinds).update(run=said)
    suggest(actors, said)
    (lease,) = hand_out(fresh(bob), 1).leases
    made = answer(fresh(bob), lease, "yes")
    assert made.suggestion is not None
    assert made.suggestion["taken"] == {"answer": True, "kind": False}


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


@pytest.mark.parametrize("kind", [RunKind.SPREAD, RunKind.TRAINED])
def test_a_run_that_tells_gold_and_repeats_apart_or_says_nothing_is_refused(
    actors: Actors, alice: Membership, run: Run, kind: RunKind
) -> None:
    """What was spread says nothing of labelled items; a model is surer of the labels that it has learnt from."""
    empty = Run.objects.create(project=actors.project, name="empty")
    Run.objects.filter(pk=run.pk).update(kind=kind)
    for one in (empty, run):
        with pytest.raises(Conflict) as refused:
            edit_suggestions(alice, {"run": one.pk})
        assert refused.value.code == "run-says-nothing"


def test_a_file_about_items_without_gold_only_is_refused(
    actors: Actors, alice: Membership, items: list[Item]
) -> None:
    for item in items[:4]:
        make_gold(item, "answer", "yes")
    half = make_run(actors.project, {item.external_id: "yes" for item in items[2:]}, name="half")
    assert edit_suggestions(alice, {"run": half.pk}).suggestion_run == half
    few = make_run(actors.project, {item.external_id: "yes" for item in items[3:]}, name="few")
    with pytest.raises(Conflict) as refused:
        edit_suggestions(alice, {"run": few.pk})
    assert refused.value.code == "run-tells-gold"


def test_an_archived_project_stays_as_it_is(actors: Actors, alice: Membership, run: Run) -> None:
    Project.objects.filter(pk=actors.project.pk).update(state=ProjectState.ARCHIVED)
    with pytest.raises(Conflict):
        edit_suggestions(alice, {"run": run.pk})
