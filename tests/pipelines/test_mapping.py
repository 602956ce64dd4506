"""A project with merged classes reads, in every report and file, like one whose answers were given in the merged classes."""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.choices import FunctionKind, QuestionKind, RunKind
from core.exceptions import Conflict, Invalid
from core.models import Answer, LabelClass, LabelingFunction, Membership, Project, Run
from core.pipelines.aggregation import aggregation_report
from core.pipelines.agreement import agreement_report
from core.pipelines.exporting import Wanted, export_annotations, export_labels
from core.pipelines.function import preview as try_out
from core.pipelines.function_report import function_report
from core.pipelines.hlp import hlp_report
from core.pipelines.mapping import Merge, merge_called, preview, suggest
from core.pipelines.record import own_record
from core.pipelines.training_set import training_set
from core.selectors.agreement import Scope
from core.selectors.disagreement import Behind, items_behind
from core.selectors.question import schema_of
from core.services.mapping import apply_merge
from tests.conftest import Actors
from tests.factories.answers import make_answer, make_gold, make_items
from tests.factories.imports import import_file
from tests.factories.project import add_member, make_project, make_question
from tests.factories.run import make_run
from tests.pipelines.test_record import yesterday

pytestmark = pytest.mark.django_db
Json = dict[str, Any]
COLOURS = ["red", "rose", "blue", "navy", "sky", "?"]
PARTS = ["wing", "beak", "bill", "tail"]
MERGED = {"rose": "red", "navy": "sea", "blue": "sea", "bill": "beak"}
# What tells two projects apart although they read the same, or says how the answers are read.
OWN = {
    "project",
    "as_of",
    "id",
    "items",
    "raw_value",
    "mapping",
    "mapping_version",
    "created_at",
    "settled_at",
}


def read_as(name: str) -> str:
    return MERGED.get(name, name)


def fill(project: Project, people: list[Membership], called: Callable[[str], str]) -> None:
    """The same answers, gold, predictions and functions in the words of ``called``; people differ on every third item."""
    colours = list(dict.fromkeys(map(called, COLOURS)))
    made = make_question(project, "colour", colours, uncertain={"?"}, required=False)
    parts = list(dict.fromkeys(map(called, PARTS)))
    make_question(project, "parts", parts, kind=QuestionKind.MULTIPLE, required=False)
    rng = np.random.default_rng(5)
    items = make_items(project, *(f"i{number:02}" for number in range(24)))
    said = {item.external_id: called(str(rng.choice(COLOURS[:5]))) for item in items}
    for number, item in enumerate(items[:-4]):
        truth = COLOURS[number % 5]
        for member in people:
            colour = str(rng.choice(COLOURS)) if rng.random() < 0.4 else truth
            ticked = {called(part) for part in PARTS if rng.random() < 0.4}
            make_answer(member, item, {"colour": called(colour), "parts": sorted(ticked)})
            if number < 6:
                make_answer(member, item, {"colour": called(truth)}, repeat=2, pass_kind="retest")
        if number % 2:
            make_gold(item, "colour", called(truth))
    run = make_run(project, said, key="colour")
    shares: dict[str, float] = defaultdict(float)
    for name, share in {"red": 0.35, "rose": 0.35, "navy": 0.25, "sky": 0.05}.items():
        shares[str(made.classes.get(name=called(name)).pk)] += share
    run.predictions.update(probabilities=shares)
    functions = [
        ("red ones", FunctionKind.KEYWORDS, {"words": ["Text"], "every": False, "also": [], "field": None})
    ]
    functions += [("as the model", FunctionKind.RUN, {"run": run.pk, "above": 0.5})]
    question = project.questions.get(key="colour")
    for name, kind, arguments in functions:
        LabelingFunction.objects.create(
            project=project,
            question=question,
            name=name,
            kind=kind,
            arguments=arguments,
            label_class=question.classes.get(name=called("rose")),
        )


@pytest.fixture
def projects(actors: Actors) -> tuple[Project, Project]:
    """The project birds with mergers in force, and another that was given the merged labels."""
    found = []
    for slug, called in (("merged", str), ("fresh", read_as)):
        project = make_project(slug, owner=actors.alice)
        people = [add_member(project, user) for user in (actors.bob, actors.carol, actors.dave)]
        fill(project, people, called)
        yesterday(project)
        found.append(project)
    alice = Membership.objects.get(project=found[0], user=actors.alice)
    for version, one in enumerate(
        (
            ("colour", ["red", "rose"], "red", None),
            ("colour", ["blue", "navy"], "blue", "sea"),
            ("parts", ["beak", "bill"], "beak", None),
        )
    ):
        key, classes, into, name = one
        merge = merge_called(Project.objects.get(slug="merged"), key, classes, into, name)
        apply_merge(alice, key, merge.classes, merge.into, name=merge.name, version=version)
    return Project.objects.get(slug="merged"), Project.objects.get(slug="fresh")


