"""Intervals for a claim about new labelers and new items: both are taken as drawn from many.

The variance of a coefficient is that of its items plus that of its labelers. The first comes from one influence per
item, as for its linearised standard error. The second comes from one score per labeler, the change of the coefficient as all the
answers of that person count more, less what chance in the answers to single items puts into these scores
(multiway clustering: Cameron, Gelbach and Miller 2011; pairs of people: Aronow, Samii and Assenova 2015).

An answer changes an agreement twice as much through its pairs as its item's share of them says, because both ends
of a pair are somebody's. Among L people each meets the L - 1 others only, so leaving one out also shifts the pairs
of the rest: as in the jackknife of a mean over pairs, the part of the pairs is multiplied by (L - 1) / (L - 2).
docs/coverage.md shows how often the intervals hold the truth, and what else was tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from core.numerics import partners
from core.numerics.alpha import Level, Scale, ratio_distances
from core.numerics.bootstrap import COEFFICIENTS
from core.numerics.intervals import fisher_interval, logit_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Floats, Ints, PatternIndex, Patterns, condense, totals

FEWEST_ANNOTATORS = 3
_NO_CHANCE_LEFT = 1e-12


@dataclass(frozen=True, eq=False)
class Influence:
    """What one more answer of an entry changes in a coefficient: through its pairs, and through the class totals.

    One number per entry of the patterns each. With pairs counted once and summed over an item they are the
    influence of the item; with pairs counted twice and summed over a labeler's answers, that of the labeler.
    """

    pairs: Floats
    margins: Floats


@dataclass(frozen=True, eq=False)
class _Cells:
    """How many answers each annotator gave in each entry, where there are any."""

    annotator: Ints
    entry: Ints
    count: Ints
    n_annotators: int


def two_way(
    index: PatternIndex,
    estimates: Mapping[str, Figure],
    *,
    scale: Scale,
    weight: Floats,
    n_permitted: int,
) -> dict[str, Figure]:
    """The figures of `estimates` with intervals that cover new items and new labelers.

    `estimates` are the linearised figures of bootstrap.COEFFICIENTS made from the same patterns (others are left out
    of the answer), `scale` that of alpha, `weight` (per class) and `n_permitted` classes those of the others.
    With fewer than three annotators every figure is without a value, for that reason. The interval is Student's with
    a degree of freedom less than there are annotators, on the scale of log odds for percent agreement and on
    Fisher's for the coefficients.
    """
    wanted = {name: figure for name, figure in estimates.items() if name in COEFFICIENTS}
    cells = _cells(index)
    if cells.n_annotators < FEWEST_ANNOTATORS:
        return {
            name: figure
            if figure.value is None
            else Figure.missing(Reason.TOO_FEW_ANNOTATORS, n_items=figure.n_items, n_pairs=figure.n_pairs)
            for name, figure in wanted.items()
        }
    p = index.patterns
    found = dict(wanted)
    for name, figure in wanted.items():
        if figure.value is None or figure.ci is None:
            continue
        if name == "krippendorff_alpha":
            influence = alpha_influence(p, scale)
        else:
            influence = share_influence(p, name, weight, n_permitted)
        se = float(np.sqrt(_item_variance(p, figure, influence) + _labeler_variance(p, cells, influence)))
        interval = logit_interval if name == "percent_agreement" else fisher_interval
        low, high = interval(figure.value, se, cells.n_annotators - 1)
        found[name] = replace(figure, se=se, ci=(float(low), float(high)), method=Method.TWO_WAY)
    return found


def share_influence(p: Patterns, name: str, weight: Floats, n_permitted: int) -> Influence:
    """Influence on percent agreement or one of the coefficients that correct it by class shares."""
    n = p.n_items
    several = p.size >= 2  # noqa: PLR2004 -- a pair takes two
    used = float(p.multiplicity @ several)
    size = p.size[p.row]
    alike = weight[p.label] * (p.count - 1) / np.maximum(size - 1, 1)
    percent = float((p.multiplicity[p.row] * p.count) @ (alike / size)) / used
    pairs = np.where(several[p.row], alike - percent, 0.0) / (size * used)
    if name == "percent_agreement":
        return Influence(pairs, np.zeros_like(pairs))
    shares = p.per_class(p.multiplicity[p.row] * p.count / size) / n
    if name == "gwet_ac1":
        factor = float(weight.sum()) / (n_permitted * (n_permitted - 1))
        expected, change = factor * float(shares @ (1 - shares)), factor * (1 - 2 * shares)
    elif name == "brennan_prediger":
        expected, change = float(weight.sum()) / n_permitted**2, np.zeros_like(shares)
    else:
        expected, change = float(weight @ shares**2), 2 * weight * shares
    room = max(1 - expected, _NO_CHANCE_LEFT)
    value = (percent - expected) / room
    moved = (change[p.label] - float(change @ shares)) / (size * n)
    return Influence(pairs / room, -(1 - value) * moved / room)


def alpha_influence(patterns: Patterns, scale: Scale) -> Influence:
    """Influence on Krippendorff's alpha at any level; entries of items with one answer have none."""
    several = patterns.size >= 2  # noqa: PLR2004 -- a pair takes two
    entries = several[patterns.row]
    p = patterns.overlapping()
    within, between, within_change, between_change = _distances(p, scale)
    items = (p.multiplicity[p.row] * p.count).astype(np.float64)
    answers, a, b = float(items.sum()), float(items @ within), between
    # 1 - alpha is (A / pairs) / (B / N²), where each answer has weight 1 among the pairs.
    ratio = answers * a / b
    through_pairs = -ratio * (within / max(a, _NO_CHANCE_LEFT) - 1 / answers)
    margins = -ratio * (
        within_change[p.label] / max(a, _NO_CHANCE_LEFT) + 2 / answers - between_change[p.label] / b
    )
    whole = Influence(np.zeros(patterns.row.size), np.zeros(patterns.row.size))
    whole.pairs[entries], whole.margins[entries] = through_pairs, margins
    return whole


