from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import entr

from core.numerics.classifier import Classifier
from core.numerics.cold_start import densities
from core.numerics.selection import Picks, choose, fit_state, merge, score_part
from core.numerics.strategies.base import Candidates, Labelled, Part, State, hashed
from core.numerics.strategies.committee import Committee, divergence
from core.numerics.strategies.kmeans import k_means
from core.numerics.strategies.label_again import LabelAgain
from core.numerics.strategies.region import _shares
from core.numerics.table import Floats
from tests.numerics.pools import blobs, labelled_of, part_of, ties

K, SEED = 4, 3


@pytest.fixture(scope="module")
def pool() -> Part:
    return part_of(blobs(200, K, seed=1)[0])


@pytest.fixture(scope="module")
def labelled() -> Labelled:
    return labelled_of(*blobs(60, K, seed=2), K)


def candidates_of(strategy: str, state: State, pool: Part, count: int = 10) -> Candidates:
    return merge([score_part(strategy, state, pool, count)])


def picks_of(strategy: str, labelled: Labelled, pool: Part, count: int = 10) -> Picks:
    state = fit_state(strategy, labelled, SEED)
    return choose(strategy, state, candidates_of(strategy, state, pool, count), count, SEED)


def entropy(told: Floats) -> Floats:
    return np.asarray(entr(told).sum(axis=-1), np.float64)


def shares(model: Classifier, pool: Part) -> Floats:
    """Sigmoids of the decision values, normalised."""
    scores = model.scores(pool.sparse).astype(np.float64)
    if scores.shape[1] == 1:
        scores = np.hstack([-scores, scores])
    raised = 1 / (1 + np.exp(-scores))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float64)


def expected(name: str, told: Floats) -> Floats:
    ordered = np.sort(told, axis=1)
    figures: dict[str, Any] = {
        "margin": 1 - (ordered[:, -1] - ordered[:, -2]),
        "least_confidence": 1 - ordered[:, -1],
        "entropy": entropy(told) / np.log(told.shape[1]),
    }
    return np.asarray(figures[name], np.float64)


@pytest.mark.parametrize("n_classes", [2, K])
@pytest.mark.parametrize("name", ["margin", "least_confidence", "entropy"])
def test_scores_of_uncertainty_are_those_of_their_definitions(name: str, n_classes: int) -> None:
    pool = part_of(blobs(200, n_classes, seed=1)[0])
    known = labelled_of(*blobs(60, n_classes, seed=2), n_classes)
    state = fit_state(name, known, SEED)
    wanted = expected(name, shares(state.model, pool))
    found = candidates_of(name, state, pool, 200)
    assert found.score == pytest.approx(wanted[found.item], abs=1e-5)
    assert wanted[picks_of(name, known, pool).item].min() >= np.sort(wanted)[-10] - 1e-5


def test_with_two_classes_they_pick_the_same_items() -> None:
    pool = part_of(blobs(200, 2, seed=1)[0])
    known = labelled_of(*blobs(60, 2, seed=2), 2)
    names = ("margin", "least_confidence", "entropy")
    assert len({tuple(picks_of(name, known, pool).item.tolist()) for name in names}) == 1


def test_decision_values_far_from_zero_overflow_nothing(pool: Part, labelled: Labelled) -> None:
    state = fit_state("entropy", labelled, SEED)
    sure = State((replace(state.model, weights=state.model.weights * 1e6),))
    assert np.isfinite(candidates_of("entropy", sure, pool).score).all()


def test_classes_without_a_label_are_never_the_likeliest(pool: Part, labelled: Labelled) -> None:
    known = labelled.take(np.flatnonzero(labelled.target[:, 2] == 0))
    picks = picks_of("margin", known, pool, 50)
    assert 2 not in {reason["first"] for reason in picks.reason}


def test_hybrid_picks_from_both_places_where_margin_picks_from_one(labelled: Labelled) -> None:
    """Ten near-copies of the least certain item, and other uncertain ones elsewhere."""
    points = blobs(200, K, seed=1)[0]
    first = picks_of("margin", labelled, part_of(points), 1).item[0]
    rng = np.random.default_rng(0)
    copies = points[first] + 1e-4 * rng.standard_normal((10, points.shape[1]))
    pool = part_of(np.vstack([points, copies]))
    is_copy = np.isin(np.arange(210), [first, *range(200, 210)])
    assert is_copy[picks_of("margin", labelled, pool, 8).item].sum() >= 7
    assert is_copy[picks_of("hybrid", labelled, pool, 8).item].sum() <= 3


