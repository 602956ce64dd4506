"""One peer's figure on the arrays of a file: run by other benchmarks with an interpreter of the peer's own.

    <python of the peer's environment> benchmarks/peers.py NAME FILE [C of LogisticRegression]

Knows nothing of labelapp and needs only numpy and the peer; those that select need scipy and scikit-learn, which the
peers bring. Prints one JSON document: seconds, and the value.
"""

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

warnings.simplefilter("ignore")
DRAWS = 5
PICKS = 50
STRENGTH = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
Result = dict[str, Any]


def krippendorff_alpha(arrays: Arrays) -> Result:
    import krippendorff

    labels = arrays["labels"]
    slots = np.ascontiguousarray(labels.T).astype(float)
    seconds, value = timed(
        lambda: krippendorff.alpha(reliability_data=slots, level_of_measurement="nominal"), 3
    )
    rng = np.random.default_rng(1)

    def draw() -> float:
        chosen = rng.integers(len(labels), size=len(labels))
        value: float = krippendorff.alpha(reliability_data=slots[:, chosen], level_of_measurement="nominal")
        return value

    one, _ = timed(lambda: [draw() for _ in range(DRAWS)], 1)
    return {"seconds": seconds, "value": value, "bootstrap_draw_seconds": one / DRAWS}


def irrcac_ac1(arrays: Arrays) -> Result:
    import pandas as pd
    from irrCAC.raw import CAC

    frame = pd.DataFrame(arrays["labels"].astype(float))
    seconds, value = timed(lambda: CAC(frame).gwet()["est"]["coefficient_value"], 1)
    return {"seconds": seconds, "value": float(value)}


def sklearn_kappas(arrays: Arrays) -> Result:
    from itertools import combinations

    from sklearn.metrics import cohen_kappa_score

    labels, who = arrays["labels"], arrays["who"]
    people = int(who.max()) + 1
    wide = np.full((len(labels), people), -1, dtype=np.int8, order="F")
    np.put_along_axis(wide, who.astype(np.intp), labels, axis=1)

    def all_pairs() -> list[float]:
        found = []
        for a, b in combinations(range(people), 2):
            both = (wide[:, a] >= 0) & (wide[:, b] >= 0)
            if np.count_nonzero(both) > 1:
                found.append(cohen_kappa_score(wide[both, a], wide[both, b]))
        return found

    seconds, found = timed(all_pairs, 1)
    return {"seconds": seconds, "value": float(np.mean(found)), "pairs": len(found)}


def crowdkit_dawid_skene(arrays: Arrays) -> Result:
    import pandas as pd
    from crowdkit.aggregation import DawidSkene

    labels, who = arrays["labels"], arrays["who"]
    frame = pd.DataFrame(
        {
            "task": np.repeat(np.arange(len(labels)), labels.shape[1]),
            "worker": who.ravel(),
            "label": labels.ravel(),
        }
    )
    few, _ = timed(lambda: DawidSkene(n_iter=1, tol=0).fit(frame), 1)
    more, model = timed(lambda: DawidSkene(n_iter=4, tol=0).fit(frame), 1)
    return {"seconds": (more - few) / 3, "value": float(model.probas_.max(axis=1).mean())}


def smalltext_breaking_ties(arrays: Arrays) -> Result:
    from sklearn.linear_model import LogisticRegression
    from small_text import BreakingTies, PoolBasedActiveLearner, SklearnClassifierFactory, SklearnDataset

    rows, chosen, rest = pool_of(arrays)
    # The data set wants a label for every item; the learner looks at those of the chosen ones only.
    pool = SklearnDataset(rows, arrays["truth"], target_labels=np.unique(arrays["truth"]))
    factory = SklearnClassifierFactory(LogisticRegression(C=STRENGTH), len(pool.target_labels))
    learner = PoolBasedActiveLearner(factory, BreakingTies(), pool)
    shut = np.setdiff1d(np.arange(len(arrays["truth"])), np.union1d(chosen, rest))
    train, _ = processor_seconds(
        lambda: learner.initialize_data(chosen, arrays["truth"][chosen], indices_ignored=shut)
    )
    query, picks = processor_seconds(lambda: learner.query(num_samples=PICKS))
    said = learner.classifier.predict(pool[rest])
    return {"train": train, "query": query, "picks": len(picks), "accuracy": share_right(said, arrays, rest)}


def modal_margin(arrays: Arrays) -> Result:
    from modAL.uncertainty import margin_sampling

    return _modal(arrays, margin_sampling)


def modal_ranked_batch(arrays: Arrays) -> Result:
    from modAL.batch import uncertainty_batch_sampling

    return _modal(arrays, uncertainty_batch_sampling)


def _modal(arrays: Arrays, strategy: Callable[..., Any]) -> Result:
    from modAL.models import ActiveLearner
    from sklearn.linear_model import LogisticRegression

    rows, chosen, rest = pool_of(arrays)
    seen, left, label = rows[chosen], rows[rest], arrays["truth"][chosen]
    train, learner = processor_seconds(
        lambda: ActiveLearner(
            LogisticRegression(C=STRENGTH), query_strategy=strategy, X_training=seen, y_training=label
        )
    )
    query, (picks, _) = processor_seconds(lambda: learner.query(left, n_instances=PICKS))
    said = learner.predict(left)
    return {"train": train, "query": query, "picks": len(picks), "accuracy": share_right(said, arrays, rest)}


def pool_of(arrays: Arrays) -> tuple[Any, Array, Array]:
    """The features of all items, which of them are labelled, and which may be chosen."""
    from scipy import sparse

    parts = (arrays["data"], arrays["indices"], arrays["indptr"])
    shape = (len(arrays["truth"]), int(arrays["width"]))
    return sparse.csr_matrix(parts, shape), arrays["chosen"], arrays["open"]


def share_right(said: Array, arrays: Arrays, rest: Array) -> float:
    return float(np.mean(said == arrays["truth"][rest]))


def processor_seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.process_time()
    value = work()
    return time.process_time() - begin, value


def timed(work: Callable[[], Any], times: int) -> tuple[float, Any]:
    best, value = float("inf"), None
    for _ in range(times):
        begin = time.perf_counter()
        value = work()
        best = min(best, time.perf_counter() - begin)
    return best, value


PEERS: dict[str, Callable[[Arrays], Result]] = {
    work.__name__: work
    for work in (
        krippendorff_alpha,
        irrcac_ac1,
        sklearn_kappas,
        crowdkit_dawid_skene,
        smalltext_breaking_ties,
        modal_margin,
        modal_ranked_batch,
    )
}


def main() -> None:
    name, path = sys.argv[1:3]
    with np.load(path) as arrays:
        result = PEERS[name](arrays)
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(result))


if __name__ == "__main__":
    main()
