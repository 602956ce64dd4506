from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.choices import Strategy
from core.numerics import selection
from core.numerics.selection import (
    STRATEGIES,
    Picks,
    best,
    choose,
    fit_state,
    merge,
    score_part,
    used,
)
from core.numerics.strategies.base import Candidates, Labelled, Part, State
from core.numerics.table import Ints
from tests.numerics.pools import blobs, labelled_of, part_of

N, K, COUNT, SEED = 300, 3, 10, 7
EVERY = sorted(STRATEGIES)


@pytest.fixture(scope="module")
def pool() -> Part:
    return part_of(blobs(N, K, seed=1)[0])


@pytest.fixture(scope="module")
def labelled() -> Labelled:
    return labelled_of(*blobs(45, K, seed=2), K)


@pytest.fixture(scope="module")
def states(labelled: Labelled) -> dict[str, State]:
    """What every strategy has learnt from the labels."""
    return {strategy: fit_state(strategy, labelled, SEED) for strategy in EVERY}


def picks_of(strategy: str, state: State, parts: list[Part]) -> Picks:
    candidates = merge([score_part(strategy, state, part, COUNT) for part in parts])
    return choose(strategy, state, candidates, COUNT, SEED)


def same(one: Picks, other: Picks) -> bool:
    return (
        one.item.tobytes() == other.item.tobytes()
        and one.score.tobytes() == other.score.tobytes()
        and one.reason == other.reason
    )


def cut(pool: Part, n_parts: int, seed: int) -> list[Part]:
    """The pool in parts of unequal sizes, rows and parts in no order."""
    rng = np.random.default_rng(seed)
    ends = np.sort(rng.choice(np.arange(1, len(pool)), n_parts - 1, replace=False))
    return [pool.take(rows) for rows in np.split(rng.permutation(len(pool)), ends)]


def test_every_strategy_that_a_project_may_ask_for_is_there() -> None:
    assert set(STRATEGIES) == set(Strategy.values)


@pytest.mark.parametrize("strategy", EVERY)
def test_picks_do_not_depend_on_how_the_pool_is_cut(
    strategy: str, pool: Part, states: dict[str, State]
) -> None:
    whole = picks_of(strategy, states[strategy], [pool])
    assert len(set(whole.item.tolist())) == COUNT
    for n_parts in (1, 2, 7):
        assert same(picks_of(strategy, states[strategy], cut(pool, n_parts, n_parts)), whole)


@pytest.mark.parametrize("strategy", EVERY)
def test_picks_do_not_depend_on_the_order_of_the_labels(
    strategy: str, labelled: Labelled, states: dict[str, State]
) -> None:
    shuffled = labelled.take(np.random.default_rng(0).permutation(len(labelled)))
    assert fit_state(strategy, shuffled, SEED).to_bytes() == states[strategy].to_bytes()


@pytest.mark.parametrize("strategy", EVERY)
def test_a_state_and_candidates_come_to_the_same_after_they_were_kept(
    strategy: str, pool: Part, states: dict[str, State]
) -> None:
    kept = State.from_bytes(states[strategy].to_bytes())
    assert kept.to_bytes() == states[strategy].to_bytes()
    parts = [
        Candidates.from_bytes(score_part(strategy, kept, part, COUNT).to_bytes()) for part in cut(pool, 3, 3)
    ]
    picks = choose(strategy, kept, merge(parts), COUNT, SEED)
    assert same(picks, picks_of(strategy, states[strategy], [pool]))


