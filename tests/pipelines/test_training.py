"""Training: which labels teach, what the holdout is for, what a run keeps of it all."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.db import transaction

from core.choices import AuditPart, ItemState, JobState, Pass, RunKind, Stream
from core.exceptions import Conflict, Invalid
from core.models import (
    Event,
    Item,
    Job,
    Pick,
    Prediction,
    Project,
    Question,
    Run,
    RunModel,
    Selection,
)
from core.numerics.classifier import Classifier
from core.pipelines.features import Features, ready_features
from core.pipelines.job import run_job
from core.pipelines.training import fit, replay, train_and_record
from core.pipelines.training_set import TrainingSet, training_set
from core.selectors.question import QuestionSpec
from core.selectors.run import ModelDropped, model_content
from core.selectors.training import learnable_question
from core.services.mapping import apply_merge
from core.services.question import add_class
from core.services.run import MODELS_KEPT, start_scoring, start_training
from tests.conftest import Actors
from tests.factories.account import make_user
from tests.factories.answers import make_answer, make_gold, make_items
from tests.factories.project import add_member, make_question
from tests.factories.run import make_run

WORDS = {
    "yes": ["wing", "feather", "nest", "egg", "beak", "song"],
    "no": ["engine", "wheel", "road", "tyre", "brake", "seat"],
}
OTHERS = ["the", "a", "some", "of", "with", "old", "new", "small"]


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Any) -> None:
    settings.DATA_DIR = tmp_path


@pytest.fixture
def question(project: Project) -> QuestionSpec:
    return learnable_question(project)


def make_texts(project: Project, n: int, *, holdout: int = 0) -> list[Item]:
    """Texts about birds (every third) and cars; the last ``holdout`` of them are the holdout."""
    rng = np.random.default_rng(n)
    items = make_items(project, *(f"i{place}" for place in range(n)))
    for place, item in enumerate(items):
        words = [*rng.choice(WORDS[truth_of(item)], 2), *rng.choice(OTHERS, 4)]
        item.data = {"text": " ".join(words)}
        item.audit = AuditPart.HOLDOUT if place >= n - holdout else AuditPart.NONE
    Item.objects.bulk_update(items, ["data", "audit"])
    return items


def truth_of(item: Item) -> str:
    return "yes" if int(item.external_id[1:]) % 3 == 0 else "no"


def label(actors: Actors, items: list[Item]) -> None:
    """Bob says what is true of these."""
    bob = actors.membership(actors.bob)
    for item in items:
        make_answer(bob, item, {"answer": truth_of(item)})


def features_of(project: Project) -> Features:
    features = ready_features(project)
    assert features is not None
    return features


def by_item(found: TrainingSet) -> dict[int, list[float]]:
    return {int(item): row.tolist() for item, row in zip(found.item, found.target, strict=True)}


def test_where_people_differ_the_target_is_the_share_of_their_votes(
    actors: Actors, question: QuestionSpec
) -> None:
    a, b, c = make_items(actors.project, "a", "b", "c")
    bob, carol, dave = (actors.membership(user) for user in (actors.bob, actors.carol, actors.dave))
    for member, said in ((bob, "yes"), (carol, "yes"), (dave, "no")):
        make_answer(member, a, {"answer": said})
    make_answer(bob, b, {"answer": "no"})
    make_answer(carol, b, {"answer": "cannot tell"})
    make_answer(bob, c, {"answer": "cannot tell"})
    found = training_set(actors.project, question)
    assert by_item(found) == {a.pk: [pytest.approx(2 / 3), pytest.approx(1 / 3)], b.pk: [0, 1]}
    assert found.classes == ("yes", "no")
    assert found.n_uncertain == 1
    assert dict(zip(found.item.tolist(), found.answers.tolist(), strict=True)) == {a.pk: 3, b.pk: 1}


def test_gold_goes_before_people(actors: Actors, question: QuestionSpec) -> None:
    a, b, c = make_items(actors.project, "a", "b", "c")
    make_answer(actors.membership(actors.bob), a, {"answer": "yes"})
    make_gold(a, "answer", "no")
    make_gold(b, "answer", "yes")
    make_gold(c, "answer", "cannot tell")
    assert by_item(training_set(actors.project, question)) == {a.pk: [0, 1], b.pk: [1, 0]}


def test_what_does_not_count_does_not_teach(actors: Actors, question: QuestionSpec) -> None:
    old, again, void, gone, retest = make_items(actors.project, "old", "again", "void", "gone", "retest")
    bob = actors.membership(actors.bob)
    make_answer(bob, old, {"answer": "yes"})
    Item.objects.filter(pk=old.pk).update(version=2)
    make_answer(bob, again, {"answer": "yes"}, repeat=2)
    make_answer(bob, void, {"answer": "yes"}, voided=True)
    make_answer(bob, gone, {"answer": "yes"})
    Item.objects.filter(pk=gone.pk).update(state=ItemState.WITHDRAWN, free=0)
    make_answer(bob, retest, {"answer": "yes"}, pass_kind=Pass.RETEST)
    assert len(training_set(actors.project, question)) == 0


def test_many_answers_of_the_same_people_make_the_target_a_models(
    actors: Actors, question: QuestionSpec
) -> None:
    items = make_items(actors.project, *(f"i{n}" for n in range(90)))
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    erin = add_member(actors.project, make_user("erin"))
    rng = np.random.default_rng(3)
    for place, item in enumerate(items):
        true = "yes" if place % 2 else "no"
        for member, accuracy in ((bob, 0.95), (carol, 0.95), (erin, 0.55)):
            wrong = "no" if true == "yes" else "yes"
            make_answer(member, item, {"answer": true if rng.random() < accuracy else wrong})
    found = training_set(actors.project, question)
    shares = np.unique(np.round(found.target[:, 0], 6))
    assert not set(shares.tolist()) <= {0.0, 0.333333, 0.666667, 1.0}
    assert np.allclose(found.target.sum(axis=1), 1)


def test_the_holdout_never_trains_and_stands_apart(actors: Actors, question: QuestionSpec) -> None:
    items = make_texts(actors.project, 12, holdout=6)
    label(actors, items[:9])
    make_answer(actors.membership(actors.carol), items[8], {"answer": "yes"})  # i8 is a tie now
    make_answer(actors.membership(actors.bob), items[9], {"answer": "cannot tell"})
    found = training_set(actors.project, question)
    assert sorted(found.item.tolist()) == [item.pk for item in items[:6]]
    labels = dict(zip(found.holdout.item.tolist(), found.holdout.label.tolist(), strict=True))
    assert [labels[item.pk] for item in items[6:]] == [0, 1, -1, -1, -1, -1]
    assert found.n_uncertain == 0


def say_again(actors: Actors, items: list[Item], *, bob_right: float) -> None:
    """Bob, Carol and Dave answer all; of the last half, the holdout, Bob is right as often as this says."""
    rng = np.random.default_rng(3)
    people = [actors.membership(user) for user in (actors.bob, actors.carol, actors.dave)]
    for item in items:
        true, held = rng.random() < 0.5, item.audit == AuditPart.HOLDOUT
        for member, luck in zip(people, rng.random(3), strict=True):
            right = luck < (bob_right if held and member == people[0] else 0.85)
            make_answer(member, item, {"answer": "yes" if true == right else "no"})


def test_what_is_said_of_the_holdout_moves_no_target(actors: Actors, question: QuestionSpec) -> None:
    """Bob is trusted by what he said of the items that are learnt from, and by nothing else."""
    items = make_texts(actors.project, 120, holdout=60)
    found = []
    for bob_right in (0.85, 0.1):
        with transaction.atomic():
            say_again(actors, items, bob_right=bob_right)
            found.append(training_set(actors.project, question))
            transaction.set_rollback(True)
    good, bad = found
    shares = np.unique(np.round(good.target[:, 0], 6))
    assert not set(shares.tolist()) <= {0.0, 0.333333, 0.666667, 1.0}  # a model of the annotators made them
    assert (good.target == bad.target).all()
    assert good.digest == bad.digest
    assert (good.holdout.label != bad.holdout.label).any()


def test_few_answers_outside_the_holdout_are_voted_on_however_many_are_inside(
    actors: Actors, question: QuestionSpec
) -> None:
    items = make_texts(actors.project, 70, holdout=60)
    say_again(actors, items, bob_right=0.85)
    shares = np.unique(np.round(training_set(actors.project, question).target[:, 0], 6))
    assert set(shares.tolist()) <= {0.0, 0.333333, 0.666667, 1.0}


def test_the_holdout_is_judged_by_votes_and_not_by_a_model_of_the_annotators(
    actors: Actors, question: QuestionSpec
) -> None:
    """Bob, who is as right as Erin, is outvoted on the holdout by Carol and Dave, who are wrong often."""
    items = make_texts(actors.project, 90, holdout=10)
    rng = np.random.default_rng(4)
    bob, carol, dave = (actors.membership(user) for user in (actors.bob, actors.carol, actors.dave))
    erin = add_member(actors.project, make_user("erin"))
    other = {"yes": "no", "no": "yes"}
    for item in items:
        held = item.audit == AuditPart.HOLDOUT
        make_answer(bob, item, {"answer": truth_of(item)})
        for member in (carol, dave):
            wrong = held or rng.random() < 0.35
            make_answer(member, item, {"answer": other[truth_of(item)] if wrong else truth_of(item)})
        if not held:
            make_answer(erin, item, {"answer": truth_of(item)})
    labels = training_set(actors.project, question).holdout
    said = dict(zip(labels.item.tolist(), labels.label.tolist(), strict=True))
    assert [said[item.pk] for item in items[80:]] == [
        ("yes", "no").index(other[truth_of(item)]) for item in items[80:]
    ]


def test_only_what_no_strategy_chose_came_by_chance(actors: Actors, question: QuestionSpec) -> None:
    items = make_texts(actors.project, 6)
    label(actors, items)
    for number, applied in ((1, True), (2, False)):
        chosen = Selection.objects.create(
            project=actors.project,
            number=number,
            question_id=question.id,
            size=2,
            seed=1,
            applied_at=actors.project.created_at if applied else None,
        )
        for order, stream in enumerate([Stream.SELECTED, Stream.AUDIT]):
            Pick.objects.create(
                selection=chosen,
                item=items[2 * number + order - 2],
                item_version=1,
                order=order,
                stream=stream,
                inclusion_probability=1,
            )
    found = training_set(actors.project, question)
    chance = dict(zip(found.item.tolist(), found.by_chance.tolist(), strict=True))
    assert [chance[item.pk] for item in items] == [False, True, True, True, True, True]


def test_the_digest_is_of_the_labels_and_nothing_else(actors: Actors, question: QuestionSpec) -> None:
    items = make_texts(actors.project, 6, holdout=2)
    label(actors, items[:3])
    before = training_set(actors.project, question).digest
    label(actors, items[4:])  # the holdout
    assert training_set(actors.project, question).digest == before
    label(actors, items[3:4])
    assert training_set(actors.project, question).digest != before


def test_a_run_is_kept_with_its_books(actors: Actors, question: QuestionSpec) -> None:
    items = make_texts(actors.project, 120, holdout=40)
    label(actors, items[:110])
    features = features_of(actors.project)
    made = train_and_record(actors.project, question, features, seed=5, user=actors.alice)
    assert made is not None
    run, model = made
    assert (run.kind, run.name, run.seed, run.n_labels) == (RunKind.TRAINED, "model 1", 5, 80)
    assert run.feature_set == features.feature_set
    assert run.metrics is not None
    holdout = run.metrics["holdout"]
    assert (holdout["n"], holdout["accuracy"]["n_items"]) == (30, 30)
    assert holdout["accuracy"]["value"] > 0.85
    assert holdout["accuracy"]["ci"][0] < holdout["accuracy"]["value"]
    assert [row["class"] for row in holdout["per_class"]] == ["yes", "no"]
    assert sum(n for _truth, _said, n in holdout["confusion"]) == 30
    assert run.metrics["selected_cv"]["n"] == 80
    assert run.metrics["unseen"] == []
    assert Prediction.objects.filter(run=run).count() == 40  # of all of the holdout, labelled or not
    assert Classifier.from_bytes(model_content(run)).to_bytes() == model.to_bytes()
    assert Event.objects.latest("pk").verb == "run.created"


def test_the_same_labels_and_seed_give_the_same_model(actors: Actors, question: QuestionSpec) -> None:
    items = make_texts(actors.project, 60, holdout=20)
    label(actors, items)
    features = features_of(actors.project)
    first, again = (train_and_record(actors.project, question, features, seed=5, user=None) for _ in range(2))
    assert first is not None
    assert again is not None
    assert first[1].to_bytes() == again[1].to_bytes()
    assert (first[0].labels_digest, first[0].metrics) == (again[0].labels_digest, again[0].metrics)
    assert (first[0].name, again[0].name) == ("model 1", "model 2")


def test_one_class_alone_makes_no_run(actors: Actors, question: QuestionSpec) -> None:
    items = make_texts(actors.project, 9)
    label(actors, [item for item in items if truth_of(item) == "no"])
    assert train_and_record(actors.project, question, features_of(actors.project), seed=0, user=None) is None
    assert not Run.objects.exists()


def test_models_of_old_rounds_are_dropped_and_those_that_people_asked_for_are_not(
    actors: Actors, question: QuestionSpec
) -> None:
    items = make_texts(actors.project, 12)
    label(actors, items)
    features = features_of(actors.project)
    training = training_set(actors.project, question)
    asked = train_and_record(actors.project, question, features, seed=0, user=actors.alice, training=training)
    assert asked is not None
    rounds = []
    for number in range(MODELS_KEPT + 2):
        chosen = Selection.objects.create(
            project=actors.project, number=number, question_id=question.id, size=5, seed=1
        )
        made = train_and_record(
            actors.project, question, features, seed=0, user=None, training=training, selection=chosen
        )
        assert made is not None
        assert Selection.objects.get(pk=chosen.pk).run == made[0]
        rounds.append(made[0])
    kept = set(RunModel.objects.values_list("run_id", flat=True))
    assert kept == {asked[0].pk, *(run.pk for run in rounds[2:])}
    with pytest.raises(ModelDropped):
        model_content(rounds[0])
    assert Run.objects.filter(pk=rounds[0].pk).exists()


def test_what_a_run_says_can_be_learnt_from_besides(actors: Actors, question: QuestionSpec) -> None:
    items = make_texts(actors.project, 40, holdout=10)
    label(actors, items[:6])
    said = {item.external_id: truth_of(item) for item in items}
    weak = make_run(actors.project, said, "functions")
    found = training_set(actors.project, question, weak_run=weak)
    assert len(found) == 6
    assert sorted(found.weak.item.tolist()) == [item.pk for item in items[6:30]]
    assert found.digest == training_set(actors.project, question).digest
    alone = training_set(actors.project, question)
    features = features_of(actors.project)
    with_it = train_and_record(actors.project, question, features, seed=0, user=None, training=found)
    without = train_and_record(actors.project, question, features, seed=0, user=None, training=alone)
    assert with_it is not None
    assert without is not None
    assert with_it[0].metrics is not None
    assert (with_it[0].n_labels, with_it[0].metrics["weak"]) == (6, 24)
    assert with_it[1].columns.size > without[1].columns.size


@pytest.mark.parametrize(("odd", "known"), [(20, True), (19, False)])
def test_the_calibration_error_is_that_of_one_model_only(
    odd: int, actors: Actors, question: QuestionSpec, *, known: bool
) -> None:
    label(actors, make_texts(actors.project, 70, holdout=40))
    training = training_set(actors.project, question)
    place = np.arange(40, dtype=np.uint64)
    tie = 2 * place + (place < odd)
    training = replace(training, holdout=replace(training.holdout, tie=tie))
    trained = fit(training, features_of(actors.project), seed=0)
    assert trained is not None
    found = trained.metrics["calibration"]
    assert (found["n"], found["ece"] is not None) == (40, known)


def test_a_run_that_says_nothing_new_cannot_be_learnt_from(actors: Actors, question: QuestionSpec) -> None:
    items = make_texts(actors.project, 6)
    label(actors, items)
    weak = make_run(actors.project, {"i0": "yes"}, "functions")
    with pytest.raises(Invalid) as refused:
        training_set(actors.project, question, weak_run=weak)
    assert refused.value.code == "bad-weak-run"


def test_the_replay_tells_what_chance_would_have_cost(actors: Actors, question: QuestionSpec) -> None:
    items = make_texts(actors.project, 160, holdout=60)
    label(actors, items)
    features = features_of(actors.project)
    training = training_set(actors.project, question)
    report = replay(training, features, seed=1)
    assert (report["n_labels"], report["n_chance"], report["n_holdout"]) == (100, 100, 60)
    assert [point["n"] for point in report["points"]][-1] == 100
    assert 4 <= len(report["points"]) <= 8
    assert report["accuracy"]["reach"] == "interpolated"
    assert report["accuracy"]["value"] <= 100
    assert replay(training, features, seed=1) == report


def test_the_replay_of_nothing_is_told_as_too_few(actors: Actors, question: QuestionSpec) -> None:
    items = make_texts(actors.project, 10)
    label(actors, items[:4])
    report = replay(training_set(actors.project, question), features_of(actors.project), seed=1)
    assert report["points"] == []
    assert report["macro_f1"]["reach"] == "too_few"


def test_the_first_question_that_a_model_can_learn_is_taken(actors: Actors) -> None:
    Question.objects.filter(project=actors.project).delete()
    make_question(actors.project, "one", ["only", "cannot tell"], uncertain={"cannot tell"})
    with pytest.raises(Conflict) as refused:
        learnable_question(actors.project)
    assert refused.value.code == "no-learnable-question"


class TestJobs:
    """Training and scoring that people ask for."""

    @pytest.fixture
    def items(self, actors: Actors) -> list[Item]:
        items = make_texts(actors.project, 60, holdout=20)
        label(actors, items)
        return items

    def ask(self, actors: Actors, **asked: Any) -> Job:
        job = start_training(actors.membership(actors.alice), asked)
        run_job(job.pk)
        job.refresh_from_db()
        return job

    def score(self, actors: Actors, run: Run, **asked: Any) -> Job:
        job = start_scoring(actors.membership(actors.alice), run.pk, asked)
        run_job(job.pk)
        job.refresh_from_db()
        return job

    @pytest.mark.usefixtures("items")
    def test_training_ends_with_a_run(self, actors: Actors) -> None:
        job = self.ask(actors, seed=3, name="birds or cars")
        assert (job.state, job.error) == (JobState.DONE, None)
        run = Run.objects.get()
        assert job.result == {"run": run.pk, "name": "birds or cars"}
        assert (run.created_by, run.seed) == (actors.alice, 3)

    def test_without_labels_it_says_what_is_missing(self, actors: Actors) -> None:
        make_texts(actors.project, 5)
        job = self.ask(actors)
        assert job.state == JobState.FAILED
        assert job.error is not None
        assert job.error["code"] == "too-few-classes"

    def test_without_items_too(self, actors: Actors) -> None:
        job = self.ask(actors)
        assert job.error is not None
        assert job.error["code"] == "no-items"

    @pytest.mark.usefixtures("items")
    def test_items_and_data_are_scored(self, actors: Actors) -> None:
        self.ask(actors)
        run = Run.objects.get()
        job = self.score(actors, run, items=["i3", "i1"])
        assert job.result is not None
        said = job.result["predictions"]
        assert [(row["item"], row["label"]) for row in said] == [("i3", "yes"), ("i1", "no")]
        assert sum(said[0]["probabilities"].values()) == pytest.approx(1, abs=1e-3)
        job = self.score(actors, run, data=[{"text": "a wing and a feather"}, {"text": "engine brake"}])
        assert job.result is not None
        assert [row["label"] for row in job.result["predictions"]] == ["yes", "no"]

    def test_scoring_all_adds_to_the_run_and_leaves_the_holdout_as_it_was(
        self, actors: Actors, items: list[Item]
    ) -> None:
        self.ask(actors)
        run = Run.objects.get()
        held = dict(run.predictions.values_list("item_id", "pk"))
        corrected = items[-1]
        Item.objects.filter(pk=corrected.pk).update(version=2)
        job = self.score(actors, run, items="all")
        assert job.result == {"run": run.pk, "n": 60}
        after = dict(run.predictions.values_list("item_id", "pk"))
        assert len(after) == 60
        assert {item for item, pk in held.items() if after[item] != pk} == {corrected.pk}

    def test_a_class_that_came_later_does_not_stop_it(self, actors: Actors, items: list[Item]) -> None:
        self.ask(actors)
        run = Run.objects.get()
        question = Question.objects.get(project=actors.project)
        question.classes.create(name="plane", name_key="plane", colour=3, key="3", order=9, uncertain=False)
        Project.objects.filter(pk=actors.project.pk).update(schema_version=actors.project.schema_version + 1)
        job = self.score(actors, run, items=[items[0].external_id])
        assert job.result is not None
        assert set(job.result["predictions"][0]["probabilities"]) == {"yes", "no"}

    @pytest.mark.usefixtures("items")
    def test_a_model_of_before_a_merger_speaks_in_the_merged_classes(self, actors: Actors) -> None:
        self.ask(actors)
        run = Run.objects.get()
        alice = actors.membership(actors.alice)
        plane = add_class(alice, "answer", {"name": "plane"})
        said = self.score(actors, run, items=["i3", "i1"]).result
        yes = plane.question.classes.get(name="yes")
        apply_merge(alice, "answer", [yes.pk, plane.pk], plane.pk, version=0)
        again = self.score(actors, run, items=["i3", "i1"]).result
        assert said is not None
        assert again is not None
        words = {"yes": "plane", "no": "no"}
        for before, after in zip(said["predictions"], again["predictions"], strict=True):
            assert after["label"] == words[before["label"]]
            shares = {words[name]: share for name, share in before["probabilities"].items()}
            assert after["probabilities"] == shares

        no = plane.question.classes.get(name="no")
        apply_merge(alice, "answer", [no.pk, plane.pk], no.pk, version=1)
        one = self.score(actors, run, items=["i3"]).result
        assert one is not None
        assert one["predictions"][0]["probabilities"] == {"no": pytest.approx(1, abs=1e-3)}
