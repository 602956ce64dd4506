"""The agreement timeline: what is compared with what for every kind of change, and what is said."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import product
from typing import Any

import numpy as np
import pytest
from django.db.models import F
from hypothesis import given
from hypothesis import strategies as st

from core.choices import AuditPart, MappingKind, RelabelTo, TrainingState
from core.models import (
    Annotation,
    Answer,
    GuidelineVersion,
    Item,
    LabelClass,
    Mapping,
    Membership,
    Project,
    Relabel,
    RelabelItem,
    Trainee,
    TrainingRound,
    Void,
)
from core.pipelines.agreement import agreement_report
from core.pipelines.timeline import texts_read_by, timeline_report
from core.selectors.question import TextRule, text_rule
from core.selectors.relabel import DRAWN
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_items
from tests.factories.project import make_question

pytestmark = pytest.mark.django_db
START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = ["finch", "sparrow", "heron"]


class Birds:
    """Sixty items of the audit slice and twenty others; Bob, Carol and Dave say which bird it is, day after day.

    Up to day 30 Bob takes half of the finches and sparrows for the other.
    """

    def __init__(self, actors: Actors) -> None:
        self.actors, self.project = actors, actors.project
        self.project.questions.all().delete()
        self.question = make_question(self.project, "bird", KINDS)
        self.people = [actors.membership(one) for one in (actors.bob, actors.carol, actors.dave)]
        self.items = make_items(self.project, *(f"a{n:02}" for n in range(60)), audit=AuditPart.STREAM)
        self.items += make_items(self.project, *(f"b{n:02}" for n in range(20)))
        self.answer_first()

    def answer_first(self) -> None:
        ids = {spec.name: spec.pk for spec in self.question.classes.all()}
        given = [(place, person) for place in range(len(self.items)) for person in self.people]
        made = Annotation.objects.bulk_create(
            Annotation(
                item=self.items[place],
                annotator=person,
                guideline_id=self.project.guideline_id or 0,
                created_at=START + timedelta(days=place / 4),
            )
            for place, person in given
        )
        Answer.objects.bulk_create(
            Answer(annotation=one, question=self.question, label_class_id=ids[self.before(person, place)])
            for one, (place, person) in zip(made, given, strict=True)
        )

    def before(self, person: Membership, place: int) -> str:
        if person == self.people[0] and place % 3 < 2 and place % 2:
            return KINDS[1 - place % 3]
        return KINDS[place % 3]

    def say(self, person: Membership, item: Item, value: str, *, day: float, **more: Any) -> Annotation:
        own = Annotation.objects.filter(item=item, annotator=person, current=True).first()
        if own:
            Annotation.objects.filter(pk=own.pk).update(current=False)
        made = make_answer(person, item, {"bird": value}, revision=own.revision + 1 if own else 1, **more)
        Annotation.objects.filter(pk=made.pk).update(created_at=START + timedelta(days=day))
        return made

    def version(self, *touches: str, day: float = 30) -> GuidelineVersion:
        number = self.project.guidelines.count() + 1
        made = GuidelineVersion.objects.create(
            project=self.project, number=number, note="how to tell them apart"
        )
        made.touches.set(LabelClass.objects.filter(question=self.question, name__in=touches))
        GuidelineVersion.objects.filter(pk=made.pk).update(created_at=START + timedelta(days=day))
        Project.objects.filter(pk=self.project.pk).update(guideline=made)
        return made

    def queue(self, items: list[Item], *, day: float, drawn: bool = False, **more: Any) -> Relabel:
        made = Relabel.objects.create(project=self.project, reason="again", to=RelabelTo.SAME, **more)
        Relabel.objects.filter(pk=made.pk).update(created_at=START + timedelta(days=day))
        RelabelItem.objects.bulk_create(
            RelabelItem(relabel=made, item=item, reason=DRAWN if drawn else "", done_before=3)
            for item in items
        )
        return made

    def answer_again(self, items: list[Item], relabel: Relabel, *, day: float = 32) -> None:
        """Everybody says what it is."""
        for item in items:
            place = self.items.index(item)
            for person in self.people:
                self.say(person, item, KINDS[place % 3], day=day, relabel=relabel)


@pytest.fixture
def birds(actors: Actors) -> Birds:
    return Birds(actors)


def change(report: Any, kind: str) -> Any:
    (found,) = [one for one in report["changes"] if one["kind"] == kind]
    return found


def test_the_course_ends_at_the_figure_of_the_agreement_report(birds: Birds) -> None:
    report = timeline_report(birds.project)
    assert report["has_audit"]
    assert report["n_items"] == 60
    last = report["course"][-1]
    same = agreement_report(birds.project, items="audit")["coefficients"]
    assert last["alpha"]["value"] == pytest.approx(same["krippendorff_alpha"]["value"])
    assert last["alpha"]["ci"] == pytest.approx(same["krippendorff_alpha"]["ci"])
    assert last["percent"]["value"] == pytest.approx(same["percent_agreement"]["value"])
    weeks = [point["alpha"]["n_items"] for point in report["course"]]
    assert weeks[:3] == [28, 56, 60]
    assert report["changes"] == []


def test_items_drawn_by_chance_and_answered_anew_prove_a_guideline_change(birds: Birds) -> None:
    version = birds.version("finch", "sparrow")
    drawn, chosen = birds.items[:40], birds.items[60:70]
    fair = birds.queue(drawn, day=30.1, drawn=True, guideline=version)
    rest = birds.queue(chosen, day=30.2, guideline=version)
    birds.answer_again(drawn, fair)
    birds.answer_again(chosen, rest)
    told = change(timeline_report(birds.project), "guideline")
    assert (told["number"], told["touches"]) == (2, ["finch", "sparrow"])
    found = told["comparison"]
    assert found["design"] == "paired"
    touched = found["touched"]["alpha"]
    assert touched["after"]["value"] == 1.0
    assert touched["before"]["n_items"] == touched["after"]["n_items"] == 40
    assert touched["outcome"] == "rose"
    assert touched["difference"]["ci"][0] > 0
    assert touched["p"] < 0.001
    assert found["overall"]["percent"]["outcome"] == "rose"
    assert found["elsewhere"]["n_items"] == 10
    assert found["elsewhere"]["after"] == 1.0


def test_items_chosen_by_their_answers_prove_nothing(birds: Birds) -> None:
    version = birds.version("finch")
    queue = birds.queue(birds.items[:30], day=30.1, guideline=version)
    birds.answer_again(birds.items[:30], queue)
    found = change(timeline_report(birds.project), "guideline")["comparison"]
    assert found["design"] == "independent"
    assert found["touched"]["alpha"]["outcome"] == "cannot_tell"
    assert found["touched"]["alpha"]["after"]["reason"] == "no_overlap"
    assert found["elsewhere"]["n_items"] == 30


def test_answers_given_in_sight_of_the_earlier_ones_prove_nothing(birds: Birds) -> None:
    version = birds.version("finch")
    queue = birds.queue(birds.items[:30], day=30.1, drawn=True, guideline=version, blind=False)
    birds.answer_again(birds.items[:30], queue)
    found = change(timeline_report(birds.project), "guideline")["comparison"]
    assert found["design"] == "independent"
    assert found["elsewhere"]["n_items"] == 30


def test_one_more_answer_is_held_against_the_answers_without_it(birds: Birds) -> None:
    """Alice, who is sure, answers twenty drawn items and five that were sent out for their answers."""
    queue = birds.queue(birds.items[:20], day=31, drawn=True)
    RelabelItem.objects.bulk_create(RelabelItem(relabel=queue, item=item) for item in birds.items[20:25])
    Relabel.objects.filter(pk=queue.pk).update(to=RelabelTo.OTHERS)
    alice = birds.actors.membership(birds.actors.alice)
    for place, item in enumerate(birds.items[:25]):
        birds.say(alice, item, KINDS[place % 3], day=32)
    found = change(timeline_report(birds.project), "relabel")["comparison"]
    assert found["design"] == "paired"
    percent = found["overall"]["percent"]
    assert percent["difference"]["n_items"] == 20
    assert percent["after"]["n_pairs"] == 20 * 6
    assert percent["difference"]["value"] > 0
    assert found["elsewhere"]["n_items"] == 5


def test_new_items_are_compared_with_earlier_ones(birds: Birds) -> None:
    birds.version("finch", "sparrow")
    fresh = make_items(birds.project, *(f"c{n:02}" for n in range(60)), audit=AuditPart.STREAM)
    for place, item in enumerate(fresh):
        for person in birds.people:
            birds.say(person, item, KINDS[place % 3], day=33 + place / 10)
    found = change(timeline_report(birds.project), "guideline")["comparison"]
    assert found["design"] == "independent"
    percent = found["overall"]["percent"]
    assert (percent["before"]["n_items"], percent["after"]["n_items"]) == (60, 60)
    assert percent["outcome"] == "cannot_tell"  # one side does not vary, but the other is far enough
    assert percent["difference"]["value"] > 0


def test_a_change_is_judged_until_the_next_one(birds: Birds) -> None:
    version = birds.version(day=30)
    queue = birds.queue(birds.items[:40], day=30.1, drawn=True, guideline=version)
    birds.answer_again(birds.items[:20], queue, day=31)
    birds.version("finch", day=32)
    birds.answer_again(birds.items[20:40], queue, day=33)
    first, _relabel, second = timeline_report(birds.project)["changes"]
    assert first["until"] == second["at"]
    assert first["comparison"]["overall"]["alpha"]["before"]["n_items"] == 20
    assert first["comparison"]["touched"] is None
    assert second["until"] is None


def test_a_merger_is_judged_by_the_same_answers_without_and_with_it(birds: Birds) -> None:
    finch, sparrow = (LabelClass.objects.get(question=birds.question, name=name) for name in KINDS[:2])
    before = agreement_report(birds.project, items="audit")["coefficients"]["krippendorff_alpha"]["value"]
    mapping = Mapping.objects.create(
        project=birds.project,
        number=1,
        kind=MappingKind.MERGE,
        question=birds.question,
        document={"classes": [finch.pk, sparrow.pk], "into": finch.pk},
    )
    LabelClass.objects.filter(pk=sparrow.pk).update(merged_into=finch)
    Project.objects.filter(pk=birds.project.pk).update(schema_version=F("schema_version") + 1)
    project = Project.objects.get(pk=birds.project.pk)
    found = change(timeline_report(project), "mapping")["comparison"]
    assert found["design"] == "same_answers"
    alpha = found["overall"]["alpha"]
    assert alpha["before"]["value"] == pytest.approx(before)
    assert alpha["after"]["value"] == 1.0
    assert alpha["outcome"] == "rose"
    assert found["touched"]["alpha"]["before"]["value"] == pytest.approx(before)
    assert found["elsewhere"]["n_items"] == 20
    Mapping.objects.filter(pk=mapping.pk).update(reverted_at=START + timedelta(days=99))
    LabelClass.objects.filter(pk=sparrow.pk).update(merged_into=None)
    Project.objects.filter(pk=project.pk).update(schema_version=F("schema_version") + 1)
    report = timeline_report(Project.objects.get(pk=project.pk))
    assert change(report, "mapping")["comparison"]["overall"]["alpha"] == alpha
    assert change(report, "reverted")["comparison"] is None


def test_standardised_texts_are_read_with_and_without_the_rules(actors: Actors) -> None:
    actors.project.questions.all().delete()
    question = make_question(actors.project, "sound", [], kind="text")
    items = make_items(actors.project, *(f"t{n:02}" for n in range(20)), audit=AuditPart.STREAM)
    for place, item in enumerate(items):
        for person, text in ((actors.bob, "um"), (actors.carol, "umm" if place % 2 else "um")):
            said = text if place % 3 else "coo"
            make_answer(actors.membership(person), item, {"sound": said})
    Mapping.objects.create(
        project=actors.project,
        number=1,
        kind=MappingKind.STANDARDISE,
        question=question,
        document={"rules": [{"pattern": "um+", "to": "um"}]},
    )
    found = change(timeline_report(actors.project), "mapping")["comparison"]
    assert found["overall"]["percent"]["before"]["value"] < 1
    assert found["overall"]["percent"]["after"]["value"] == 1
    assert found["touched"] is None


TEXTS = ["a", "b", "ab", "ba", "abb", "c"]
RULES = [text_rule({"from": a, "to": b}) for a, b in product(TEXTS, TEXTS)]
RULES += [text_rule({"pattern": pattern, "to": to}) for pattern in ("a.*", ".*b", ".") for to in TEXTS]


@given(rules=st.lists(st.sampled_from(RULES), max_size=8))
def test_all_texts_at_once_are_read_as_each_by_itself(rules: list[TextRule]) -> None:
    code, names = texts_read_by(rules, TEXTS)
    alone = [
        reduce(lambda read, rule: rule.to if rule.applies(read) else read, rules, text) for text in TEXTS
    ]
    assert [names[place] for place in code] == alone
    assert sorted(names) == sorted(set(alone))


def test_a_void_is_judged_by_the_answers_with_and_without_it(birds: Birds) -> None:
    bob = birds.people[0]
    void = Void.objects.create(project=birds.project, member=bob, reason="in haste", n_annotations=80)
    Annotation.objects.filter(annotator=bob).update(voided=True, void=void)
    found = change(timeline_report(birds.project), "void")["comparison"]
    percent = found["overall"]["percent"]
    assert percent["before"]["value"] < 1
    assert percent["after"]["value"] == 1
    assert percent["outcome"] == "rose"


def test_training_rounds_are_changes_from_when_the_first_person_passed(birds: Birds) -> None:
    training = TrainingRound.objects.create(project=birds.project, name="finches", pass_mark="0.8")
    for day, person in ((25, birds.people[0]), (24, birds.people[1])):
        Trainee.objects.create(
            training_round=training,
            member=person,
            state=TrainingState.PASSED,
            ended_at=START + timedelta(days=day),
        )
    told = change(timeline_report(birds.project), "training")
    assert (told["name"], told["n_passed"]) == ("finches", 2)
    assert told["at"].startswith("2026-01-25")
    assert told["comparison"]["design"] == "independent"


def test_several_classes_and_numbers_have_a_timeline_too(actors: Actors) -> None:
    project = actors.project
    make_question(project, "seen", ["wing", "beak"], kind="multiple")
    make_question(project, "count", [], kind="number", level="interval")
    draws = np.random.default_rng(0)
    for item in make_items(project, *(f"m{n}" for n in range(12)), audit=AuditPart.HOLDOUT):
        for person in (actors.bob, actors.carol):
            seen = [name for name in ("wing", "beak") if draws.random() < 0.6]
            make_answer(actors.membership(person), item, {"seen": seen, "count": float(draws.integers(1, 5))})
    for key in ("seen", "count"):
        last = timeline_report(project, key)["course"][-1]["alpha"]
        same = agreement_report(project, key, items="audit")["coefficients"]["krippendorff_alpha"]
        assert last["value"] == pytest.approx(same["value"])


def test_of_very_many_answers_outside_only_those_sent_out_again_are_read(
    birds: Birds, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = birds.version("finch", "sparrow")
    queue = birds.queue(birds.items[60:65], day=30.1, guideline=version)
    birds.answer_again(birds.items[60:65], queue)
    whole = timeline_report(birds.project)
    monkeypatch.setattr("core.selectors.timeline.MOST_OUTSIDE", 10)
    part = timeline_report(birds.project)
    assert part["course"][-1]["alpha"] == whole["course"][-1]["alpha"]
    assert change(part, "guideline")["comparison"] == change(whole, "guideline")["comparison"]
    assert change(part, "guideline")["comparison"]["elsewhere"]["n_items"] == 5


def test_without_an_audit_slice_there_is_no_course(actors: Actors) -> None:
    (item,) = make_items(actors.project, "x")
    make_answer(actors.membership(actors.bob), item, {"answer": "yes"})
    report = timeline_report(actors.project)
    assert (report["has_audit"], report["course"]) == (False, [])
