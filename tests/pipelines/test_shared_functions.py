"""Labeling functions on real texts: the label model is at or above majority, with and without labels.

The sets are not part of this repository (tests/pipelines/test_shared_data.py says where they are looked for).
"""

import pytest

from benchmarks.labeling_functions import measure, vote
from tests.pipelines.test_shared_data import DATA

FOLDER = DATA / "selection"

pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not (FOLDER / "sms.jsonl.gz").exists(), reason="the real data sets are not here"),
]


@pytest.mark.parametrize(("name", "coverage"), [("sms", 0.7), ("banking77", 0.7)])
def test_the_label_model_is_at_or_above_majority(name: str, coverage: float) -> None:
    voted = vote(FOLDER, name)
    for shares_from in ("votes", "stream"):
        compared = measure(voted, shares_from).compared
        assert compared.difference.ci is not None
        assert compared.difference.ci[0] > 0
        assert not compared.chosen_majority
        assert compared.difference.n_items > coverage * (voted.votes.n_items - 300)