def behind(project: Project) -> Json:
    question = schema_of(project).question("colour")
    reader = Membership.objects.get(project=project, user__username="alice")
    assert question is not None
    page = items_behind(project, question, Scope(), Behind(a="red", b="sea"), reader, page_size=50)
    return {
        "rows": [
            (one.item.external_id, one.share, sorted(said.value for said in one.said or ()))
            for one in page.items
        ]
    }


def file_of(export: Any, project: Project, **more: Any) -> Json:
    content = b"".join(export(project, Wanted(format="json", real_names=True, **more)))
    return {"rows": json.loads(content)}


def learnt(project: Project) -> Json:
    question = schema_of(project).question("colour")
    assert question is not None
    found = training_set(project, question, weak_run=Run.objects.get(project=project))
    return {
        "classes": found.classes,
        "digest": found.digest,
        "target": found.target.tolist(),
        "weak": found.weak.target.tolist(),
    }


def tried(project: Project) -> Json:
    """What a function that repeats the run for one class would do."""
    run = Run.objects.get(project=project)
    body = {"question": "colour", "kind": "run", "class": "red", "arguments": {"run": run.pk, "above": 0.5}}
    found = try_out(project, {"name": "x", **body})
    return {"n": found["n_matched"], "of": [(row["item"], row["class"]) for row in found["examples"]]}


def of_bob(project: Project) -> Any:
    return own_record(Membership.objects.get(project=project, user__username="bob"))


REPORTS: dict[str, Callable[[Project], Any]] = {
    "agreement": lambda project: agreement_report(
        project, "colour", real_names=True, readings=True, by="batch"
    ),
    "agreement of sets": lambda project: agreement_report(project, "parts", real_names=True),
    "uncertain apart": lambda project: agreement_report(
        project, "colour", uncertain="disagree", real_names=True
    ),
    "human level": lambda project: hlp_report(project, "colour", run="tiny", real_names=True),
    "aggregation": lambda project: aggregation_report(project, "colour", real_names=True),
    "disagreements": behind,
    "labels": lambda project: file_of(export_labels, project),
    "labels by a model": lambda project: file_of(
        export_labels, project, rule="dawid_skene", question="colour"
    ),
    "annotations": lambda project: file_of(export_annotations, project),
    "training": learnt,
    "functions": lambda project: function_report(project, "colour"),
    "a function": tried,
    "one's own record": of_bob,
}


def plain(value: Any) -> Any:
    """JSON without what is a project's own."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items() if key not in OWN}
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def test_it_reads_like_a_project_that_was_given_the_merged_labels(projects: tuple[Project, Project]) -> None:
    differ = []
    for name, report in REPORTS.items():
        merged, fresh = (json.dumps(plain(report(project)), default=str) for project in projects)
        if merged != fresh:
            differ.append(name)
        assert len(merged) > 20, name
    assert differ == []


def test_what_a_merged_class_is_named_still_counts(actors: Actors, media: Path) -> None:
    """Submits, corrections and files from before say its name: the answer keeps the class and is read as the other."""
    project = actors.project
    question = make_question(project, "colour", COLOURS, uncertain={"?"}, required=False)
    alice = actors.membership(actors.alice)
    red, rose = (question.classes.get(name=name).pk for name in ("red", "rose"))
    apply_merge(alice, "colour", [red, rose], red, version=0)
    make_items(project, "a")
    alice = actors.membership(actors.alice)
    import_file(alice, "item_id,annotator,question,label\na,w1,colour,rose\na,w2,colour,red\n", "annotations")
    assert list(Answer.objects.order_by("pk").values_list("label_class_id", flat=True)) == [rose, red]
    report = agreement_report(Project.objects.get(pk=project.pk), "colour")
    assert report["coefficients"]["percent_agreement"]["value"] == 1


def test_a_what_if_is_what_comes_true(projects: tuple[Project, Project]) -> None:
    """Of a further merger, on top of those in force, with the model's holdout and what is told of the rows."""
    project = projects[0]
    run = Run.objects.get(project=project)
    ids = [LabelClass.objects.get(question__project=project, name=name).pk for name in ("red", "sea", "sky")]
    cells = [[0, 0, 5], [0, 1, 4], [1, 1, 6], [1, 0, 2], [2, 2, 7], [2, 0, 1]]
    metrics = {"class_ids": ids, "holdout": {"n": 25, "confusion": cells}}
    Run.objects.filter(pk=run.pk).update(
        kind=RunKind.TRAINED, question=project.questions.get(key="colour"), metrics=metrics
    )

    merge = merge_called(project, "colour", ["red", "sea"], "red")
    before = agreement_report(project, "colour")
    told = preview(project, "colour", [merge], real_names=True)
    suggest(project, "colour")
    now = Project.objects.get(pk=project.pk)
    assert plain(agreement_report(now, "colour")) == plain(before)  # nothing is written by looking
    assert now.mapping_version == 3
    alice = Membership.objects.get(project=project, user__username="alice")
    apply_merge(alice, "colour", merge.classes, merge.into, version=3)
    now = Project.objects.get(pk=project.pk)
    assert plain(told["agreement"]["after"]) == plain(agreement_report(now, "colour", real_names=True))
    assert plain(told["hlp"]["after"]) == plain(hlp_report(now, "colour", real_names=True))

    sea = Answer.objects.filter(label_class__name__in=["navy", "sea"], annotation__repeat=1)
    sea = sea.filter(question__project=project)
    assert told["rows"]["answers"] == sea.count()
    assert (
        told["rows"]["predictions"] == run.predictions.filter(label_class__name__in=["navy", "sea"]).count()
    )
    f1 = told["model"]["macro_f1"]
    assert f1["after"]["value"] == pytest.approx((34 / 35 + 14 / 15) / 2)
    assert f1["before"]["value"] < f1["after"]["value"]
    assert f1["difference"]["ci"][0] > 0
    change = told["agreement"]["difference"]["percent_agreement"]
    low, high = change["ci"]
    assert 0 < low < change["value"] < high
    assert 0 < told["information"]["lost_share"] < 1


