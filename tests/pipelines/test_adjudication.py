"""What disagreement comes from, the queue and its filters, and labels that people settled."""

import numpy as np
import pytest
from django.core.cache import cache

from core.choices import AuditPart, ItemState
from core.exceptions import Invalid
from core.models import (
    Annotation,
    Answer,
    GuidelineVersion,
    Item,
    LabelClass,
    Membership,
    Outbox,
    Project,
    Resolution,
)
from core.pipelines.adjudication import (
    Wanted,
    costly,
    pattern_key,
    patterns_in,
    queue_of,
    queue_sizes,
    ranking_of,
)
from core.pipelines.training_set import training_set
from core.selectors.adjudication import standing_of
from core.selectors.question import QuestionSpec, schema_of
from core.services.adjudication import answer_review, refer, settle, take_back
from core.services.lease import hand_out
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_gold, make_items
from tests.factories.project import add_member, make_question
from tests.numerics.test_costs import DRAWN, PEOPLE, RANDOM_PERSON, SWAPPED, K, simulated

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(actors: Actors) -> Membership:
    return actors.membership(actors.alice)


@pytest.fixture
def question(actors: Actors) -> QuestionSpec:
    return schema_of(actors.project).questions[0]


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Three people answer; on two items they differ over yes and no, on one somebody cannot tell."""
    made = make_items(actors.project, "split", "also", "unsure", "clear", "alone")
    people = [
        actors.membership(actors.bob),
        actors.membership(actors.carol),
        add_member(actors.project, None, name="w001"),
    ]
    said = ["yes no no", "yes yes no", "yes yes cannot_tell", "yes yes yes", "cannot_tell"]
    for item, values in zip(made, said, strict=True):
        for member, value in zip(people, values.split(), strict=False):
            make_answer(member, item, {"answer": value.replace("_", " ")})
    return made


def names(member: Membership, question: QuestionSpec, **wanted: object) -> list[str]:
    found = queue_of(member, question, Wanted(**wanted))  # type: ignore[arg-type]
    called = dict(Item.objects.values_list("pk", "external_id"))
    return [called[pk] for pk in found.items]


def changed(project: Project) -> None:
    """The answers of a project have changed since they were last read."""
    Outbox.objects.create(project=project, changes=1)


def test_items_come_by_the_value_of_settling_them(
    alice: Membership, question: QuestionSpec, items: list[Item]
) -> None:
    found = names(alice, question)
    assert set(found) == {"split", "also", "unsure", "alone"}
    values = list(ranking_of(alice.project, question).value.values())
    assert values == sorted(values, reverse=True)


def test_the_queue_is_the_same_however_rows_are_numbered(
    alice: Membership, question: QuestionSpec, items: list[Item]
) -> None:
    first = names(alice, question)
    for name in ("split", "also"):  # the same answers come in the order of a hash of the item's id
        assert name in first
    cache.clear()
    assert names(alice, question) == first


def test_the_queue_follows_what_was_settled_referred_and_answered(
    alice: Membership, question: QuestionSpec, items: list[Item], actors: Actors
) -> None:
    dave = actors.membership(actors.dave)
    split, also, unsure, _clear, alone = items
    made = settle(alice, split.pk, "answer", "no", gold_candidate=True, cause="slip", revision=0)
    (review,) = refer(alice, also.pk, "answer", [dave.pk])

    assert names(alice, question) == ["unsure", "alone"] or names(alice, question) == ["alone", "unsure"]
    assert names(alice, question, state="settled") == names(alice, question, state="gold") == ["split"]
    assert names(alice, question, state="waiting") == ["also"]
    answer_review(dave, review.pk, "yes", cause="ambiguous")
    assert names(alice, question, state="reviewed") == ["also"]
    assert names(alice, question, state="settled", cause="slip") == ["split"]
    assert names(alice, question, state="reviewed", cause="ambiguous") == ["also"]
    Resolution.objects.filter(pk=made.pk).update(overtaken=True)
    assert names(alice, question, state="overtaken") == ["split"]
    take_back(alice, made.pk, 1)
    assert "split" in names(alice, question)
    assert queue_sizes(alice, question, standing_of(alice, question)) == {
        "open": 4,
        "waiting": 0,
        "reviewed": 1,
        "overtaken": 0,
        "gold": 0,
        "settled": 0,
    }
    Item.objects.filter(pk__in=[unsure.pk, alone.pk]).update(state=ItemState.WITHDRAWN, free=0)
    changed(alice.project)
    assert set(names(alice, question)) == {"split", "also"}


def test_the_queue_can_be_narrowed(
    alice: Membership, question: QuestionSpec, items: list[Item], actors: Actors
) -> None:
    Item.objects.filter(pk=items[3].pk).update(flags=1)
    w001 = Membership.objects.get(name="w001")

    assert set(names(alice, question, a="yes", b="no")) == {"split", "also"}
    assert set(names(alice, question, uncertain=True)) == {"unsure", "alone"}
    assert names(alice, question, flagged=True) == ["clear"]
    assert set(names(alice, question, person=w001.pk)) == {"split", "also", "unsure"}
    key = pattern_key((("yes", 2), ("no", 1)))
    assert names(alice, question, pattern=key) == ["also"]
    for wrong in ({"state": "all"}, {"a": "bird"}, {"cause": "weather"}):
        with pytest.raises(Invalid):
            names(alice, question, **wrong)


def test_an_item_in_the_readers_hand_is_left_out_and_counted(
    alice: Membership, question: QuestionSpec, items: list[Item]
) -> None:
    (lease,) = hand_out(alice, 1).leases
    queue = queue_of(alice, question, Wanted())
    assert lease.item_id not in queue.items
    assert queue.held == (1 if lease.item.external_id != "clear" else 0)


def test_patterns_count_items_that_were_answered_alike(
    alice: Membership, question: QuestionSpec, items: list[Item], actors: Actors
) -> None:
    more = make_items(actors.project, "like")
    for name, value in (("bob", "no"), ("carol", "yes"), ("w001", "no")):
        make_answer(Membership.objects.get(project=actors.project, name=name), more[0], {"answer": value})

    lines = patterns_in(alice.project, question, queue_of(alice, question, Wanted()))

    assert (lines[0].said, len(lines[0].items)) == ((("yes", 1), ("no", 2)), 2)


def test_other_kinds_have_a_queue_and_no_lists(alice: Membership, actors: Actors) -> None:
    (new,) = make_items(actors.project, "new")
    make_question(actors.project, "name", [], kind="text")
    make_question(actors.project, "seen", ["wing", "beak"], kind="multiple")
    make_question(actors.project, "size", [], kind="number")
    alice.project.schema_version += 1
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    for member, name, seen, size in ((bob, "tit", ["wing"], 1), (carol, "Tit", ["beak"], 2)):
        make_answer(member, new, {"name": name, "seen": seen, "size": size})
    for spec in schema_of(alice.project).questions[1:]:
        assert names(alice, spec) == ["new"]
        assert costly(alice.project, spec, real_names=True)["top"] is None


@pytest.fixture
def crowd(actors: Actors) -> QuestionSpec:
    """The simulated project of the numerics' tests in the database."""
    question = make_question(actors.project, "kind", [f"k{code}" for code in range(K)])
    people = [add_member(actors.project, None, name=f"p{place}") for place in range(PEOPLE)]
    answers = simulated(3)
    items = make_items(actors.project, *(f"i{number:03}" for number in range(answers.n_items)))
    guideline = GuidelineVersion.objects.get(project=actors.project)
    rows = Annotation.objects.bulk_create(
        Annotation(item=items[item], annotator=people[person], guideline=guideline)
        for item, person in zip(answers.item.tolist(), answers.annotator.tolist(), strict=True)
    )
    classes = list(LabelClass.objects.filter(question=question).order_by("order"))
    Answer.objects.bulk_create(
        Answer(annotation=row, question=question, label_class=classes[label])
        for row, label in zip(rows, answers.label.tolist(), strict=True)
    )
    actors.project.schema_version += 1
    actors.project.save()
    found = schema_of(actors.project).question("kind")
    assert found is not None
    return found


