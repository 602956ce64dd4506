"""How often 95 % intervals of agreement hold the truth, on simulated data whose truth is known exactly.

    nice -n 19 python -m benchmarks.coverage [--sets 4000] [--workers 1] [--seed 1]

Three answers per item from three classes; an answer is the item's true class with the labeler's own accuracy, any
other class otherwise. First part: the same three labelers answer every item, and items are drawn anew for every data
set. Second part: so are the labelers, 20 or 50 of them with accuracies from Beta(8, 2.2), three of whom answer each
item. Prints the tables of docs/coverage.md. All data sets of a cell are computed at once; some of each are also
given to the product's own functions, and the run stops if an interval differs.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from core.numerics.alpha import krippendorff_alpha, nominal_scale
from core.numerics.bootstrap import evaluators
from core.numerics.coefficients import Observed, fleiss_kappa, gwet_ac1, percent_agreement
from core.numerics.intervals import fisher_interval, logit_interval, skewed_interval, t_interval
from core.numerics.results import Figure
from core.numerics.table import LabelTable, Patterns, find_patterns
from core.numerics.two_way import two_way

Floats = npt.NDArray[np.float64]
Ends = tuple[Floats, Floats]

K, ANSWERS = 3, 3
EVEN, SKEWED = (0.5, 0.3, 0.2), (0.9, 0.08, 0.02)
ITEMS = (50, 200, 1000)
CROWDS = {"ordinary": (0.9, 0.8, 0.7), "careful": (0.97, 0.95, 0.9)}
POOLS = (20, 50)
NAMES = ("percent_agreement", "krippendorff_alpha", "gwet_ac1", "fleiss_kappa")
DRAWS = 1000
PIGEONHOLE_DRAWS = 200
CHECKED = 5  # data sets of each cell that the product's own functions see, too
AT_ONCE = 500_000

PATTERN = np.array([c for c in itertools.product(range(ANSWERS + 1), repeat=K) if sum(c) == ANSWERS])
AGREEING = (PATTERN * (PATTERN - 1)).sum(axis=1) / (ANSWERS * (ANSWERS - 1))
SHARE = PATTERN / ANSWERS


@dataclass
class Estimates:
    """Values of one coefficient for many data sets, and the influences of their items (sets x items or patterns).

    `weight` is how many items have each influence.
    """

    value: Floats
    influence: Floats
    weight: Floats

    @property
    def n(self) -> Floats:
        items: Floats = self.weight.sum(axis=1)
        return items

    @property
    def se(self) -> Floats:
        squares = (self.weight * self.influence**2).sum(axis=1)
        error: Floats = np.sqrt(squares / (self.n * (self.n - 1)))
        return error

    @property
    def skewness(self) -> Floats:
        squares = (self.weight * self.influence**2).sum(axis=1)
        cubes = (self.weight * self.influence**3).sum(axis=1)
        return np.where(squares > 0, cubes / np.maximum(squares, 1e-100) ** 1.5, 0.0)


@dataclass
class Cell:
    """One row of a table for each coefficient: in how many of the data sets each method held the truth."""

    about: tuple[str, ...]
    shares: str
    truth: dict[str, float] = field(default_factory=dict)
    held: dict[tuple[str, str], list[npt.NDArray[np.bool_]]] = field(default_factory=dict)

    def see(self, name: str, method: str, ends: Ends) -> None:
        low, high = ends
        known = np.isfinite(low) & np.isfinite(high)
        inside = (low[known] <= self.truth[name] + 1e-12) & (high[known] >= self.truth[name] - 1e-12)
        self.held.setdefault((name, method), []).append(inside)

    def coverage(self, name: str, method: str) -> float:
        return 100 * float(np.concatenate(self.held[name, method]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sets", type=int, default=4000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    one_way = [(crowd, shares, items) for crowd in CROWDS for shares in (EVEN, SKEWED) for items in ITEMS]
    both_ways = [(pool, shares, items) for pool in POOLS for shares in (EVEN, SKEWED) for items in ITEMS]
    fixed = partial(labelers_fixed, sets=options.sets, seed=options.seed)
    drawn = partial(labelers_drawn, sets=options.sets, seed=options.seed)
    if options.workers == 1:
        first, second = list(map(fixed, one_way)), list(map(drawn, both_ways))
    else:
        with ProcessPoolExecutor(options.workers) as pool:
            first, second = list(pool.map(fixed, one_way)), list(pool.map(drawn, both_ways))
    print(f"{options.sets} data sets per cell, seed {options.seed}.\n")
    print("## Items drawn anew, labelers fixed\n")
    show(("labelers",), first)
    print("\n## Items and labelers drawn anew\n")
    show(("pool",), second)


def show(about: tuple[str, ...], cells: list[Cell]) -> None:
    """A table of coverage, and how far each method is from 95 % on the average and at its worst."""
    methods = list(dict.fromkeys(method for cell in cells for _, method in cell.held))
    print("| " + " | ".join((*about, "shares", "items", "coefficient", "truth", *methods)) + " |")
    print("|" + "---|" * (len(about) + 4 + len(methods)))
    for cell in cells:
        for name in NAMES:
            row = [*cell.about[:-1], cell.shares, cell.about[-1], name, f"{cell.truth[name]:.3f}"]
            row += [f"{cell.coverage(name, method):.1f}" for method in methods]
            print("| " + " | ".join(row) + " |")
    print("\n| distance from 95 %, mean (lowest coverage) | " + " | ".join(methods) + " |")
    print("|" + "---|" * (1 + len(methods)))
    for shares in dict.fromkeys(cell.shares for cell in cells):
        for least in (0, 200):
            row = [f"shares {shares}, {'all cells' if least == 0 else '200 items or more'}"]
            for method in methods:
                seen = [
                    cell.coverage(name, method)
                    for cell in cells
                    for name in NAMES
                    if cell.shares == shares and int(cell.about[-1].replace(",", "")) >= least
                ]
                row.append(f"{np.abs(np.array(seen) - 95).mean():.2f} ({min(seen):.1f})")
            print("| " + " | ".join(row) + " |")


def labelers_fixed(cell: tuple[str, tuple[float, ...], int], *, sets: int, seed: int) -> Cell:
    """Coverage of the methods for one set of labelers."""
    crowd, shares, items = cell
    rng = np.random.default_rng([seed, list(CROWDS).index(crowd), int(100 * shares[0]), items])
    accuracy = np.array(CROWDS[crowd])
    chance = np.zeros(len(PATTERN))
    number = {tuple(pattern): i for i, pattern in enumerate(PATTERN.tolist())}
    for truth, said in itertools.product(range(K), itertools.product(range(K), repeat=ANSWERS)):
        right = np.array(said) == truth
        likely = float(np.prod(np.where(right, accuracy, (1 - accuracy) / (K - 1))))
        chance[number[tuple(np.bincount(said, minlength=K).tolist())]] += shares[truth] * likely
    found = Cell((crowd, f"{items:,}"), name_of(shares))
    found.truth = {name: float(one.value[0]) for name, one in estimates(chance[None], truth=True).items()}
    counts = rng.multinomial(items, chance, size=sets)
    for name, one in estimates(counts.astype(np.float64)).items():
        lowest = 0.0 if name == "percent_agreement" else -np.inf
        found.see(name, "linearised", t_interval(one.value, one.se, items - 1, lower=lowest))
        ends = skewed_interval(one.value, one.se, one.skewness, items - 1, lower=lowest)
        found.see(name, "skewness-corrected", ends)
        scale = logit_interval if name == "percent_agreement" else fisher_interval
        found.see(name, "logit or Fisher scale", scale(one.value, one.se, items - 1))
    for name, (values, one) in redrawn(counts, seed).items():
        for method, ends in (("item bootstrap", percentiles(values)), ("BCa", accelerated(values, one))):
            found.see(name, method, ends)
    check_fixed(counts[:CHECKED], found)
    return found


def name_of(shares: tuple[float, ...]) -> str:
    return "/".join(f"{share:g}"[1:] for share in shares)


def estimates(counts: Floats, *, truth: bool = False) -> dict[str, Estimates]:
    """Every coefficient of data sets given as counts of patterns; of whole populations if `truth`."""
    n = counts.sum(axis=1)
    percent = counts @ AGREEING / n
    shares = counts @ SHARE / n[:, None]
    return corrected(
        percent,
        shares,
        answers=np.full_like(n, np.inf) if truth else ANSWERS * n,
        agreeing=AGREEING[None],
        mean_of_item=of_patterns,
        weight=counts,
    )


def of_patterns(by_class: Floats) -> Floats:
    mean: Floats = by_class @ SHARE.T
    return mean


def corrected(
    percent: Floats,
    shares: Floats,
    *,
    answers: Floats,
    agreeing: Floats,
    mean_of_item: Callable[[Floats], Floats],
    weight: Floats,
) -> dict[str, Estimates]:
    """The coefficients and influences from what they rest on; `mean_of_item` averages a number per class."""
    found = {"percent_agreement": Estimates(percent, agreeing - percent[:, None], weight)}
    same = (shares**2).sum(axis=1)
    for name, factor, offset in (("gwet_ac1", -1 / (K - 1), 1.0), ("fleiss_kappa", 1.0, 0.0)):
        expected = factor * (same - offset)
        room = (1 - expected)[:, None]
        value = (percent - expected) / (1 - expected)
        moved = 2 * factor * (mean_of_item(shares) - same[:, None])
        influence = (agreeing - percent[:, None]) / room - (1 - value)[:, None] * moved / room
        found[name] = Estimates(value, influence, weight)
    fleiss = found["fleiss_kappa"]
    alpha = 1 - (1 - fleiss.value) * (1 - 1 / answers)
    found["krippendorff_alpha"] = Estimates(alpha, fleiss.influence, weight)
    return {name: found[name] for name in NAMES}


def patterns_of(counts: npt.NDArray[np.int64]) -> Patterns:
    """One data set for the product."""
    row, label = np.nonzero(PATTERN)
    size = np.full(len(PATTERN), ANSWERS)
    return Patterns(counts.astype(np.intp), size, row, label, PATTERN[row, label], K)


def redrawn(counts: npt.NDArray[np.int64], seed: int) -> dict[str, tuple[Floats, Estimates]]:
    """DRAWS replicates for every data set (sets x draws) by the product's evaluators, and the estimates."""
    items = int(counts[0].sum())
    every = patterns_of(np.ones(len(PATTERN), dtype=np.int64))
    scale = nominal_scale(K)
    evaluate = evaluators(every, list(NAMES), scale=scale, weight=np.ones(K), n_permitted=K)
    values = {name: np.empty((len(counts), DRAWS)) for name in NAMES}
    for i, one in enumerate(counts):
        draws = np.random.default_rng(seed).multinomial(items, one / items, size=DRAWS).astype(np.float64)
        for name in NAMES:
            values[name][i] = evaluate[name](draws)
    plain = estimates(counts.astype(np.float64))
    return {name: (np.sort(values[name], axis=1), plain[name]) for name in NAMES}


