"""Sets and texts: answers that are more or less alike."""

import numpy as np
import pytest

from core.numerics.agreement import agreement_report
from core.numerics.alpha import Level, Scale, krippendorff_alpha
from core.numerics.distances import alpha_by_similarity, compare
from core.numerics.results import Reason
from core.numerics.sets import Sets, jaccard_similarity, masi_similarity, set_agreement
from core.numerics.table import Bools, Floats, Ints, LabelTable, Patterns, find_patterns
from core.numerics.texts import standardised, text_agreement
from tests.numerics.tables import from_matrix

SETS = ["", "a", "b", "ab", "abc"]
MEMBERS = np.array([[thing in held for thing in "abc"] for held in SETS])
NONE = np.zeros(len(SETS), dtype=bool)


def patterns_of(rows: list[list[int | None]], classes: int = len(SETS)) -> Patterns:
    return find_patterns(from_matrix(rows, range(classes))).patterns


def equal(one: Ints, other: Ints) -> Floats:
    found: Floats = (one == other).astype(float)
    return found


def some_answers(classes: int, seed: int = 1) -> LabelTable:
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 5, 80)
    item = np.repeat(np.arange(80), sizes)
    annotator = np.concatenate([random.permutation(6)[:size] for size in sizes])
    label = (random.integers(0, classes, 80)[item] + random.integers(0, 3, item.size)) % classes
    return LabelTable(item, annotator, label, classes)


def test_jaccard_and_masi_of_two_sets() -> None:
    pairs = [("", ""), ("", "a"), ("a", "ab"), ("ab", "abc"), ("a", "b")]
    one, other = (np.array([SETS.index(pair[side]) for pair in pairs]) for side in (0, 1))
    assert jaccard_similarity(Sets.of(MEMBERS), one, other).tolist() == pytest.approx([1, 0, 1 / 2, 2 / 3, 0])
    assert masi_similarity(Sets.of(MEMBERS), one, other).tolist() == pytest.approx([1, 0, 1 / 3, 4 / 9, 0])
    assert masi_similarity(Sets.of(MEMBERS), other, one).tolist() == pytest.approx([1, 0, 1 / 3, 4 / 9, 0])


def test_more_things_than_fit_a_byte() -> None:
    members = np.zeros((2, 20), dtype=bool)
    members[0, :15] = members[1, 5:] = True
    one, other = np.array([0]), np.array([1])
    assert jaccard_similarity(Sets.of(members), one, other).tolist() == [10 / 20]
    assert masi_similarity(Sets.of(members), one, other).tolist() == pytest.approx([10 / 20 / 3])


def test_agreement_on_sets_by_hand() -> None:
    # Item 1: {a}, {a, b}: 1/2. Item 2: {b} twice: 1. Item 3: {} and {a, b}: 0. Item 4 has one answer.
    found = set_agreement(patterns_of([[1, 3], [2, 2], [0, 3], [1, None]]), MEMBERS, NONE)
    assert found["jaccard_similarity"].value == pytest.approx((1 / 2 + 1 + 0) / 3)
    # Pairs of a, ab, b, b, "", ab, unordered: a-ab and b-ab 1/2 apart (6 pairs), ab-ab and b-b 0, else 1.
    pairs, apart = 15, 6 * (1 / 2) + (15 - 6 - 2)
    assert found["alpha_jaccard"].value == pytest.approx(1 - ((1 / 2 + 0 + 1) / 3) / (apart / pairs))
    far = 6 * (2 / 3) + 7
    assert found["alpha_masi"].value == pytest.approx(1 - ((2 / 3 + 0 + 1) / 3) / (far / pairs))
    assert found["alpha_masi"].n_items == 3


def test_sets_that_count_as_disagreement_are_like_nothing() -> None:
    patterns = patterns_of([[1, 1], [3, 3], [1, 3]])
    apart = set_agreement(patterns, MEMBERS, NONE | (np.arange(5) == 3))
    assert apart["jaccard_similarity"].value == pytest.approx(1 / 3)
    # Of the answers a a a, and three that are apart: 3 pairs are the same, 12 are not; observed 0, 1, 1.
    assert apart["alpha_jaccard"].value == pytest.approx(1 - (2 / 3) / (12 / 15))


@pytest.mark.parametrize("alone", [[], [2], [0, 4]])
def test_alpha_of_equality_is_nominal_alpha(alone: list[int]) -> None:
    apart: Bools = np.isin(np.arange(5), alone)
    patterns = find_patterns(some_answers(5)).patterns
    scale = Scale(Level.NOMINAL, np.zeros(5), np.zeros(5, dtype=bool), np.where(apart, 0.0, 1.0))
    expected = krippendorff_alpha(patterns, scale, 80)
    found = alpha_by_similarity(compare(patterns, apart, equal), 80, most_pairs=1 << 20, seed=0)
    assert found.value == pytest.approx(expected.value)
    assert found.se == pytest.approx(expected.se)
    assert (found.n_items, found.n_pairs) == (expected.n_items, expected.n_pairs)


