"""Models of labels that came by chance: what is replayed to tell what random labels would have cost."""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp

from core.numerics.classifier import train
from core.numerics.table import Floats, Ints

SIZES, ORDERS = 6, 4
LEAST = 20  # labels by chance
_SMALLEST = 10


def models_by_chance(
    rows: sp.csr_matrix,
    target: Floats,
    held: sp.csr_matrix,
    *,
    seed: int,
    tick: Callable[[], object] | None = None,
) -> tuple[Ints, Ints]:
    """Sizes, and what models of so many labels by chance say of the holdout (orders x sizes x items).

    `rows` and `target` are the labels by chance in the order of the hash, which is the first order. Sizes at which
    some order holds one class only are left out; with fewer than 20 labels there are none. The last size is all labels.
    """
    n = len(target)
    rng = np.random.default_rng(seed)
    orders = [np.arange(n), *(rng.permutation(n) for _ in range(ORDERS - 1))]
    said: dict[int, list[Ints]] = {}
    for size in _sizes(n) if held.shape[0] else ():
        # All orders have the same labels at the end.
        for order in orders if size < n else orders[:1]:
            part = np.sort(order[:size])
            model = train(rows[part], target[part], seed=seed, tick=tick)
            if model is not None:
                said.setdefault(size, []).append(model.probabilities(held).argmax(axis=1))
    whole = {size: found for size, found in said.items() if size == n or len(found) == ORDERS}
    sizes = np.array(list(whole), dtype=np.intp)
    columns = [np.array(found if len(found) == ORDERS else found * ORDERS) for found in whole.values()]
    shape = (sizes.size, ORDERS, held.shape[0])
    return sizes, np.array(columns, dtype=np.intp).reshape(shape).transpose(1, 0, 2)


def _sizes(n: int) -> Sequence[int]:
    """Sizes of nested parts of n labels, each larger than the one before by the same factor."""
    if n < LEAST:
        return []
    first = max(_SMALLEST, n / 16)
    return sorted({round(size) for size in np.geomspace(first, n, SIZES).tolist()})
