"""Labels that models learn from and labels that they are judged by: people's answers resolved, gold first.

Where a person has settled an item, its target is hard: the class that they said, and no class where they said that it
cannot be told. Items of the holdout are settled like any other, and labelled by it.

Where people differ the target is soft: the share of the votes, or the posterior of a model of the annotators once
they have answered enough for one (numerics.aggregation.default_rule). Items that were only answered "I cannot tell"
teach no class; they are left out and counted. The holdout never trains, and that model does not see its answers.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.exceptions import Invalid
from core.models import Project, Run
from core.numerics.aggregation import Rule, certain_answers, default_rule
from core.numerics.dawid_skene import Model, fit_dawid_skene
from core.numerics.table import Bools, Floats, Ints, LabelTable, condense
from core.selectors.agreement import ALL_LABELS, Scope, answer_columns, gold_columns
from core.selectors.label import settled_classes
from core.selectors.moment import one_moment
from core.selectors.question import QuestionSpec
from core.selectors.training import chosen_items, rows_of, shares_said

MOST_WEAK = 5_000  # rows of a run's labels that are learnt from
_LEAST_SHARE = 0.01  # smaller posteriors are 0
_SAME = 1e-9

UInts64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Holdout:
    """All items of the holdout in the order of their hash; ``label`` is -1 where there is none yet, or a tie."""

    item: Ints
    version: Ints
    tie: UInts64
    label: Ints

    def __len__(self) -> int:
        return int(self.item.size)

    @property
    def labelled(self) -> Ints:
        """Places of the items with a label."""
        return np.flatnonzero(self.label >= 0)


@dataclass(frozen=True, eq=False)
class WeakLabels:
    """Labels that no person gave: what a run says of items without one, in the order of their hash."""

    item: Ints
    version: Ints
    tie: UInts64
    target: Floats
    n_cut: int = 0

    def __len__(self) -> int:
        return int(self.item.size)


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What there is to learn about one question: one row per labelled item, in the order of the hash of its id.

    ``target`` has a column per certain class in the project's order (``class_ids``, ``classes``) and rows that sum to
    1. ``answers`` counts the answers behind a row, ``by_chance`` says that no strategy chose it. ``n_uncertain`` items
    were only answered "I cannot tell". ``digest`` is a hash of the labels, the same wherever the same items were
    labelled alike.
    """

    question: QuestionSpec
    class_ids: tuple[int, ...]
    classes: tuple[str, ...]
    item: Ints
    version: Ints
    tie: UInts64
    target: Floats
    answers: Ints
    by_chance: Bools
    n_uncertain: int
    holdout: Holdout
    weak: WeakLabels
    digest: str

    def __len__(self) -> int:
        return int(self.item.size)

    @property
    def n_classes(self) -> int:
        """Certain classes of the question, seen or not."""
        return len(self.classes)


@dataclass(frozen=True, eq=False)
class _Resolved:
    """Items with an answer or gold, by id, ascending; rows of ``target`` sum to 1, or to 0 without a certain answer.

    Of the holdout ``target`` is that of votes alone: what models are judged by does not rest on a model of the
    annotators. ``rows`` are those of the items and of the holdout, see selectors.training.rows_of.
    """

    item: Ints
    rows: npt.NDArray[Any]
    target: Floats
    answers: Ints


def training_set(project: Project, question: QuestionSpec, *, weak_run: Run | None = None) -> TrainingSet:
    """What is known now about a question; with ``weak_run`` also what that run says of the other items.

    Raises Invalid ``bad-weak-run`` where the run says nothing about the question.
    """
    certain = [spec for spec in question.classes if not spec.uncertain]
    with one_moment():
        resolved = _resolved(project, question)
        chosen = chosen_items(project)
        weak = _weak(project, question, weak_run, resolved.item)
    rows = resolved.rows
    place = np.searchsorted(resolved.item, rows["item"])
    found = np.zeros(rows.size, dtype=np.bool_)
    inside = place < resolved.item.size
    found[inside] = resolved.item[place[inside]] == rows["item"][inside]
    target = np.zeros((rows.size, len(certain)))
    target[found] = resolved.target[place[found]]
    known = target.sum(axis=1) > 0
    ours = known & ~rows["holdout"]
    held = rows["holdout"]
    names = tuple(spec.name for spec in certain)
    return TrainingSet(
        question=question,
        class_ids=tuple(spec.id for spec in certain),
        classes=names,
        item=rows["item"][ours].astype(np.intp),
        version=rows["version"][ours].astype(np.intp),
        tie=rows["tie"][ours],
        target=target[ours],
        answers=resolved.answers[place[ours]],
        by_chance=~np.isin(rows["item"][ours], chosen),
        n_uncertain=int(np.count_nonzero(found & ~known & ~held)),
        holdout=Holdout(
            rows["item"][held].astype(np.intp),
            rows["version"][held].astype(np.intp),
            rows["tie"][held],
            _winners(target[held]),
        ),
        weak=weak,
        digest=_digest(names, rows["tie"][ours], target[ours]),
    )