def test_a_sample_of_pairs_comes_close_to_all_pairs_and_is_the_same_each_time() -> None:
    patterns = find_patterns(some_answers(60)).patterns
    values = np.linspace(0, 1, 60)

    def near(one: Ints, other: Ints) -> Floats:
        return 1 - np.abs(values[one] - values[other])

    compared = compare(patterns, np.zeros(60, dtype=bool), near)
    exact = alpha_by_similarity(compared, 80, most_pairs=60**2, seed=0)
    sampled = alpha_by_similarity(compared, 80, most_pairs=30**2, seed=0)
    assert exact.value is not None
    assert sampled.value != exact.value
    assert sampled.value == pytest.approx(exact.value, abs=0.02)
    assert sampled.se == pytest.approx(exact.se, rel=0.1)
    assert sampled == alpha_by_similarity(compared, 80, most_pairs=30**2, seed=0)
    assert sampled != alpha_by_similarity(compared, 80, most_pairs=30**2, seed=1)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], Reason.NO_OVERLAP),
        ([[1, None]], Reason.NO_OVERLAP),
        ([[1, 2]], Reason.TOO_FEW_ITEMS),
        ([[1, 1], [1, 1]], Reason.ONE_CLASS),
    ],
)
def test_reasons_of_alphas_that_cannot_be_computed(rows: list[list[int | None]], reason: Reason) -> None:
    found = set_agreement(patterns_of(rows), MEMBERS, NONE)
    assert (found["alpha_jaccard"].reason, found["alpha_masi"].reason) == (reason, reason)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  Great\tTIT. ", "great tit"),
        ("«Straße»", "strasse"),
        ("ﬁnch", "finch"),
        ("\uff11\uff12 birds!?", "12 birds"),
        ("don't", "don't"),
        ("...", ""),
        ("A\u030a", "å"),
    ],
)
def test_texts_are_written_one_way(text: str, plain: str) -> None:
    assert standardised(text) == plain
    assert standardised(plain) == plain


def test_agreement_on_texts_by_hand() -> None:
    texts = ["wren", "Wren!", "wrens", "", "owl"]
    # wren/Wren!: equal once standardised. wren/wrens: one letter of five. ""/owl: all of three.
    found = text_agreement(patterns_of([[0, 1], [0, 2], [3, 4], [4, 4]]), texts)
    assert found["exact"].value == 1 / 4
    assert found["standardised"].value == 2 / 4
    assert found["edit_similarity"].value == pytest.approx((1 + 4 / 5 + 0 + 1) / 4)
    # wren x 3, wrens, "" and owl x 3, 28 pairs: 3 of wren and wrens, 12 with owl, 7 with nothing, 6 the same.
    apart = 3 * (1 / 5) + 12 * 1.0 + 7 * 1.0
    assert found["alpha_edit"].value == pytest.approx(1 - ((0 + 1 / 5 + 1 + 0) / 4) / (apart / 28))


@pytest.mark.parametrize("limit", [{"most_pairs": 1000}, {"most_letters": 1000 * 16.3**2}])
def test_beyond_so_many_letters_a_sample_is_compared_and_says_so(limit: dict[str, int]) -> None:
    random = np.random.default_rng(2)
    n = 3000
    label = np.repeat(random.integers(0, 500, n), 2) * 2 + random.integers(0, 2, 2 * n)
    texts = [f"{'heron' if code % 2 else 'herons'} number {code // 2}" for code in range(1000)]
    table = LabelTable(np.repeat(np.arange(n), 2), np.tile([0, 1], n), label, 1000)
    patterns = find_patterns(table).patterns
    everything, some = text_agreement(patterns, texts), text_agreement(patterns, texts, **limit)
    assert everything["edit_similarity"].n_items == 3000
    drawn = some["edit_similarity"].n_items
    assert 900 <= drawn <= 1100  # a text is about 16.3 letters long
    assert (some["alpha_edit"].n_items, some["exact"]) == (drawn, everything["exact"])
    whole, part = everything["edit_similarity"], some["edit_similarity"]
    assert whole.value is not None
    assert part.ci is not None
    assert part.ci[0] < whole.value < part.ci[1]
    assert some == text_agreement(patterns, texts, **limit)


def test_no_texts_at_all() -> None:
    found = text_agreement(patterns_of([], 0), [])
    assert {figure.reason for figure in found.values()} == {Reason.NO_OVERLAP}


def test_classes_of_sets_are_ticked_or_not() -> None:
    # Sets of Ann and Ben: a/ab, b/b, none/ab, abc/abc.
    table = from_matrix([[1, 3], [2, 2], [0, 3], [4, 4]], range(5))
    rows = agreement_report(table, members=MEMBERS).per_class
    assert [(row.label, row.n) for row in rows] == [(0, 5), (1, 6), (2, 2)]
    a, b, c = rows
    assert a.specific_agreement.value == pytest.approx(4 / 5)
    assert b.specific_agreement.value == pytest.approx(4 / 6)
    assert c.specific_agreement.value == 1.0
    ticked = from_matrix([[0, 0], [1, 1], [1, 0], [0, 0]], range(2))
    alpha = agreement_report(ticked).coefficients["krippendorff_alpha"]
    assert a.alpha.value == pytest.approx(alpha.value)
    assert a.alpha.se == pytest.approx(alpha.se)
    most = agreement_report(table, members=MEMBERS, max_classes=1)
    assert ([row.label for row in most.per_class], most.classes_cut) == ([1], 2)