def test_hybrid_keeps_to_the_ten_least_certain_candidates_per_pick(pool: Part, labelled: Labelled) -> None:
    state = fit_state("hybrid", labelled, SEED)
    closest = set(candidates_of("margin", State(state.models), pool, 50).item.tolist())
    picks = picks_of("hybrid", labelled, pool, 5)
    assert set(picks.item.tolist()) <= closest
    assert all(1 <= int(reason["cluster_size"]) <= 46 for reason in picks.reason)


def far_apart(n_blobs: int, each: int, *, seed: int = 0) -> tuple[Floats, Any]:
    rng = np.random.default_rng(seed)
    blob = np.repeat(np.arange(n_blobs), each)
    return 20 * np.eye(n_blobs)[blob] + 0.3 * rng.standard_normal((len(blob), n_blobs)), blob


def test_cluster_picks_one_of_each_blob(labelled: Labelled) -> None:
    points, blob = far_apart(6, 20)
    known = labelled_of(points[:4], np.array([0, 1, 2, 3]), K)
    picks = picks_of("cluster", known, part_of(points), 6)
    assert len(set(blob[picks.item].tolist())) >= 5  # k-means may split one and join two


def test_core_set_is_greedy_about_the_farthest() -> None:
    pool = part_of(blobs(60, K, seed=1)[0])
    known = labelled_of(*blobs(5, K, seed=2), K)
    picks = picks_of("core_set", known, pool, 8)
    covered = known.dense.astype(np.float64)
    for item, score in zip(picks.item, picks.score, strict=True):
        away = np.square(pool.dense[:, None] - covered[None]).sum(axis=2).min(axis=1)
        assert away[item] == pytest.approx(away.max(), abs=1e-5)
        assert score == pytest.approx(away[item], abs=1e-5)
        covered = np.vstack([covered, pool.dense[item]])


def test_badge_is_k_means_plus_plus_on_the_gradients_written_out(pool: Part, labelled: Labelled) -> None:
    state = fit_state("badge", labelled, SEED)
    found = candidates_of("badge", state, pool)
    told = shares(state.model, pool)[found.item]
    residual = told - np.eye(K)[told.argmax(axis=1)]
    gradient = (residual[:, :, None] * found.dense[:, None, :]).reshape(len(told), -1)
    rng = np.random.default_rng(SEED)
    rows = [int(np.square(gradient).sum(axis=1).argmax())]
    while len(rows) < 10:
        away = np.square(gradient[:, None] - gradient[None, rows]).sum(axis=2).min(axis=1)
        rows.append(int(np.searchsorted(np.cumsum(away), rng.random() * away.sum(), side="right")))
    assert choose("badge", state, found, 10, SEED).item.tolist() == found.item[rows].tolist()


def test_density_weighs_margin_by_the_mean_similarity_to_the_pool(pool: Part, labelled: Labelled) -> None:
    state = fit_state("density", labelled, SEED)
    score = expected("margin", shares(state.model, pool)) * np.maximum(
        (pool.dense @ pool.dense.T).mean(axis=1), 0
    )
    picks = picks_of("density", labelled, pool)
    assert picks.score == pytest.approx(np.sort(score)[::-1][:10], abs=1e-5)
    assert score[picks.item] == pytest.approx(picks.score, abs=1e-5)


def test_no_member_of_a_committee_loses_a_class(labelled: Labelled) -> None:
    rare = np.concatenate(
        [np.flatnonzero(labelled.target[:, 0] == 1)[:1], np.flatnonzero(labelled.target[:, 0] == 0)]
    )
    state = Committee().fit(labelled.take(rare), None, SEED)
    assert [member.fitted.tolist() for member in state.models] == [[0, 1, 2, 3]] * 5
    assert len({member.to_bytes() for member in state.models}) == 5


def test_a_committee_is_calibrated_on_what_its_members_did_not_see(labelled: Labelled) -> None:
    noisy = labelled_of(*blobs(300, K, seed=4, spread=2.0), K)
    members = Committee().fit(noisy, None, SEED).models
    assert all(member.temperature != 1 for member in members)


def test_the_score_of_a_committee_is_the_jensen_shannon_divergence(pool: Part, labelled: Labelled) -> None:
    members = Committee().fit(labelled, None, SEED).models
    told = np.array([member.probabilities(pool.sparse) for member in members], np.float64)
    wanted = entropy(told.mean(axis=0)) - entropy(told).mean(axis=0)
    assert divergence(members, pool) == pytest.approx(wanted, abs=1e-5)
    assert divergence((members[0], members[0]), pool) == pytest.approx(np.zeros(200), abs=1e-6)


def test_region_divides_its_budget_by_size_times_uncertainty() -> None:
    assert _shares(np.array([3.0, 1.0]), np.array([50, 50]), 8).tolist() == [6, 2]
    assert _shares(np.array([3.0, 1.0]), np.array([2, 50]), 8).tolist() == [2, 6]
    assert _shares(np.array([1.0, 1.0, 1.0]), np.array([9, 9, 9]), 10).tolist() == [4, 3, 3]
    assert _shares(np.zeros(2), np.array([5, 5]), 4).sum() == 4