def percentiles(values: Floats) -> Ends:
    low, high = np.nanquantile(values, [0.025, 0.975], axis=1)
    return low, high


def accelerated(values: Floats, one: Estimates) -> Ends:
    """Efron's BCa interval from sorted replicates; ties with the estimate count half."""
    value = one.value[:, None]
    below = (values < value - 1e-9).mean(axis=1) + 0.5 * (np.abs(values - value) <= 1e-9).mean(axis=1)
    bias = ndtri(np.clip(below, 1 / DRAWS, 1 - 1 / DRAWS))
    ends = []
    for z in ndtri([0.025, 0.975]):
        at = ndtr(bias + (bias + z) / (1 - one.skewness / 6 * (bias + z)))
        ends.append(
            values[np.arange(len(values)), np.clip(np.rint(at * (DRAWS - 1)), 0, DRAWS - 1).astype(int)]
        )
    return ends[0], ends[1]


def figures(patterns: Patterns) -> dict[str, Figure]:
    seen = Observed(patterns, np.ones(K))
    return {
        "percent_agreement": percent_agreement(seen),
        "krippendorff_alpha": krippendorff_alpha(patterns, nominal_scale(K), patterns.n_items),
        "gwet_ac1": gwet_ac1(seen, K),
        "fleiss_kappa": fleiss_kappa(seen),
    }