@pytest.mark.parametrize("strategy", ["cluster", "core_set", "density", "badge", "region"])
def test_of_a_large_pool_a_sample_by_hash_is_looked_at(
    strategy: str, pool: Part, labelled: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "SAMPLE", N // 4)
    state = fit_state(strategy, labelled, SEED, n_pool=N)
    inside = np.flatnonzero(pool.tie < np.uint64(state.below))
    assert N / 8 < len(inside) < N / 2
    assert sorted(score_part(strategy, state, pool, COUNT).item) == inside.tolist()
    whole = picks_of(strategy, state, [pool])
    assert set(whole.item.tolist()) <= set(inside.tolist())
    assert same(picks_of(strategy, state, cut(pool, 7, 7)), whole)


@pytest.mark.parametrize("strategy", ["hybrid", "margin", "committee", "label_again", "random"])
def test_strategies_that_rank_see_every_item_of_a_large_pool(strategy: str, labelled: Labelled) -> None:
    assert fit_state(strategy, labelled, SEED, n_pool=10**7).below == 1 << 64


@pytest.mark.parametrize("strategy", EVERY)
def test_equal_items_are_told_apart_by_their_ids_alone(strategy: str, states: dict[str, State]) -> None:
    pool = part_of(np.ones((30, 12)))
    picks = picks_of(strategy, states[strategy], [pool])
    assert len(set(picks.item.tolist())) == COUNT
    assert same(picks_of(strategy, states[strategy], cut(pool, 3, 1)), picks)


@pytest.mark.parametrize("strategy", EVERY)
def test_a_pool_smaller_than_the_batch_is_picked_whole(
    strategy: str, pool: Part, states: dict[str, State]
) -> None:
    few = pool.take(np.arange(5))
    assert sorted(picks_of(strategy, states[strategy], [few]).item) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("strategy", EVERY)
def test_an_empty_pool_gives_no_picks(strategy: str, pool: Part, states: dict[str, State]) -> None:
    picks = picks_of(strategy, states[strategy], [pool.take(np.arange(0))])
    assert (len(picks), picks.reason) == (0, ())


def test_an_empty_part_changes_nothing(pool: Part, states: dict[str, State]) -> None:
    picks = picks_of("hybrid", states["hybrid"], [pool.take(np.arange(0)), pool])
    assert same(picks, picks_of("hybrid", states["hybrid"], [pool]))


def test_nothing_to_merge_is_refused() -> None:
    with pytest.raises(ValueError, match="no candidates"):
        merge([])


def test_an_unknown_strategy_is_refused(labelled: Labelled) -> None:
    with pytest.raises(KeyError):
        fit_state("guesswork", labelled, SEED)


@pytest.mark.parametrize("strategy", EVERY)
@pytest.mark.parametrize("n_known", [0, 6])
def test_before_two_classes_are_known_the_cold_start_is_used(
    strategy: str, n_known: int, pool: Part, labelled: Labelled
) -> None:
    """Strategies that need no model go on by themselves once there are labels."""
    known = labelled.take(np.flatnonzero(labelled.target[:, 0] == 1)[:n_known])
    state = fit_state(strategy, known, SEED)
    alone = strategy == "random" or (n_known and strategy in {"cluster", "core_set"})
    assert used(strategy, state) == (strategy if alone else "cold_start")
    picks = picks_of(strategy, state, [pool])
    assert len(picks) == COUNT
    assert {reason["why"] for reason in picks.reason} == {used(strategy, state)}
    assert "first" not in picks.reason[0]
    assert same(picks_of(strategy, state, cut(pool, 7, 7)), picks)


@pytest.mark.parametrize("strategy", ["random", "cluster", "hybrid", "badge", "core_set"])
def test_another_seed_gives_other_picks_where_chance_has_a_part(
    strategy: str, pool: Part, labelled: Labelled
) -> None:
    if strategy == "core_set":
        labelled = labelled.take(np.arange(0))  # then it is the cold start, whose clusters begin by chance
    state, other = (fit_state(strategy, labelled, seed) for seed in (1, 2))
    ours = choose(strategy, state, score_part(strategy, state, pool, COUNT), COUNT, 1)
    theirs = choose(strategy, other, score_part(strategy, other, pool, COUNT), COUNT, 2)
    assert set(ours.item.tolist()) != set(theirs.item.tolist())


def test_random_picks_every_item_equally_often(pool: Part, labelled: Labelled) -> None:
    times = np.zeros(N)
    draws = 80
    for seed in range(draws):
        state = fit_state("random", labelled, seed)
        times[choose("random", state, score_part("random", state, pool, 40), 40, seed).item] += 1
    expected = draws * 40 / N
    chi_squared = float((np.square(times - expected) / (expected * (1 - 40 / N))).sum())
    assert abs(chi_squared - N) < 4 * np.sqrt(2 * N)


@pytest.mark.parametrize("strategy", ["hybrid", "margin", "badge", "committee", "region"])
def test_a_reason_names_the_classes_between_which_the_model_hesitates(
    strategy: str, pool: Part, states: dict[str, State]
) -> None:
    picks = picks_of(strategy, states[strategy], [pool])
    told = states[strategy].model.probabilities(pool.sparse[picks.item])
    for reason, row in zip(picks.reason, told, strict=True):
        order = np.argsort(-row)
        assert (reason["why"], reason["first"], reason["second"]) == (strategy, order[0], order[1])
        assert reason["p_first"] == pytest.approx(row[order[0]], abs=1e-4)
        assert reason["p_second"] == pytest.approx(row[order[1]], abs=1e-4)


def test_a_model_that_is_there_is_used_as_it_is(labelled: Labelled) -> None:
    model = fit_state("hybrid", labelled, SEED).model
    other = replace(model, weights=-model.weights)
    assert fit_state("hybrid", labelled, SEED, model=other).model is other


def brute(score: Any, tie: Any, count: int) -> Ints:
    return np.array(sorted(range(len(score)), key=lambda row: (-score[row], tie[row]))[:count], np.intp)


@pytest.mark.parametrize("count", [0, 1, 5, 49, 50, 60])
def test_the_best_are_exact_whatever_the_ties(count: int) -> None:
    rng = np.random.default_rng(count)
    score = rng.integers(0, 4, 50).astype(np.float32)
    tie = rng.permutation(50).astype(np.uint64)
    assert best(score, tie, count).tolist() == brute(score, tie, count).tolist()