def _distances(p: Patterns, scale: Scale) -> tuple[Floats, float, Floats, Floats]:
    """Mean distance to the partners per entry, B, and per class what one more answer changes in A and B."""
    ranked = partners.ranked_classes(scale)
    every = p.per_class(p.multiplicity[p.row] * p.count)
    n, n_ranked = float(every.sum()), float(every[ranked].sum())
    alike = partners.agree_alike(scale)
    near = np.where(ranked, 2 * n_ranked - 1, alike * (2 * every - 1))
    apart_change = 2 * n - 1 - near
    apart = n * (n - 1) - n_ranked * (n_ranked - 1)
    apart -= float(np.where(ranked, 0.0, alike) @ (every * (every - 1)))
    within = partners.apart(p, scale)
    if not ranked.any():
        return within, apart, np.zeros(p.n_classes), apart_change

    held = np.where(ranked, every, 0.0)
    in_use = held > 0
    still = np.zeros(p.n_classes)
    within_change, furthest_change = still, still
    if scale.level is Level.RATIO:
        largest = float(scale.value[in_use].max(initial=0.0)) or 1.0
        position = np.where(in_use, scale.value / largest, 0.0)
        numbers = partners.relative(p, scale)
        towards = np.where(in_use, ratio_distances(position, held), 0.0)
        between_change = 2 * towards
    else:
        position = _positions(scale, held)
        numbers = partners.squared(p, scale, position)
        mean = float(held @ position) / max(n_ranked, 1.0)
        spread = float(held @ (position - mean) ** 2)
        towards = np.where(ranked, n_ranked * (position - mean) ** 2 + spread, 0.0)
        between_change = 2 * towards
        if scale.level is Level.ORDINAL and in_use.any():
            within_change, moved, furthest_change = _rank_changes(p, scale, held, position)
            between_change = between_change + moved
    between = float(held @ towards)
    if ranked.all():
        return numbers, between, within_change, between_change
    furthest = _furthest(scale.level, position[in_use])
    apart_within = float((p.multiplicity[p.row] * p.count) @ within)
    return (
        numbers + furthest * within,
        between + furthest * apart,
        within_change + apart_within * furthest_change,
        between_change + furthest * apart_change + apart * furthest_change,
    )


def _furthest(level: Level, positions: Floats) -> float:
    """The largest distance between positions in use; 1 without one, for alpha has no unit."""
    if positions.size == 0:
        return 1.0
    low, high = positions.min(), positions.max()
    furthest = partners.relative_distance(low, high) if level is Level.RATIO else (high - low) ** 2
    return float(furthest) or 1.0