def test_every_cause_leads_its_list_by_name(crowd: QuestionSpec, actors: Actors) -> None:
    found = costly(actors.project, crowd, real_names=True)

    pair, coin = found["pairs"][0], found["coin_flips"][0]
    assert (pair["a"], pair["b"]) == tuple(f"k{code}" for code in SWAPPED)
    assert found["people"][0]["id"] == f"p{RANDOM_PERSON}"
    assert (coin["a"], coin["b"]) == tuple(f"k{code}" for code in DRAWN)
    assert {row["kind"] for row in found["top"][:3]} == {"pair", "person", "coin_flip"}
    costs = [row["cost"] for row in found["top"]]
    assert costs == sorted(costs, reverse=True)
    hidden = costly(actors.project, crowd, real_names=False)["people"][0]["id"]
    assert hidden.startswith("p_")


def test_settled_items_are_hard_targets_and_gold_comes_first(
    alice: Membership, question: QuestionSpec, items: list[Item], actors: Actors
) -> None:
    split, also, unsure, clear, alone = items
    settle(alice, split.pk, "answer", "yes", revision=0)
    settle(alice, clear.pk, "answer", "cannot tell", revision=0)
    settle(alice, alone.pk, "answer", "no", revision=0)
    settle(alice, also.pk, "answer", "yes", revision=0)
    make_gold(also, "answer", "no")

    found = training_set(alice.project, question)

    target = dict(zip(found.item.tolist(), found.target.tolist(), strict=True))
    assert found.classes == ("yes", "no")
    assert target == {
        split.pk: [1, 0],
        alone.pk: [0, 1],
        also.pk: [0, 1],
        unsure.pk: [1, 0],
    }
    assert found.n_uncertain == 1  # that "clear" cannot be told teaches no class
    assert np.all(found.answers >= 1)


def test_the_holdout_is_labelled_by_what_was_settled(
    alice: Membership, question: QuestionSpec, items: list[Item]
) -> None:
    Item.objects.filter(pk__in=[items[0].pk, items[3].pk]).update(audit=AuditPart.HOLDOUT)
    settle(alice, items[0].pk, "answer", "yes", revision=0)

    holdout = training_set(alice.project, question).holdout

    assert dict(zip(holdout.item.tolist(), holdout.label.tolist(), strict=True)) == {
        items[0].pk: 0,
        items[3].pk: 0,
    }