@pytest.mark.parametrize(
    ("classes", "into", "name", "code"),
    [
        (["yes"], "yes", None, "too-few-classes"),
        (["yes", "cannot tell"], "yes", None, "mixed-uncertain"),
        (["yes", "no"], "yes", "Cannot  tell", "name-taken"),
        (["yes", "no"], "yes", "\u200b", "bad-name"),
        (["yes", "perhaps"], "yes", None, "unknown-class"),
    ],
)
def test_a_what_if_is_refused_as_the_merger_would_be(
    actors: Actors, classes: list[str], into: str, name: str | None, code: str
) -> None:
    with pytest.raises((Invalid, Conflict)) as refusal:
        preview(actors.project, "answer", [merge_called(actors.project, "answer", classes, into, name)])
    assert refusal.value.code == code


def test_two_mergers_of_a_what_if_build_on_each_other(actors: Actors) -> None:
    make_question(actors.project, "loud", ["1", "2", "3", "4"], kind="scale", level="ordinal")
    first = merge_called(actors.project, "loud", ["1", "2"], "1")
    second = merge_called(actors.project, "loud", ["3", "1"], "3")
    told = preview(actors.project, "loud", [first, second])
    assert told["classes"] == ["3", "4"]
    with pytest.raises(Invalid) as refusal:
        preview(actors.project, "loud", [second, first])
    assert refusal.value.code == "not-neighbours"
    with pytest.raises(Invalid):
        preview(actors.project, "loud", [])


def test_suggestions_say_which_pairs_cannot_be_merged(actors: Actors) -> None:
    make_question(
        actors.project, "loud", ["1", "2", "3", "?"], kind="scale", level="ordinal", uncertain={"?"}
    )
    people = [actors.membership(actors.bob), actors.membership(actors.carol)]
    pairs = ["1 2", "2 1", "1 3", "1 ?"]
    for item, pair in zip(make_items(actors.project, "a", "b", "c", "d"), pairs, strict=True):
        for member, label in zip(people, pair.split(), strict=True):
            make_answer(member, item, {"loud": label})
    rows = suggest(actors.project, "loud")["pairs"]
    assert {(row["a"], row["b"]): row["refused"] for row in rows} == {
        ("1", "2"): None,
        ("1", "3"): "not-neighbours",
        ("1", "?"): "mixed-uncertain",
    }
    report = preview(actors.project, "loud", [Merge(tuple(rows[0]["ids"]), rows[0]["ids"][0])])
    after = report["agreement"]["after"]["coefficients"]["krippendorff_alpha"]
    assert rows[0]["after"]["krippendorff_alpha"] == after


def test_a_question_without_answers_has_nothing_to_suggest(actors: Actors) -> None:
    assert suggest(actors.project, None)["pairs"] == []
    told = preview(actors.project, None, [merge_called(actors.project, None, ["yes", "no"], "yes")])
    assert (told["rows"]["answers"], told["information"], told["model"]) == (0, None, None)


@pytest.mark.django_db(transaction=True)
def test_a_what_if_sees_one_moment_outside_of_any_transaction(actors: Actors) -> None:
    told = preview(actors.project, None, [merge_called(actors.project, None, ["yes", "no"], "yes")])
    assert told["agreement"]["before"]["as_of"] <= told["agreement"]["after"]["as_of"]
    assert suggest(actors.project, None)["n_pairs"] == 0
