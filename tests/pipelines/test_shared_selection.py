"""Curves of selection on real texts, through the code that a project uses: a short form of the benchmark.

The sets are not part of this repository, see test_shared_data.py.
"""

import numpy as np
import pytest

from benchmarks.selection_curves import Pool, cold_starts, read, replay
from tests.pipelines.test_shared_data import DATA

pytestmark = pytest.mark.shared_data
SEEDS = (0, 1, 2)
MOST = 300


@pytest.fixture(scope="module")
def sms() -> Pool:
    pool = read("sms", DATA / "selection")
    if pool is None:
        pytest.skip("the folder of real data sets is not here (LABELAPP_SHARED_DATA)")
    return pool


def curve(pool: Pool, strategy: str) -> list[float]:
    every = np.array([replay(pool, strategy, seed, MOST)["f1"] for seed in SEEDS])
    return [float(f1) for f1 in every.mean(axis=0)]


def test_hybrid_is_above_random_after_every_batch(sms: Pool) -> None:
    hybrid, random = curve(sms, "hybrid"), curve(sms, "random")
    assert all(ours > theirs for ours, theirs in zip(hybrid, random, strict=True))
    assert np.mean(hybrid) - np.mean(random) > 0.1


def test_a_cold_start_gains_what_was_measured_elsewhere(sms: Pool) -> None:
    found = cold_starts(sms, 5)
    assert found["clusters"]["f1"] - found["random"]["f1"] >= 0.099
    assert found["mixed"]["f1"] > found["random"]["f1"]
