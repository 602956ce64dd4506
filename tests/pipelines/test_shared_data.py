"""Published and recomputed figures of real data sets, reproduced from files by commands.

The sets are not part of this repository. Put the folder beside the checkout (``../shared/data``) or name
its parent in LABELAPP_SHARED_DATA.
"""

import csv
import gzip
import io
import json
import os
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from core.models import Project, User
from core.pipelines.exporting import Wanted, export_labels
from core.services.project import create_project
from tests.factories.account import make_user

PARENT = Path(os.environ.get("LABELAPP_SHARED_DATA") or Path(__file__).resolve().parents[3] / "shared")
DATA = PARENT / "data"
KINDS = ("items", "annotations", "gold")
ALPHA = "krippendorff_alpha_"


@dataclass(frozen=True)
class DataSet:
    """How a set becomes a project. Questions that are not named here are single-choice ones."""

    name: str
    numbers: tuple[str, ...] = ()
    multiple: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    order: dict[str, list[str]] = field(default_factory=dict)
    uncertain: tuple[str, ...] = ()

    def rows(self, kind: str) -> list[dict[str, str]]:
        path = DATA / self.name / f"{kind}.csv.gz"
        if not path.exists():
            return []
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def expected(self) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = json.loads((DATA / self.name / "expected.json").read_text())
        return lines

    def document(self) -> dict[str, Any]:
        """A project document made from the labels that occur."""
        labels: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for row in (*self.rows("annotations"), *self.rows("gold")):
            labels[row["question"]][row["label"]] = None
        return {
            "slug": self.name.replace("_", "-"),
            "name": self.name,
            "questions": [
                self._question(key, list(values))
                for key, values in labels.items()
                if key not in self.left_out
            ],
        }

    def _question(self, key: str, labels: list[str]) -> dict[str, Any]:
        question: dict[str, Any] = {"key": key, "title": key, "required": False}
        if key in self.numbers:
            return {**question, "kind": "number", "level": "interval"}
        if key in self.texts:
            return {**question, "kind": "text"}
        names = self.order.get(key) or sorted(labels)
        if key in self.multiple:
            names = sorted({part for label in labels for part in label.split("|") if part})
        classes = [{"name": name, "uncertain": name in self.uncertain} for name in names]
        return {**question, "kind": "multiple" if key in self.multiple else "single", "classes": classes}


AFFECT = ("anger", "disgust", "fear", "joy", "sadness", "surprise", "valence")
SETS = [
    DataSet("snow_rte"),
    DataSet("weather_amt", uncertain=("4",)),
    DataSet("hatecheck"),
    DataSet("ukpconvarg", texts=("reason",)),
    DataSet("music_genre"),
    DataSet("snow_affect", numbers=AFFECT),
    DataSet("snow_wordsim", numbers=("similarity_0_10", "similarity_0_4")),
    DataSet("crows_pairs"),
    DataSet("convabuse", multiple=("type",), order={"severity": ["-3", "-2", "-1", "0", "1"]}),
    DataSet("xhate_stability"),
    DataSet("xsum_hallucination", left_out=("hallucinated_spans",)),
    DataSet("textbook_irr"),
]
GOLD_OF = {"similarity_0_10": "similarity_0_4"}  # the truth stands on another scale
# Another aggregation (see test_shared_aggregation.py), and a count that no page tells.
NOT_HERE = {"dawid_skene_accuracy", "items_with_4_of_5_matching_gold"}


def imported(name: str, path: Path, kind: str) -> dict[str, Any]:
    told = io.StringIO()
    call_command("import", name, str(path), "--kind", kind, "--json", stdout=told)
    document: dict[str, Any] = json.loads(told.getvalue())
    return document


def reported(slug: str, question: str, *words: str) -> dict[str, Any]:
    told = io.StringIO()
    call_command("agreement", slug, "--question", question, "--json", *words, stdout=told)
    document: dict[str, Any] = json.loads(told.getvalue())
    return document


def correlation_of_labels(slug: str, question: str) -> float:
    """Pearson's correlation of the labels of a number question, means, with the gold."""
    file = b"".join(export_labels(Project.objects.get(slug=slug), Wanted(format="json")))
    rows = {(row["question"], row["item"]): row for row in json.loads(file)}
    of_gold = GOLD_OF.get(question, question)
    pairs = [
        (row["value"], rows[of_gold, item]["gold"])
        for (key, item), row in rows.items()
        if key == question and row["n"] and rows[of_gold, item]["gold"] is not None
    ]
    return statistics.correlation([value for value, _ in pairs], [gold for _, gold in pairs])


def computed(slug: str, question: str, metric: str) -> Any:
    """The figure that a line of expected.json names."""
    if metric.startswith(ALPHA):
        report = reported(slug, question, "--level", metric.removeprefix(ALPHA))
        return report["coefficients"]["krippendorff_alpha"]["value"]
    if metric == "pearson_r_mean_vs_gold":
        return correlation_of_labels(slug, question)
    report = reported(slug, question)
    if metric.startswith(
        "majority_vote_accuracy"
    ):  # with an odd number of answers of two classes nothing ties
        return report["against_gold"]["majority_accuracy_fractional_ties"]["value"]
    if metric == "items_with_gold":
        return report["against_gold"]["n_items"]
    if metric == "intra_annotator_exact_agreement":
        return report["intra"]["value"]
    return report["coefficients"][metric]["value"]


@pytest.fixture
def lead(db: None) -> User:
    return make_user("alice", may_create_projects=True)


@pytest.mark.shared_data
@pytest.mark.parametrize("data", SETS, ids=lambda data: data.name)
def test_figures_of_the_source_are_reproduced(data: DataSet, lead: User, media: Path) -> None:
    folder = DATA / data.name
    if not folder.is_dir():
        pytest.skip("the folder of real data sets is not here (LABELAPP_SHARED_DATA)")
    slug = create_project(lead, data.document()).slug
    for kind, suffix in zip(KINDS, ("jsonl.gz", "csv.gz", "csv.gz"), strict=True):
        path = folder / f"{kind}.{suffix}"
        if path.exists():
            rows = imported(slug, path, kind)
            left_out = sum(row["question"] in data.left_out for row in data.rows(kind))
            assert (kind, rows["rejected"]) == (kind, left_out)

    figures = [line for line in data.expected() if line["metric"] not in NOT_HERE]
    figures = [line for line in figures if line["question"] not in data.left_out]
    misses = {}
    for line in figures:
        value = computed(slug, line["question"], line["metric"])
        if abs(value - line["value"]) > line["tolerance"] + 1e-9:
            misses[line["question"], line["metric"]] = (value, line["value"])
    assert figures
    assert misses == {}
