"""Small tables written the way papers print them, as LabelTable."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.numerics.table import LabelTable, factorise


def from_answers(answers: Sequence[tuple[Any, Any, Any]], classes: Sequence[Any] | None = None) -> LabelTable:
    """(annotator, item, label) triples; classes in the order given, or else sorted.

    Where all classes are numbers they are the values too.
    """
    order = sorted({label for _, _, label in answers}) if classes is None else list(classes)
    item, _ = factorise([i for _, i, _ in answers])
    annotator, _ = factorise([a for a, _, _ in answers])
    label, names = factorise([x for _, _, x in answers], first=order)
    numbers = all(isinstance(name, int | float) for name in names)
    return LabelTable(item, annotator, label, len(names), np.array(names, dtype=float) if numbers else None)


def from_matrix(rows: Sequence[Sequence[Any]], classes: Sequence[Any] | None = None) -> LabelTable:
    """Items x annotators, None where there is no answer."""
    return from_answers(
        [(a, i, label) for i, row in enumerate(rows) for a, label in enumerate(row) if label is not None],
        classes,
    )


def from_units(rows: Sequence[Sequence[Any]]) -> LabelTable:
    """Annotators x items, None where there is no answer."""
    return from_matrix(list(zip(*rows, strict=True)))


def from_counts(rows: Sequence[Sequence[int]]) -> LabelTable:
    """Items x classes, how many said so; nobody has a name, the n-th answer is given to annotator n."""
    said = [[k for k, count in enumerate(row) for _ in range(count)] for row in rows]
    answers = [(a, i, label) for i, row in enumerate(said) for a, label in enumerate(row)]
    return from_answers(answers, range(len(rows[0])))


def from_contingency(rows: Sequence[Sequence[int]]) -> LabelTable:
    """First annotator's class x second annotator's class, number of items."""
    pairs = [(k, m) for k, row in enumerate(rows) for m, count in enumerate(row) for _ in range(count)]
    return from_matrix(pairs, range(len(rows)))
