"""What-ifs of mergers on real data sets: the predicted reports are those of a project that was given the merged labels.

The sets are not part of this repository, see test_shared_data.py.
"""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from core.choices import Level, QuestionKind
from core.models import Membership, Project, User
from core.pipelines.agreement import agreement_report
from core.pipelines.hlp import hlp_report
from core.pipelines.mapping import merge_called, preview
from core.services.mapping import apply_merge, revert
from core.services.project import create_project
from tests.factories.account import make_user
from tests.pipelines.test_shared_data import DATA, SETS, DataSet, imported

pytestmark = pytest.mark.shared_data
BY_NAME = {data.name: data for data in SETS}
Json = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A data set, one of its questions, and mergers of its classes: (classes, into, name)."""

    data: str
    question: str
    merges: tuple[tuple[tuple[str, ...], str, str | None], ...]
    kind: str = QuestionKind.SINGLE

    @property
    def becomes(self) -> dict[str, str]:
        """The label in place of each label."""
        found: dict[str, str] = {}
        for classes, into, name in self.merges:
            step = dict.fromkeys((*classes, into), name or into)
            found = step | {old: step.get(new, new) for old, new in found.items()}
        return found


CASES = (
    Case(
        "crows_pairs",
        "bias_type",
        (
            (("race-color", "nationality"), "race-color", None),
            (("disability", "physical-appearance"), "disability", "body"),
        ),
    ),
    Case("crows_pairs", "bias_type", ((("", "age"), "", None),)),
    Case(
        "convabuse", "severity", ((("-3", "-2"), "-3", None), (("-1", "-3"), "-1", None)), QuestionKind.SCALE
    ),
    Case(
        "convabuse",
        "type",
        ((("sexist", "sex_harassment", "homophobic"), "sexist", "sexual"),),
        QuestionKind.MULTIPLE,
    ),
    Case("music_genre", "genre", ((("rock", "metal"), "rock", None), (("pop", "disco"), "disco", "dance"))),
)


def document_of(data: DataSet, case: Case) -> Json:
    document = data.document()
    question = next(one for one in document["questions"] if one["key"] == case.question)
    return {**document, "questions": [{**question, "kind": case.kind}]}


def relabelled(document: Json, case: Case) -> Json:
    """The project document with the merged classes only, under another name."""
    (question,) = document["questions"]
    gone = {name for classes, into, _name in case.merges for name in classes if name != into}
    classes = [
        {**one, "name": case.becomes.get(one["name"], one["name"])}
        for one in question["classes"]
        if one["name"] not in gone
    ]
    return {**document, "slug": "fresh", "questions": [{**question, "classes": classes}]}


def write(path: Path, rows: list[dict[str, str]], becomes: dict[str, str]) -> Path:
    """The rows with other labels. Their numbers tell rows apart that the merger makes equal."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(
            file, ["item_id", "annotator", "question", "label", "row"], extrasaction="ignore"
        )
        writer.writeheader()
        for number, row in enumerate(rows):
            parts = dict.fromkeys(becomes.get(part, part) for part in row["label"].split("|"))
            writer.writerow({**row, "label": "|".join(parts), "row": str(number)})
    return path


def filled(lead: User, document: Json, case: Case, folder: Path, becomes: dict[str, str]) -> Project:
    """A project with the set's items, and its answers and gold to the question."""
    project = create_project(lead, document)
    data = BY_NAME[case.data]
    imported(project.slug, DATA / case.data / "items.jsonl.gz", "items")
    for kind in ("annotations", "gold"):
        rows = [row for row in data.rows(kind) if row["question"] == case.question]
        if rows:
            told = imported(project.slug, write(folder / f"{project.slug}-{kind}.csv", rows, becomes), kind)
            assert told["rejected"] == 0
    return Project.objects.get(pk=project.pk)


@contextmanager
def other_plans() -> Iterator[None]:
    """Let PostgreSQL find the rows in other ways, hence in another order, than it would by itself."""
    names = ("enable_hashagg", "enable_hashjoin", "enable_seqscan")
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f"SET LOCAL {name} = off")
        yield
        for name in names:
            cursor.execute(f"SET LOCAL {name} = on")


def assert_same(one: Json, other: Json) -> None:
    """Equal to the byte but for the project's name and the moment. Tells the first parts that are not."""
    assert list(islice(differences(one, other), 5)) == []


def differences(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict) and list(one) == list(other):
        for key in one.keys() - ({"project", "as_of"} if path == "" else set()):
            yield from differences(one[key], other[key], f"{path}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, f"{path}/{place}")
    elif json.dumps(one) != json.dumps(other):
        yield path, one, other


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.data}-{case.question}-{len(case.merges)}")
def test_the_predicted_report_is_that_of_a_project_with_the_merged_labels(
    db: None, media: Path, tmp_path: Path, case: Case
) -> None:
    if not (DATA / case.data).is_dir():
        pytest.skip("the folder of real data sets is not here (LABELAPP_SHARED_DATA)")
    lead = make_user("alice", may_create_projects=True)
    document = document_of(BY_NAME[case.data], case)
    project = filled(lead, document, case, tmp_path, {})
    with other_plans():
        fresh = filled(lead, relabelled(document, case), case, tmp_path, case.becomes)
    has_hlp = case.kind != QuestionKind.MULTIPLE
    before = agreement_report(project, real_names=True)
    assert before["level"] == (Level.ORDINAL if case.kind == QuestionKind.SCALE else Level.NOMINAL)

    merges = [merge_called(project, case.question, *one) for one in case.merges]
    expected = preview(project, case.question, merges, real_names=True)

    wanted = agreement_report(fresh, real_names=True)
    assert_same(expected["agreement"]["before"], before)
    assert_same(expected["agreement"]["after"], wanted)
    assert list(differences(expected["agreement"]["after"], before))
    if has_hlp:
        assert_same(expected["hlp"]["after"], hlp_report(fresh, real_names=True))

    alice = Membership.objects.get(project=project, user=lead)
    made = [
        apply_merge(alice, case.question, one.classes, one.into, name=one.name, version=version)
        for version, one in enumerate(merges)
    ]
    now = Project.objects.get(pk=project.pk)
    assert_same(agreement_report(now, real_names=True), wanted)
    for version, mapping in enumerate(reversed(made), len(made)):
        revert(alice, mapping.pk, version)
    now = Project.objects.get(pk=project.pk)
    assert_same(agreement_report(now, real_names=True), before)
