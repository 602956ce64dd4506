"""Runs side by side: how good each is on the same items of the holdout, as they are labelled today."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.models import Project, Run
from core.numerics.means import one_group
from core.numerics.metrics import Quality, quality
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Ints
from core.pipelines.holdout import certain_names, class_document, holdout_labels, said_codes
from core.selectors.moment import one_moment
from core.selectors.question import QuestionSpec

Json = dict[str, Any]


def runs_on_holdout(
    project: Project, question: QuestionSpec, runs: Sequence[Run], *, together: bool = False
) -> list[Json]:
    """For each run its figures on the labelled items of the holdout that it says something of.

    ``run``, ``n``, ``accuracy``, ``macro_f1``, ``per_class``, ``classes``, ``confusion`` (rows: the label).
    ``together`` takes only the items of which all of them say something, and adds ``difference``: the accuracy less that
    of the first run, paired by item (null for the first).
    """
    with one_moment():
        labelled = holdout_labels(project, question)
        said = said_codes(project, question, [run.pk for run in runs], labelled)
    names = certain_names(question)
    there = {run.pk: said[run.pk] >= 0 for run in runs}
    common = np.logical_and.reduce([*there.values(), np.ones(labelled.item.size, dtype=bool)])
    told = []
    for place, run in enumerate(runs):
        used = common if together else there[run.pk]
        truth, predicted = labelled.label[used], said[run.pk][used]
        one = _document(run, names, quality(truth, predicted, len(names)))
        if together and place:
            one["difference"] = _difference(truth, predicted, said[runs[0].pk][used]).to_dict()
        told.append(one)
    return told


def _document(run: Run, names: Sequence[str], found: Quality) -> Json:
    return {
        "run": run.pk,
        "n": found.n,
        "accuracy": found.accuracy.to_dict(),
        "macro_f1": found.macro_f1.to_dict(),
        "per_class": [class_document(names, row) for row in found.per_class],
        "classes": list(names),
        "confusion": found.confusion.tolist(),
        "difference": None,
    }


def _difference(truth: Ints, predicted: Ints, first: Ints) -> Figure:
    """By how much the accuracy is above that of the first run, on the same items."""
    if truth.size == 0:
        return Figure.missing(Reason.TOO_FEW_ITEMS)
    lead = (predicted == truth).astype(np.float64) - (first == truth)
    ones = np.ones(truth.size)
    return one_group(ones, ones).ratios(lead, ones, lower=-1.0, method=Method.PAIRED_ITEMS)[0]