def test_region_uses_every_strategy_and_chance_where_nothing_is_known() -> None:
    points, blob = far_apart(12, 30)
    known = labelled_of(points[blob < 8][::6], (blob[blob < 8] % K)[::6], K)
    picks = picks_of("region", known, part_of(points), 60)
    assert {reason["by"] for reason in picks.reason} == {"margin", "committee", "entropy", "random"}
    by_chance = [
        item for item, reason in zip(picks.item, picks.reason, strict=True) if reason["by"] == "random"
    ]
    assert (blob[by_chance] >= 8).mean() > 0.9


def again(answers: list[int] | None = None) -> tuple[Labelled, Part]:
    """Sixty labelled items, the first with a wrong label; a pool of these and of forty new ones."""
    points, label = blobs(100, 2, seed=5, spread=0.3)
    wrong = label[:60].copy()
    wrong[0] = 1 - wrong[0]
    tie = ties(100)
    known = replace(labelled_of(points[:60], wrong, 2), tie=tie[:60])
    if answers is not None:
        known = replace(known, answers=np.array(answers))
    return known, part_of(points, tie)


def test_an_item_with_a_likely_wrong_label_comes_before_new_ones() -> None:
    known, pool = again()
    picks = picks_of("label_again", known, pool, 5)
    assert picks.item[0] == 0
    assert picks.reason[0]["again"] == 1
    new = [reason["again"] for item, reason in zip(picks.item, picks.reason, strict=True) if item >= 60]
    assert set(new) <= {0}


def test_among_sure_items_new_ones_come_before_labelled_ones() -> None:
    known, pool = again()
    found = candidates_of("label_again", fit_state("label_again", known, SEED), pool, 100)
    score = dict(zip(found.item.tolist(), found.score.tolist(), strict=True))
    assert np.mean([score[item] for item in range(60, 100)]) > np.mean([score[item] for item in range(1, 60)])


def test_more_answers_that_agree_leave_less_doubt() -> None:
    known, pool = again([1, 1, *[3] * 58])
    state = LabelAgain().fit(known, fit_state("margin", known, SEED).model, SEED)
    many = LabelAgain().fit(replace(known, answers=np.array([1, 3, *[3] * 58])), state.model, SEED)
    place = int(np.searchsorted(state.arrays["tie"], known.tie[1]))
    assert many.arrays["doubt"][place] < state.arrays["doubt"][place]
    assert len(LabelAgain().score(state, pool)) == 100


def test_a_cold_start_takes_an_item_of_each_blob_and_leaves_out_what_is_like_nothing_else() -> None:
    points, blob = far_apart(8, 25)
    odd = np.random.default_rng(1).standard_normal((2, 8)) - 5
    nothing = labelled_of(points[:0], np.empty(0, np.intp), K)
    picks = picks_of("margin", nothing, part_of(np.vstack([points, odd])), 8)
    assert picks.item.max() < 200
    assert len(set(blob[picks.item].tolist())) >= 7
    assert picks.score.tolist() == sorted(picks.score, reverse=True)


def test_a_cold_start_goes_on_where_nothing_is_labelled() -> None:
    points, blob = far_apart(8, 25)
    known = labelled_of(points[blob < 4][::5], np.zeros(20, np.intp), K)
    picks = picks_of("margin", known, part_of(points), 4)
    assert set(blob[picks.item].tolist()) <= {4, 5, 6, 7}


def test_density_is_the_mean_similarity_to_the_twenty_nearest(pool: Part) -> None:
    similar = (pool.dense @ pool.dense.T).astype(np.float64)
    np.fill_diagonal(similar, -1)
    wanted = np.sort(similar, axis=1)[:, -20:].mean(axis=1)
    assert densities(pool.dense) == pytest.approx(wanted, abs=1e-5)


def test_clusters_are_numbered_and_counted(pool: Part) -> None:
    found = k_means(pool.dense, 7, SEED)
    assert np.bincount(found.cluster).tolist() == found.sizes.tolist()
    for own, row in enumerate(found.nearest()):
        inside = np.flatnonzero(found.cluster == own)
        assert found.distances()[row] == found.distances()[inside].min()


def test_hashes_by_another_seed_are_another_order() -> None:
    tie = ties(1000)
    one, other = hashed(tie, 1), hashed(tie, 2)
    assert len(set(one.tolist())) == 1000
    assert abs(np.corrcoef(one.astype(float), other.astype(float))[0, 1]) < 0.1
    assert abs(np.corrcoef(one.astype(float), tie.astype(float))[0, 1]) < 0.1