def check_fixed(counts: npt.NDArray[np.int64], cell: Cell) -> None:
    """The product's standard errors are those of this benchmark."""
    here = estimates(counts.astype(np.float64))
    for i, one in enumerate(counts):
        for name, figure in figures(patterns_of(one)).items():
            if figure.value is None or figure.se is None:
                continue
            if not np.allclose((figure.value, figure.se), (here[name].value[i], here[name].se[i])):
                raise SystemExit(f"{name} of the product is another one: {cell.about}")


@dataclass
class Answers:
    """Data sets of one size: who answered and what, sets x items x answers."""

    who: npt.NDArray[np.intp]
    said: npt.NDArray[np.intp]
    pool: int

    @property
    def given(self) -> npt.NDArray[np.intp]:
        """How many answers each labeler gave, sets x pool."""
        sets = len(self.who)
        slot = (np.arange(sets)[:, None, None] * self.pool + self.who).ravel()
        return np.bincount(slot, minlength=sets * self.pool).reshape(sets, self.pool)


def labelers_drawn(cell: tuple[int, tuple[float, ...], int], *, sets: int, seed: int) -> Cell:
    """Coverage of the methods where both items and labelers are new in every data set."""
    pool, shares, items = cell
    rng = np.random.default_rng([seed, pool, int(100 * shares[0]), items])
    found = Cell((str(pool), f"{items:,}"), name_of(shares))
    accuracy = 8 / 10.2
    confusion = np.where(np.eye(K) > 0, accuracy, (1 - accuracy) / (K - 1))
    percent = np.array([(np.array(shares) @ confusion**2).sum()])
    answered = (np.array(shares) @ confusion)[None]
    population = corrected(
        percent,
        answered,
        answers=np.full(1, np.inf),
        agreeing=AGREEING[None],
        mean_of_item=of_patterns,
        weight=np.ones((1, 1)),
    )
    found.truth = {name: float(one.value[0]) for name, one in population.items()}
    for number, answers in enumerate(drawn_sets(rng, sets, pool, shares, items)):
        by_name, scores = answer_scores(answers)
        for name, one in by_name.items():
            fisher = logit_interval if name == "percent_agreement" else fisher_interval
            parts = {
                corrects: labelers(answers, *scores[name], corrects=corrects) for corrects in (True, False)
            }
            of_items = one.se**2
            df = (answers.given > 0).sum(axis=1) - 1
            found.see(name, "items only", t_interval(one.value, one.se, items - 1))
            found.see(name, "two-way", fisher(one.value, np.sqrt(of_items + parts[True][0]), df))
            straight = t_interval(one.value, np.sqrt(of_items + parts[True][0]), df)
            found.see(name, "two-way, plain scale", straight)
            plain = np.sqrt(of_items + parts[False][0])
            found.see(name, "item + labeler - cell", t_interval(one.value, plain, df))
            found.see(name, "labeler jackknife", t_interval(one.value, np.sqrt(parts[True][1]), df))
        if number == 0:
            check_drawn(answers, by_name, scores, found)
    few = max(sets // 10, 1)
    for answers in drawn_sets(rng, few, pool, shares, items):
        for name, ends in pigeonhole(answers, rng).items():
            found.see(name, "pigeonhole", ends)
    return found


def drawn_sets(
    rng: np.random.Generator, sets: int, pool: int, shares: tuple[float, ...], items: int
) -> Iterator[Answers]:
    step = max(1, AT_ONCE // (items * pool))
    for begin in range(0, sets, step):
        n = min(step, sets - begin)
        accuracy = rng.beta(8, 2.2, size=(n, pool))
        who = np.argpartition(rng.random((n, items, pool)), ANSWERS, axis=2)[:, :, :ANSWERS]
        truth = rng.choice(K, size=(n, items, 1), p=shares)
        right = rng.random(who.shape) < accuracy[np.arange(n)[:, None, None], who]
        wrong = (truth + rng.integers(1, K, size=who.shape)) % K
        yield Answers(who, np.where(right, truth, wrong), pool)


def answer_scores(answers: Answers) -> tuple[dict[str, Estimates], dict[str, tuple[Floats, Floats]]]:
    """Estimates, and the two parts of the influence of every answer: through its pairs, through the shares."""
    said = answers.said
    sets, items, _ = said.shape
    alike = ((said[..., :, None] == said[..., None, :]).sum(axis=3) - 1) / (ANSWERS - 1)
    percent = alike.mean(axis=(1, 2))
    shares = (said[..., None] == np.arange(K)).mean(axis=(1, 2))
    at = np.arange(sets)[:, None, None]
    found = corrected(
        percent,
        shares,
        answers=np.full(sets, float(ANSWERS * items)),
        agreeing=alike.mean(axis=2),
        mean_of_item=lambda by_class: by_class[at, said].mean(axis=2),
        weight=np.ones((sets, items)),
    )
    same = (shares**2).sum(axis=1)
    pairs = (alike - percent[:, None, None]) / (ANSWERS * items)
    drift = 2 * (shares[at, said] - same[:, None, None]) / (ANSWERS * items)
    scores = {"percent_agreement": (pairs, np.zeros_like(pairs))}
    for name, factor, offset in (
        ("krippendorff_alpha", 1.0, 0.0),
        ("gwet_ac1", -1 / (K - 1), 1.0),
        ("fleiss_kappa", 1.0, 0.0),
    ):
        expected = (factor * (same - offset))[:, None, None]
        value = found["fleiss_kappa" if factor == 1.0 else name].value[:, None, None]
        scores[name] = (pairs / (1 - expected), -(1 - value) * factor * drift / (1 - expected))
    return found, scores


def labelers(answers: Answers, pairs: Floats, margins: Floats, *, corrects: bool) -> tuple[Floats, Floats]:
    """Variance from labelers without what chance puts there, and with it.

    With `corrects` both as in core.numerics.two_way; without, pairs keep their weight, and chance is the plain sum
    of squares of the cells (Cameron, Gelbach and Miller).
    """
    sets, pool = len(answers.who), answers.pool
    given = answers.given
    wide = (given > 0).sum(axis=1)
    factor = ((wide - 1) / (wide - 2))[:, None, None] if corrects else 1.0
    score = 2 * factor * pairs + margins
    slot = (np.arange(sets)[:, None, None] * pool + answers.who).ravel()
    of_labeler = np.bincount(slot, weights=score.ravel(), minlength=sets * pool).reshape(sets, pool)
    share = given / given.sum(axis=1, keepdims=True)
    squares = (of_labeler**2).sum(axis=1)
    chance = (score**2).sum(axis=(1, 2))
    if not corrects:
        return np.maximum(squares * wide / (wide - 1) - chance, 0.0), squares * wide / (wide - 1)
    of_item = score.sum(axis=2, keepdims=True)
    own = share[np.arange(sets)[:, None, None], answers.who]
    chance -= 2 * (own * score * of_item).sum(axis=(1, 2))
    chance += (share**2).sum(axis=1) * (of_item**2).sum(axis=(1, 2))
    room = 1 - (share**2).sum(axis=1)
    return np.maximum(squares - chance, 0.0) / room, squares / room


def pigeonhole(answers: Answers, rng: np.random.Generator) -> dict[str, Ends]:
    """Owen's pigeonhole bootstrap: items and labelers drawn again, an answer counting as often as both together."""
    sets, items, _ = answers.said.shape
    ends: dict[str, list[Floats]] = {name: [] for name in NAMES}
    for i in range(sets):
        who, said = answers.who[i], answers.said[i]
        item = rng.multinomial(items, np.full(items, 1 / items), size=PIGEONHOLE_DRAWS).astype(np.float64)
        people = rng.multinomial(answers.pool, np.full(answers.pool, 1 / answers.pool), size=PIGEONHOLE_DRAWS)
        weight = people[:, who].astype(np.float64)
        both = agree = np.zeros((PIGEONHOLE_DRAWS, items))
        for a, b in itertools.combinations(range(ANSWERS), 2):
            pair = weight[..., a] * weight[..., b]
            both, agree = both + pair, agree + pair * (said[:, a] == said[:, b])
        percent = (item * agree).sum(axis=1) / np.maximum((item * both).sum(axis=1), 1.0)
        counted = item[..., None] * weight
        shares = np.stack([(counted * (said == k)).sum(axis=(1, 2)) for k in range(K)], axis=1)
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1.0)
        whole = np.full(PIGEONHOLE_DRAWS, float(ANSWERS * items))
        found = corrected(
            percent, shares, answers=whole, agreeing=AGREEING[None], mean_of_item=of_patterns, weight=item
        )
        for name in NAMES:
            ends[name].append(np.quantile(found[name].value, [0.025, 0.975]))
    stacked = {name: np.array(found) for name, found in ends.items()}
    return {name: (both[:, 0], both[:, 1]) for name, both in stacked.items()}


def check_drawn(
    answers: Answers,
    here: dict[str, Estimates],
    scores: dict[str, tuple[Floats, Floats]],
    cell: Cell,
) -> None:
    """The product's two-way standard errors are those of this benchmark."""
    items = answers.said.shape[1]
    item = np.repeat(np.arange(items), ANSWERS)
    for i in range(min(CHECKED, len(answers.who))):
        index = find_patterns(LabelTable(item, answers.who[i].ravel(), answers.said[i].ravel(), K))
        found = two_way(
            index, figures(index.patterns), scale=nominal_scale(K), weight=np.ones(K), n_permitted=K
        )
        for name, figure in found.items():
            if figure.value is None or figure.se is None:
                continue
            of_labelers = labelers(answers, *scores[name], corrects=True)[0][i]
            se = np.sqrt(here[name].se[i] ** 2 + of_labelers)
            if not np.allclose((figure.value, figure.se), (here[name].value[i], se)):
                raise SystemExit(f"{name} of the product is another one: {cell.about}")


if __name__ == "__main__":
    main()
