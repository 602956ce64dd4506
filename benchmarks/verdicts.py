"""How often the verdicts on a model, and the interval of the noise ceiling, are right where the truth is known.

    nice -n 19 python -m benchmarks.verdicts [--runs 1000]

Three people answer every item, out of twenty of unequal accuracy (.66 to .86, mean .76; errors fall on the other
classes alike). Prints the share of every verdict for models of a known lead, beside people and beside gold; Ng's
case, in which always saying the favourite beats people who agree on .58; and how often the ceiling's intervals hold
the true value. The tables of docs/hlp.md are this program's.
"""

import argparse
from collections import Counter

import numpy as np
import numpy.typing as npt

from core.numerics.ceiling import noise_ceiling
from core.numerics.evaluation import evaluate
from core.numerics.hlp import hlp_report
from core.numerics.references import References
from core.numerics.table import LabelTable, find_patterns

Labels = npt.NDArray[np.intp]
WORDS = ("above", "at", "below", "cannot_tell")
EVEN, SKEWED = (0.5, 0.3, 0.2), (0.9, 0.08, 0.02)
ACCURACY = np.linspace(0.66, 0.86, 20)


def noisy(rng: np.random.Generator, truth: Labels, accuracy: npt.NDArray[np.float64], classes: int) -> Labels:
    """The truth with the given probability, else one of the other classes."""
    wrong = (truth + rng.integers(1, classes, size=truth.shape)) % classes
    return np.where(rng.random(truth.shape) < accuracy, truth, wrong)


def table_of(who: Labels, labels: Labels, classes: int) -> LabelTable:
    """Items x answers as a table."""
    items, each = labels.shape
    return LabelTable(np.repeat(np.arange(items), each), who.ravel(), labels.ravel(), classes)


def draw_people(rng: np.random.Generator, items: int, each: int) -> Labels:
    """Different people for every item."""
    return rng.random((items, ACCURACY.size)).argpartition(each, axis=1)[:, :each]


def verdicts(
    runs: int, items: int, shares: tuple[float, ...], lead: float
) -> tuple[Counter[str], Counter[str]]:
    """Verdicts beside people and beside gold for a model whose accuracy is people's mean plus `lead`."""
    beside_people: Counter[str] = Counter()
    beside_gold: Counter[str] = Counter()
    for run in range(runs):
        rng = np.random.default_rng((run, items, int(100 * lead) + 50, len(shares)))
        truth = rng.choice(len(shares), size=items, p=shares)
        who = draw_people(rng, items, 3)
        people = table_of(who, noisy(rng, np.repeat(truth[:, None], 3, axis=1), ACCURACY[who], 3), 3)
        model = noisy(rng, truth, np.full(items, ACCURACY.mean() + lead), 3)
        references = References(find_patterns(people))
        for against_gold, counts in ((False, beside_people), (True, beside_gold)):
            found = evaluate(
                people,
                references,
                model,
                gold=truth,
                groups=np.full(items, -1),
                against_gold=against_gold,
                margin=0.05,
                epsilon=0.1,
                seed=run,
                n_classes=3,
            )
            counts[found.verdict] += 1
    return beside_people, beside_gold


def imitation(runs: int, items: int) -> Counter[str]:
    """Ng's case: 70 % of people say A, 30 % B, on every item; the model always says A."""
    found: Counter[str] = Counter()
    for run in range(runs):
        rng = np.random.default_rng((run, items))
        people = table_of(draw_people(rng, items, 3), (rng.random((items, 3)) < 0.3).astype(np.intp), 2)
        model = hlp_report(people, model=np.zeros(items, dtype=np.intp)).model
        assert model is not None
        found["imitates" if model.imitates_majority else model.verdict] += 1
    return found


def ceiling_coverage(
    runs: int, items: int, each: int, concentration: float | None
) -> tuple[float, float, float, float]:
    """Coverage and mean of the ceiling's interval, the true ceiling, coverage of the pair's interval.

    Shares of an item are Dirichlet with the given concentration; or, without one, the people of `verdicts`, all
    of the mean accuracy, whose shares are not Dirichlet.
    """
    pi = np.array(EVEN)
    accuracy = float(ACCURACY.mean())
    rng = np.random.default_rng((items, each, 9))

    def shares_of(n: int) -> npt.NDArray[np.float64]:
        if concentration is not None:
            return rng.dirichlet(concentration * pi, size=n)
        q = np.full((n, 3), (1 - accuracy) / 2)
        q[np.arange(n), rng.choice(3, size=n, p=pi)] = accuracy
        return q

    large = shares_of(1_000_000)
    true, true_pair = large.max(axis=1).mean(), (large**2).sum(axis=1).mean()
    inside = inside_pair = total = 0.0
    for _ in range(runs):
        q = shares_of(items).cumsum(axis=1)
        labels = (rng.random((items, each, 1)) > q[:, None, :-1]).sum(axis=2)
        who = np.tile(np.arange(each), (items, 1))
        found = noise_ceiling(find_patterns(table_of(who, labels, 3)).patterns)
        total += found.posterior.value or 0.0
        inside += found.posterior.ci is not None and found.posterior.ci[0] <= true <= found.posterior.ci[1]
        pair = found.posterior_pair.ci
        inside_pair += pair is not None and pair[0] <= true_pair <= pair[1]
    return inside / runs, total / runs, float(true), inside_pair / runs


def line(name: str, counts: Counter[str], runs: int) -> str:
    """One row of a table: percentages by verdict."""
    return f"{name:<44}" + "".join(f"{100 * counts[word] / runs:>13.1f}" for word in WORDS)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    print(f"{'verdicts in % of ' + str(runs) + ' runs':<44}" + "".join(f"{word:>13}" for word in WORDS))
    for shares, name in ((EVEN, "even"), (SKEWED, "skewed")):
        for items in (100, 500, 2000):
            for lead in (0.08, 0.0, -0.08):
                people, gold = verdicts(runs, items, shares, lead)
                print(line(f"{name}, {items} items, {lead:+.2f}, by people", people, runs))
                print(line(f"{name}, {items} items, {lead:+.2f}, by gold", gold, runs), flush=True)
    for items in (50, 100, 500):
        counts = imitation(runs, items)
        print(
            f"Ng's case, {items} items: imitates {100 * counts['imitates'] / runs:.1f} %, above {100 * counts['above'] / runs:.1f} %"
        )
    print("ceiling: coverage in %, mean estimate, truth, coverage of the pair's interval in %")
    for concentration in (0.5, 2.0, 8.0, None):
        for items, each in ((200, 3), (1000, 3), (200, 5), (1000, 10)):
            inside, mean, true, pair = ceiling_coverage(runs, items, each, concentration)
            name = "people with errors" if concentration is None else f"Dirichlet a = {concentration}"
            print(
                f"{name}, {items} x {each}: {100 * inside:.1f} {mean:.3f} {true:.3f} {100 * pair:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
