"""A person's own record: how far they agree with others, with themselves and with gold. Never anybody else's.

The figures of the person rest on finished items and on what stood at the last midnight (see
core.selectors.record); those of the group are made once a day.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from core.choices import ItemsChoice, Uncertain
from core.models import Membership
from core.numerics.agreement import agreement_report as numeric_report
from core.numerics.intervals import wilson_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import LabelTable, factorise
from core.pipelines.report import Kind, kept_report
from core.selectors.agreement import AnswerColumns, Scope, answer_columns
from core.selectors.moment import database_now
from core.selectors.question import QuestionSpec, schema_of
from core.selectors.record import abstentions, corrected_since, gold_hits, repeat_hits, settled_items

Json = dict[str, Any]
LEAST_ITEMS = 10  # fewer would tell of single items


def own_record(membership: Membership) -> Json:
    """What this person may know of their own work, question by question.

    Every figure has the shape of the agreement report's. ``group`` holds the mean over all people of the same
    figure, a number or None; ``gold`` is None where the project has no gold that this person has met often
    enough, and tells no more about where it lies.
    """
    now = database_now(membership.project)
    return {
        "project": membership.project.slug,
        "as_of": now.isoformat(),
        "answered": membership.answered,
        "questions": [
            _on_question(membership, question, now) for question in schema_of(membership.project).questions
        ],
    }


def _on_question(membership: Membership, question: QuestionSpec, now: datetime) -> Json:
    asked = {
        "question_key": question.key,
        "uncertain": Uncertain.CLASS.value,
        "items": ItemsChoice.ALL.value,
        "repeat": 1,
    }
    group = kept_report(membership.project, Kind.GROUP, asked).body
    unsure, n = abstentions(membership, question, now)
    return {
        "question": question.key,
        "title": question.title,
        "n": n,
        "with_others": _with_others(membership, question, now).to_dict(),
        "with_oneself": _hits(*repeat_hits(membership, question, now)).to_dict(),
        "abstention_rate": _hits(unsure, n).to_dict(),
        "gold": _gold(membership, question, now),
        "group": {name: value for name, value in group.items() if name != "as_of"},
    }


def _with_others(membership: Membership, question: QuestionSpec, now: datetime) -> Figure:
    """Leave-one-out agreement on settled items that others answered, too."""
    settled = settled_items(membership, now)
    columns = answer_columns(membership.project, question, Scope(), among=settled)
    if not (columns.annotator == membership.pk).any():
        return Figure.missing(Reason.TOO_FEW_ITEMS)
    columns = _with_earlier(columns, membership, corrected_since(membership, question, now))
    figure = _leave_one_out(columns, membership.pk)
    if figure.value is None or figure.n_items >= LEAST_ITEMS:
        return figure
    return Figure.missing(Reason.TOO_FEW_ITEMS, n_items=figure.n_items)


def _with_earlier(columns: AnswerColumns, membership: Membership, earlier: dict[int, str]) -> AnswerColumns:
    """The columns with these names as this person's labels of these items."""
    codes = {name: code for code, name in enumerate(columns.names)}
    label = columns.label.copy()
    for item, name in earlier.items():
        own = (columns.item == item) & (columns.annotator == membership.pk)
        label[own] = codes.setdefault(name, len(codes))
    return replace(columns, label=label, names=tuple(codes))


def _leave_one_out(columns: AnswerColumns, person: int) -> Figure:
    item, _items = factorise(columns.item)
    annotator, people = factorise(columns.annotator)
    report = numeric_report(
        LabelTable(item, annotator, columns.label, len(columns.names)),
        level="nominal",
        uncertain=Uncertain.CLASS.value,
        uncertain_classes=frozenset(np.flatnonzero(columns.uncertain).tolist()),
    )
    return next(row.leave_one_out for row in report.annotators if people[row.annotator] == person)


def _gold(membership: Membership, question: QuestionSpec, now: datetime) -> Json | None:
    figure = _hits(*gold_hits(membership, question, now))
    return None if figure.value is None else figure.to_dict()


def _hits(right: int, n: int) -> Figure:
    """A share with Wilson's interval, from enough items on."""
    if n < LEAST_ITEMS:
        return Figure.missing(Reason.TOO_FEW_ITEMS)
    share = right / n
    se = np.sqrt(share * (1 - share) / n)
    return Figure.estimate(
        share, se=se, ci=wilson_interval(share, n), method=Method.WILSON, n_items=n, n_pairs=n
    )
