"""Clean resplits of real data sets raise an alarm on at most 5 of 100."""

import pytest

from benchmarks.validation import alarms, kept, made
from tests.pipelines.test_shared_data import DATA

RESPLITS = 10


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["crows_pairs", "music_genre", "snow_rte", "weather_amt", "xhate_stability"])
def test_clean_resplits_of_a_real_set_raise_no_alarm(name: str) -> None:
    if not (DATA / name).exists():
        pytest.skip("the data sets are not there")
    told = alarms(kept(name), RESPLITS)
    assert told["alarms"] == 0, told


def test_clean_resplits_of_a_made_set_raise_no_alarm() -> None:
    told = alarms(made(600), RESPLITS)
    assert told["alarms"] == 0, told
