"""The holdout as it is labelled today, and what runs say of it: what every figure of a model rests on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.models import Project
from core.numerics.aggregation import Rule, certain_answers, resolve
from core.numerics.metrics import ClassQuality
from core.numerics.table import Ints, LabelTable
from core.selectors.agreement import Scope, answer_columns, gold_columns
from core.selectors.label import settled_classes
from core.selectors.question import QuestionSpec
from core.selectors.selection_report import holdout_of, said_of_holdout

Json = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Labelled:
    """The items of the holdout that have a label: ids, ascending, and class codes; and how many items it has in all."""

    item: Ints
    label: Ints
    n_holdout: int


def certain_names(question: QuestionSpec) -> list[str]:
    """The classes that a model can say, in the order of their codes."""
    return [spec.name for spec in question.classes if not spec.uncertain]


def holdout_labels(project: Project, question: QuestionSpec) -> Labelled:
    """The labels that the holdout has today: gold, else what a person settled, else the certain
    class that most people gave; ties have none.
    """
    ids = np.array(sorted(holdout_of(project).values_list("pk", flat=True)), dtype=np.int64)
    columns = answer_columns(project, question, Scope(), holdout_of(project).order_by())
    here = np.isin(columns.item, ids)
    place = np.searchsorted(ids, columns.item[here])
    table = LabelTable(place, columns.annotator[here], columns.label[here], len(columns.names))
    certain, codes = certain_answers(table, columns.uncertain)
    found = resolve(certain, Rule.MAJORITY, np.zeros(codes.size, dtype=bool))
    label = np.full(ids.size, -1)
    one = found.label >= 0
    label[found.item[one]] = found.label[one]
    settled, code_of = settled_classes(project, question), certain_codes(question)
    held = np.isin(ids, np.array(list(settled), dtype=np.int64))
    label[held] = [code_of.get(settled[pk], -1) for pk in ids[held].tolist()]
    gold = gold_columns(project, question, Scope(), columns.names)
    there = np.isin(gold.item, ids) & np.isin(gold.label, codes)
    label[np.searchsorted(ids, gold.item[there])] = np.searchsorted(codes, gold.label[there])
    return Labelled(ids[label >= 0], label[label >= 0], int(ids.size))


def certain_codes(question: QuestionSpec) -> dict[int, int]:
    """The code of what every class id is read as: its place among the classes that are not uncertain."""
    codes = {
        spec.id: code for code, spec in enumerate(spec for spec in question.classes if not spec.uncertain)
    }
    return {pk: codes[spec.id] for pk, spec in question.reads.items() if not spec.uncertain}


def said_codes(
    project: Project, question: QuestionSpec, run_ids: Sequence[int], labelled: Labelled
) -> dict[int, Ints]:
    """What each run says of the labelled items: class codes, -1 where it says none."""
    rows = said_of_holdout(project, question.id, run_ids)
    code_of = certain_codes(question)
    ids = np.array(sorted(code_of), dtype=np.int64)
    place = np.minimum(np.searchsorted(ids, rows["label"]), ids.size - 1)
    code = np.array([code_of[pk] for pk in ids.tolist()])[place]
    known = (ids[place] == rows["label"]) & np.isin(rows["item"], labelled.item)
    rows, code = rows[known], code[known]
    place = np.searchsorted(labelled.item, rows["item"])
    said = {pk: np.full(labelled.item.size, -1) for pk in run_ids}
    for pk, one in said.items():
        mine = rows["run"] == pk
        one[place[mine]] = code[mine]
    return said


def class_document(names: Sequence[str], row: ClassQuality) -> Json:
    """The figures of one class as the API tells them."""
    return {
        "class": names[row.code],
        "n": row.n,
        "n_predicted": row.n_predicted,
        "precision": row.precision.to_dict(),
        "recall": row.recall.to_dict(),
        "f1": row.f1.to_dict(),
    }
