"""One peer's figure on the arrays of a file: run by benchmarks.agreement with an interpreter of the peer's own.

    <python of the peer's environment> benchmarks/peers.py NAME FILE

Knows nothing of labelapp and needs only numpy and the peer. Prints one JSON document: seconds, and the value.
"""

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

warnings.simplefilter("ignore")
DRAWS = 5
Array = npt.NDArray[Any]
Result = dict[str, Any]


def krippendorff_alpha(labels: Array, _who: Array) -> Result:
    import krippendorff

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


def irrcac_ac1(labels: Array, _who: Array) -> Result:
    import pandas as pd
    from irrCAC.raw import CAC

    frame = pd.DataFrame(labels.astype(float))
    seconds, value = timed(lambda: CAC(frame).gwet()["est"]["coefficient_value"], 1)
    return {"seconds": seconds, "value": float(value)}


def sklearn_kappas(labels: Array, who: Array) -> Result:
    from itertools import combinations

    from sklearn.metrics import cohen_kappa_score

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


def crowdkit_dawid_skene(labels: Array, who: Array) -> Result:
    import pandas as pd
    from crowdkit.aggregation import DawidSkene

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


def timed(work: Callable[[], Any], times: int) -> tuple[float, Any]:
    best, value = float("inf"), None
    for _ in range(times):
        begin = time.perf_counter()
        value = work()
        best = min(best, time.perf_counter() - begin)
    return best, value


PEERS: dict[str, Callable[[Array, Array], Result]] = {
    work.__name__: work for work in (krippendorff_alpha, irrcac_ac1, sklearn_kappas, crowdkit_dawid_skene)
}


def main() -> None:
    name, path = sys.argv[1:]
    with np.load(path) as arrays:
        result = PEERS[name](arrays["labels"], arrays["who"])
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(result))


if __name__ == "__main__":
    main()