def _resolved(project: Project, question: QuestionSpec) -> _Resolved:
    columns = answer_columns(project, question, ALL_LABELS)
    gold = gold_columns(project, question, Scope(), columns.names)
    settled = settled_classes(project, question)
    uncertain = np.array([spec.uncertain for spec in question.classes], dtype=np.bool_)
    items, _ = condense(np.concatenate([columns.item, gold.item, np.array(list(settled), dtype=np.int64)]))
    _, annotator = condense(columns.annotator)
    table = LabelTable(np.searchsorted(items, columns.item), annotator, columns.label, uncertain.size)
    votes, codes = certain_answers(table, uncertain)
    k = codes.size
    counts = np.bincount(votes.item * k + votes.label, minlength=items.size * k).reshape(items.size, k)
    answers = counts.sum(axis=1)
    target = counts / np.maximum(answers, 1)[:, None]
    rows = rows_of(project, items.tolist())
    taught = table.keep(~np.isin(items[table.item], rows["item"][rows["holdout"]]))
    rule = default_rule(taught, uncertain).rule
    if rule is not Rule.MAJORITY:
        model = fit_dawid_skene(certain_answers(taught, uncertain)[0], Model(rule.value))
        least = np.minimum(_LEAST_SHARE, model.posterior.max(axis=1, keepdims=True))
        share = np.where(model.posterior < least, 0.0, model.posterior)
        target[model.item] = share / share.sum(axis=1, keepdims=True)
    place = {question.classes[code].id: number for number, code in enumerate(codes.tolist())}
    final = np.searchsorted(items, np.array(list(settled), dtype=np.int64))
    said = np.array([place.get(pk, -1) for pk in settled.values()], dtype=np.intp)
    target[final] = 0
    target[final[said >= 0], said[said >= 0]] = 1
    sure = ~uncertain[gold.label]
    row = np.searchsorted(items, gold.item[sure])
    target[row] = 0
    target[row, np.searchsorted(codes, gold.label[sure])] = 1
    return _Resolved(items, rows, target, np.maximum(answers, 1))


def _winners(target: Floats) -> Ints:
    """The class with the largest share, -1 where there is none or several share it."""
    if target.size == 0:
        return np.empty(0, dtype=np.intp)
    top = target.max(axis=1)
    alone = np.count_nonzero(target >= top[:, None] - _SAME, axis=1) == 1
    return np.where(alone & (top > 0), target.argmax(axis=1), -1)


def _weak(project: Project, question: QuestionSpec, run: Run | None, labelled: Ints) -> WeakLabels:
    """The run's labels of items that nobody has labelled; of too many, those with the smallest hash."""
    class_ids = [spec.id for spec in question.classes if not spec.uncertain]
    if run is None:
        return _weak_rows([], [], len(class_ids))
    if run.project_id != project.pk:
        raise Invalid("bad-weak-run", "weak_run is the number of a run of this project.")
    rows, shares, reads = [], [], question.reads
    for item, version, tie, probabilities, class_id in shares_said(run, question, set(labelled.tolist())):
        if probabilities is None:
            share = [float(pk == reads[class_id].id) for pk in class_ids]
        else:
            read = question.read_shares(probabilities)
            share = [float(read.get(pk, 0.0)) for pk in class_ids]
        if sum(share) > 0:
            rows.append((item, version, tie))
            shares.append(share)
    if not rows:
        raise Invalid("bad-weak-run", "This run says nothing about items that nobody has labelled.")
    return _weak_rows(rows, shares, len(class_ids))


def _weak_rows(rows: list[tuple[int, int, int]], shares: list[list[float]], k: int) -> WeakLabels:
    tie = np.array([row[2] for row in rows], dtype=np.uint64)
    order = np.argsort(tie, kind="stable")[:MOST_WEAK]
    target = np.array(shares, dtype=np.float64).reshape(-1, k)[order]
    columns = np.array([row[:2] for row in rows], dtype=np.intp).reshape(-1, 2)[order]
    total = target.sum(axis=1, keepdims=True)
    return WeakLabels(columns[:, 0], columns[:, 1], tie[order], target / total, len(rows) - order.size)


def _digest(classes: Sequence[str], tie: UInts64, target: Floats) -> str:
    told = hashlib.sha256("\n".join(classes).encode())
    told.update(tie.astype("<u8").tobytes())
    told.update(np.round(target, 6).astype("<f8").tobytes())
    return told.hexdigest()