def _positions(scale: Scale, held: Floats) -> Floats:
    """The numbers of an interval scale, or the mid-ranks of an ordinal one, shifted and shrunk to be small."""
    in_use = held > 0
    if not in_use.any():
        return np.zeros_like(scale.value)
    if scale.level is Level.INTERVAL:
        low, high = float(scale.value[in_use].min()) / 2, float(scale.value[in_use].max()) / 2
        return np.where(in_use, (scale.value - (low + high)) / ((high - low) or 1.0), 0.0)
    place = partners.places(scale, ~scale.unranked)
    return partners.midranks(totals(place, held, int(place.max()) + 1))[place]


def _rank_changes(p: Patterns, scale: Scale, held: Floats, position: Floats) -> tuple[Floats, Floats, Floats]:
    """Per class what one more answer changes in A, B and the furthest distance by moving the mid-ranks.

    Ranks are shares of all answers. An answer moves those above its own by one answer and its own by a half; the
    change of the unit is left out, as alpha has none.
    """
    ranked = ~scale.unranked
    place = partners.places(scale, ranked)
    n = max(float(held.sum()), 1.0)
    count = p.count * ranked[p.label]
    x = position[p.label]
    pull = p.multiplicity * 4 / (p.size - 1)
    size, first = p.per_row(count), p.per_row(count * x)
    within = p.per_class(count * ((pull * size)[p.row] * x - (pull * first)[p.row]))
    between = 4 * held * (n * position - float(held @ position))
    moved = []
    for by_class in (within, between):
        by_place = totals(place, by_class * ranked, int(place.max()) + 1)
        above = by_place.sum() - np.cumsum(by_place)
        moved.append(np.where(ranked, (above + by_place / 2)[place], 0.0) / n)
    used = place[held > 0]
    ends = 0.5 * (place == used.min()) + 0.5 * (place == used.max())
    reach = float(np.ptp(position[held > 0]))
    return moved[0], moved[1], np.where(ranked, 2 * reach * (1 - ends) / n, 0.0)


def _cells(index: PatternIndex) -> _Cells:
    table, entries = index.table, max(index.patterns.row.size, 1)
    if len(table) == 0:
        empty = np.empty(0, dtype=np.intp)
        return _Cells(empty, empty, empty, 0)
    keys, place = condense(table.annotator * entries + index.entry_of_answer)
    people, annotator = condense(keys // entries)
    count = np.bincount(place, minlength=keys.size)
    return _Cells(annotator, keys % entries, count.astype(np.intp), int(people.size))


def _item_variance(p: Patterns, figure: Figure, influence: Influence) -> float:
    """Variance of a coefficient from its items alone, labelers held fixed."""
    of_item = p.per_row(p.count * (influence.pairs + influence.margins))
    return float(p.multiplicity @ of_item**2) * figure.n_items / (figure.n_items - 1)


def _labeler_variance(p: Patterns, cells: _Cells, influence: Influence) -> float:
    """Variance of a coefficient from its labelers alone.

    Scores q of answers sum to S over a labeler, to Q over an item and to nothing over all. If labelers were all
    alike, the expectation of Σ S² would be Σ q² - 2 Σ w q Q + Σ w² Σ Q², w being each labeler's share of all
    answers: what is beyond that comes from labelers. Never below 0.
    """
    people = cells.n_annotators
    score = 2 * (people - 1) / (people - 2) * influence.pairs + influence.margins
    of_item = p.per_row(p.count * score)
    score = score - float((p.multiplicity @ of_item) / (p.multiplicity @ p.size))
    of_item = p.per_row(p.count * score)
    of_labeler = totals(cells.annotator, cells.count * score[cells.entry], people)
    share = totals(cells.annotator, cells.count, people) / cells.count.sum()
    by_chance = float((p.multiplicity[p.row] * p.count) @ score**2)
    by_chance -= 2 * float((cells.count * share[cells.annotator]) @ (score * of_item[p.row])[cells.entry])
    by_chance += float(share @ share) * float(p.multiplicity @ of_item**2)
    return max(float(of_labeler @ of_labeler) - by_chance, 0.0) / (1 - float(share @ share))
