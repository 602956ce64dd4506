"""Texts that are nearly the same: many different ones, and one that was pasted many times."""

from collections.abc import Sequence

import numpy as np
import pytest

from core.numerics.copies import duplicate_findings
from core.numerics.findings import NOTE, STOP, WARN, judged
from core.numerics.profile import SampledText, TextSample

WORDS = [f"word{n}" for n in range(2000)]


def different(n: int, seed: int) -> list[str]:
    """Texts of fourteen words drawn by chance."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, 14)) for _ in range(n)]


def sampled(texts: Sequence[str], name: str) -> list[SampledText]:
    return [SampledText(row, row, f"{name}{row}", False, text) for row, text in enumerate(texts)]


def told(batch: Sequence[str], earlier: Sequence[str], n_looked: int = 0) -> dict[str, str]:
    """The severity of every finding about a batch, which is a sample of so many."""
    sample = TextSample(sampled(batch, "b"), None, n_looked or len(batch))
    return {one.code: one.severity for one in judged(duplicate_findings(sample, sampled(earlier, "a"), None))}


EARLIER = different(200, seed=1)
ONE = different(1, seed=2)[0]


@pytest.mark.parametrize(("copies", "severity"), [(15, WARN), (40, WARN), (60, STOP)])
def test_one_text_pasted_many_times_is_an_alarm_and_half_of_the_rows_a_stop(
    copies: int, severity: str
) -> None:
    assert told([ONE] * copies + different(100 - copies, seed=3), EARLIER) == {"near-duplicates": severity}


def test_of_a_sample_the_rows_of_one_text_are_a_part_of_all_rows() -> None:
    batch = [ONE] * 60 + different(40, seed=3)
    assert told(batch, EARLIER, n_looked=125) == {"near-duplicates": WARN}
    assert told(batch, EARLIER, n_looked=10_000) == {"near-duplicates": NOTE}


def test_near_copies_of_one_text_of_the_batch_before_are_an_alarm_of_both_kinds() -> None:
    earlier = [*EARLIER, *different(60, seed=3), *[ONE] * 40]
    batch = [f"{ONE} {n}" for n in range(60)] + different(40, seed=4)
    assert told(batch, earlier) == {"near-duplicates": STOP, "near-duplicates-earlier": STOP}


def test_as_many_copies_of_a_text_as_ever_are_none() -> None:
    earlier = [*different(120, seed=1), *[ONE] * 80]
    batch = [*different(58, seed=3), *[ONE] * 42]
    assert set(told(batch, earlier).values()) <= {NOTE}


def test_rows_that_fall_into_a_batch_by_chance_raise_no_alarm() -> None:
    rows = [*different(120, seed=1), *[ONE] * 60, *sorted(different(60, seed=5) * 2)]
    alarms = 0
    for seed in range(60):
        order = np.random.default_rng(seed).permutation(len(rows))
        batch, earlier = ([rows[at] for at in part] for part in (order[:100], order[100:]))
        alarms += not set(told(batch, earlier).values()) <= {NOTE}
    assert alarms <= 2  # in sixty at a level of 1 %
