"""The numeric part of the agreement report beside plain peers, in one run on the same answers.

    python -m benchmarks.agreement [--items 1000000] [--per-item 3] [--classes 5] [--annotators 50]

Prints seconds and ratios: the whole report (every coefficient with its interval, classes, pairs, annotators);
alpha alone beside a per-item loop in numpy; all pairwise kappas beside a loop over scikit-learn. The two loops run
on a part of the items, because they are slow, and are scaled up to all of them; the factor is printed.
"""

import argparse
import itertools
import resource
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from core.numerics.aggregation import majority_vote
from core.numerics.agreement import agreement_report
from core.numerics.alpha import krippendorff_alpha, nominal_scale
from core.numerics.pairs import pair_agreements
from core.numerics.table import LabelTable, find_patterns

Matrix = npt.NDArray[np.intp]


def simulate(items: int, per_item: int, classes: int, annotators: int) -> tuple[Matrix, Matrix]:
    """Annotators and labels, items x answers: each answer is right with the annotator's own accuracy."""
    rng = np.random.default_rng(7)
    share = np.array([0.45, 0.25, 0.15, 0.10, 0.05]) if classes == 5 else np.full(classes, 1 / classes)
    truth = rng.choice(classes, size=items, p=share)
    accuracy = rng.beta(8, 2.2, size=annotators)
    first = rng.integers(annotators, size=items)
    step = rng.integers(1, max(annotators // per_item, 2), size=items)
    who = (first[:, None] + step[:, None] * np.arange(per_item)) % annotators
    right = rng.random((items, per_item)) < accuracy[who]
    wrong = (truth[:, None] + rng.integers(1, classes, size=(items, per_item))) % classes
    return who, np.where(right, truth[:, None], wrong)


def best(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of some runs."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def loop_alpha(labels: Matrix, classes: int) -> float:
    """Nominal alpha as one would write it down: a coincidence matrix summed item by item."""
    coincidences = np.zeros((classes, classes))
    for row in labels:
        count = np.bincount(row, minlength=classes)
        coincidences += (np.outer(count, count) - np.diag(count)) / (row.size - 1)
    totals = coincidences.sum(axis=0)
    n = totals.sum()
    observed = n - np.trace(coincidences)
    return float(1 - (n - 1) * observed / (n**2 - (totals**2).sum()))


def loop_kappas(who: Matrix, labels: Matrix, annotators: int) -> int:
    """Cohen's kappa of every pair by scikit-learn, on a wide array of items x annotators; how many there were."""
    from sklearn.metrics import cohen_kappa_score

    wide = np.full((who.shape[0], annotators), -1, dtype=np.int8, order="F")
    np.put_along_axis(wide, who, labels.astype(np.int8), axis=1)
    done = 0
    for a, b in itertools.combinations(range(annotators), 2):
        both = (wide[:, a] >= 0) & (wide[:, b] >= 0)
        if np.count_nonzero(both) > 1:
            cohen_kappa_score(wide[both, a], wide[both, b])
            done += 1
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--per-item", type=int, default=3)
    parser.add_argument("--classes", type=int, default=5)
    parser.add_argument("--annotators", type=int, default=50)
    parser.add_argument("--skip-peers", action="store_true")
    options = parser.parse_args()
    who, labels = simulate(options.items, options.per_item, options.classes, options.annotators)
    item = np.repeat(np.arange(options.items), options.per_item)
    flat_who, flat_labels = who.ravel(), labels.ravel()

    def table() -> LabelTable:
        return LabelTable(item, flat_who, flat_labels, options.classes)

    def alpha() -> object:
        patterns = find_patterns(table()).patterns
        return krippendorff_alpha(patterns, nominal_scale(options.classes), patterns.n_items)

    ones = np.ones(options.classes)
    shuffled = np.random.default_rng(1).permutation(item.size)
    loose = LabelTable(item[shuffled], flat_who[shuffled], flat_labels[shuffled], options.classes)
    report = best(lambda: agreement_report(table()))
    alone = best(alpha)
    kappas = best(lambda: pair_agreements(table(), ones, 10**6))
    votes = best(lambda: majority_vote(table()))
    print(f"{options.items} items x {options.per_item} answers, {options.classes} classes")
    print(f"  whole report, rows by item       {report:8.3f} s")
    print(f"  whole report, rows in any order  {best(lambda: agreement_report(loose), 1):8.3f} s")
    print(f"  alpha with standard error        {alone:8.3f} s")
    print(f"  all pairs, percent and kappa     {kappas:8.3f} s")
    print(f"  majority vote                    {votes:8.3f} s")
    print(
        f"  peak memory                      {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB"
    )
    if options.skip_peers:
        return
    part = min(options.items, 20_000)
    scale = options.items / part
    slow_alpha = best(lambda: loop_alpha(labels[:part], options.classes), 1) * scale
    print(f"  alpha, numpy loop (x {scale:g})       {slow_alpha:8.2f} s   ratio {slow_alpha / alone:.0f}")
    slow_kappas = best(lambda: loop_kappas(who, labels, options.annotators), 1)
    print(f"  kappas, scikit-learn loop        {slow_kappas:8.2f} s   ratio {slow_kappas / kappas:.0f}")


if __name__ == "__main__":
    main()
