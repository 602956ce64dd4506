"""Every rule of aggregation against the gold of real data sets, and overlap that adapts replayed on two of them.

The sets are not part of this repository, see test_shared_data.py.
"""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.aggregation import Answers, read
from benchmarks.overlap import buy
from core.models import Project, User
from core.numerics.aggregation import Rule, default_rule
from core.numerics.overlap import SURE
from core.pipelines.aggregation import aggregation_report
from core.services.project import create_project
from tests.factories.account import make_user
from tests.pipelines.test_shared_data import DATA, KINDS, imported
from tests.pipelines.test_shared_data import SETS as DATA_SETS

pytestmark = pytest.mark.shared_data
BY_NAME = {data.name: data for data in DATA_SETS}


def answers_of(name: str) -> Answers:
    if not (DATA / name).is_dir():
        pytest.skip("the folder of real data sets is not here (LABELAPP_SHARED_DATA)")
    return read(DATA, name)


@pytest.mark.parametrize(
    ("name", "majority", "dawid_skene", "tolerance"),
    [("snow_rte", 0.897, 0.927, 0.001), ("music_genre", 0.7043, 0.7686, 0.006)],
)
def test_published_accuracies(name: str, majority: float, dawid_skene: float, tolerance: float) -> None:
    answers = answers_of(name)
    assert answers.accuracy(Rule.MAJORITY) == pytest.approx(majority, abs=0.0005)
    assert answers.published() == pytest.approx(dawid_skene, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("snow_rte", Rule.ONE_COIN),
        ("music_genre", Rule.MAJORITY),
        ("weather_amt", Rule.ONE_COIN),
        ("hatecheck", Rule.DAWID_SKENE),
    ],
)
def test_the_default_rule_is_nowhere_worse_than_a_vote(name: str, default: Rule) -> None:
    answers = answers_of(name)
    told = default_rule(answers.table, answers.uncertain)
    assert told.rule is default
    assert answers.accuracy(told.rule) >= answers.accuracy(Rule.MAJORITY) - 0.005


def test_the_report_says_what_the_arrays_say(db: None, media: Path) -> None:
    answers = answers_of("snow_rte")
    lead: User = make_user("alice", may_create_projects=True)
    data = BY_NAME["snow_rte"]
    project: Project = create_project(lead, data.document())
    for kind, suffix in zip(KINDS, ("jsonl.gz", "csv.gz", "csv.gz"), strict=True):
        imported(project.slug, DATA / data.name / f"{kind}.{suffix}", kind)

    report = aggregation_report(project)

    assert report["default"]["rule"] == "one_coin"
    assert (report["default"]["median"], report["n_annotators"]) == (20.0, 164)
    for row in report["rules"]:
        expected = answers.accuracy(Rule(row["rule"]))
        assert row["accuracy"]["value"] == pytest.approx(expected, abs=0.0015), row["rule"]
    assert report["flips"]["n"] >= 65  # the ties of the vote are decided, at least


@pytest.mark.parametrize("name", ["snow_rte", "hatecheck"])
def test_sixty_per_cent_of_the_answers_are_nearly_as_good_as_all(name: str) -> None:
    """Means over 20 random orders."""
    supply = answers_of(name)
    bought = [buy(supply, seed, SURE) for seed in range(20)]
    share = np.mean([len(known) for known in bought]) / len(supply.table)
    right = np.mean([supply.accuracy(Rule.ONE_COIN, known) for known in bought])
    assert share <= 0.6
    assert right >= supply.accuracy(Rule.ONE_COIN) - 0.005
    assert right >= supply.accuracy(Rule.MAJORITY) - 0.005
