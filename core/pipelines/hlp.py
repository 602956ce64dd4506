"""Human-level performance of one question, and a run beside it: from the database to the JSON of the API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from core.choices import ItemsChoice, QuestionKind, Uncertain
from core.exceptions import Invalid
from core.models import Project, Run
from core.numerics.hlp import HlpReport
from core.numerics.hlp import hlp_report as numeric_report
from core.numerics.table import Ints, LabelTable, factorise
from core.pipelines.agreement import check_asked
from core.selectors.agreement import (
    AnswerColumns,
    GoldColumns,
    ItemGroups,
    answer_columns,
    gold_columns,
    meta_groups,
)
from core.selectors.hlp import batch_groups, prediction_columns
from core.selectors.moment import database_now, one_moment
from core.selectors.pseudonym import annotator_names
from core.selectors.run import run_called

MARGIN = 0.05
EPSILON = 0.1
LARGEST = 0.5  # of margin and epsilon: half of all that can be scored
SEED = 20_240_901  # fixed, so that the same answers give the same figures
MOST_GROUPS = 50
BATCH, META = "batch", "meta."
KINDS = frozenset({QuestionKind.SINGLE, QuestionKind.SCALE, QuestionKind.TEXT})
Json = dict[str, Any]


@dataclass(frozen=True)
class _Groups:
    """One group per item code (-1: none), their names, and how many groups were left out."""

    codes: Ints | None
    names: Sequence[str]
    cut: int


def hlp_report(
    project: Project,
    question_key: str | None = None,
    *,
    uncertain: str = Uncertain.CLASS,
    items: str = ItemsChoice.ALL,
    slice: str | None = None,  # noqa: A002 -- the word of the outer contract
    by: str | None = None,
    run: str | None = None,
    margin: float = MARGIN,
    epsilon: float = EPSILON,
    real_names: bool = False,
) -> Json:
    """The report as the API says it: names in place of codes, every figure in one shape.

    ``run`` is the name or number of a run that is put beside the people; ``by`` (batch or ``meta.<key>``) adds
    the comparison within each group. Raises Invalid ``hlp-not-for-this-kind``, ``unknown-run``, ``bad-margin``,
    ``bad-epsilon``, ``bad-by``, and what pipelines.agreement.check_asked raises.
    """
    asked = check_asked(
        project,
        question_key,
        level=None,
        uncertain=uncertain,
        items=items,
        slice=slice,
        by=None,
        repeat=1,
    )
    check_kind(asked.question.kind, asked.question.key)
    _check_share("margin", margin)
    _check_share("epsilon", epsilon)
    if by is not None and by != BATCH and not (by.startswith(META) and by != META):
        raise Invalid("bad-by", "by must be batch or meta.<key>.")
    beside = None if run is None else run_called(project, run)
    with one_moment():
        as_of = database_now(project)
        columns = answer_columns(project, asked.question, asked.scope)
        gold = gold_columns(project, asked.question, asked.scope, columns.names)
        said = None if beside is None else prediction_columns(beside, asked.question, gold.names)
        grouped = _item_groups(project, by)
        called = annotator_names(project, real=real_names)
    names = gold.names if said is None else said.names
    item, of_items = factorise(columns.item)
    annotator, annotators = factorise(columns.annotator)
    groups = _groups(grouped, of_items)
    report = numeric_report(
        LabelTable(item, annotator, columns.label, len(names)),
        uncertain=asked.uncertain.value,
        uncertain_classes=frozenset(np.flatnonzero(columns.uncertain).tolist()),
        gold=_by_item(gold, of_items),
        model=None if said is None else _by_item(said, of_items),
        groups=groups.codes,
        margin=margin,
        epsilon=epsilon,
        seed=SEED,
    )
    return {
        "project": project.slug,
        "question": asked.question.key,
        "kind": asked.question.kind,
        "uncertain": asked.uncertain.value,
        "items": asked.scope.items,
        "slice": slice,
        "by": by,
        "epsilon": epsilon,
        "margin": margin,
        "as_of": as_of.isoformat(),
        "run": None if beside is None else _run(beside),
        **_body(report, names, [called[pk] for pk in annotators], groups.names),
        "cut": {"per_group": groups.cut},
        "warnings": _warnings(columns, gold, said, of_items),
    }


def check_kind(kind: str, key: str) -> None:
    """Raises Invalid ``hlp-not-for-this-kind`` where answers are not simply the same or not."""
    if kind not in KINDS:
        raise Invalid(
            "hlp-not-for-this-kind",
            f"The answers to {key!r} are {QuestionKind(kind).label}. Human-level performance is counted where two "
            "answers are the same or not: single choice, scale and text.",
        )


def _check_share(name: str, value: float) -> None:
    if not (isfinite(value) and 0 <= value <= LARGEST) or (name == "margin" and value == 0):
        least = "above 0" if name == "margin" else "from 0"
        raise Invalid(f"bad-{name}", f"{name} must be a number {least} to {LARGEST:g}.")


def _run(run: Run) -> Json:
    return {"id": run.pk, "name": run.name, "created_at": run.created_at.isoformat()}


def _by_item(columns: GoldColumns, items: list[int]) -> Ints:
    """One class per item code, -1 where there is none. ``items`` are ascending."""
    found = np.full(len(items), -1, dtype=np.intp)
    place, here = _places(columns.item, items)
    found[place[here]] = columns.label[here]
    return found


def _places(item: Ints, items: list[int]) -> tuple[Ints, Any]:
    """Where items stand among those with answers, and which of them do."""
    known = np.array(items, dtype=np.int64)
    place = np.searchsorted(known, item)
    if known.size == 0:
        return place, np.zeros(place.size, dtype=np.bool_)
    place = np.minimum(place, known.size - 1)
    return place, known[place] == item


def _item_groups(project: Project, by: str | None) -> ItemGroups | None:
    if by is None:
        return None
    return batch_groups(project) if by == BATCH else meta_groups(project, by.removeprefix(META))


def _groups(groups: ItemGroups | None, items: list[int]) -> _Groups:
    """The groups with most of the items that have answers, by name; the others are left out."""
    if groups is None:
        return _Groups(None, (), 0)
    place, here = _places(groups.item, items)
    sizes = np.bincount(groups.group[here], minlength=len(groups.names))
    present = np.flatnonzero(sizes)
    kept = present[np.argsort(-sizes[present], kind="stable")[:MOST_GROUPS]]
    number = np.full(len(groups.names), -1, dtype=np.intp)
    number[kept] = np.arange(kept.size)
    codes = np.full(len(items), -1, dtype=np.intp)
    codes[place[here]] = number[groups.group[here]]
    return _Groups(codes, [groups.names[group] for group in kept.tolist()], int(present.size - kept.size))


def _warnings(
    columns: AnswerColumns, gold: GoldColumns, said: GoldColumns | None, items: list[int]
) -> list[str]:
    """What was left aside: gold or predictions of items that nobody has answered, a run that says nothing here."""
    found = []
    if gold.item.size and not _places(gold.item, items)[1].any() and len(columns):
        found.append("gold_without_answers")
    if said is not None:
        here = _places(said.item, items)[1]
        if not here.any():
            found.append("no_predictions_here")
        elif not here.all():
            found.append("predictions_without_answers")
    return found


def _body(report: HlpReport, names: Sequence[str], people: Sequence[str], groups: Sequence[str]) -> Json:
    """The report with names in place of codes."""
    body = report.to_dict()
    del body["uncertain"]
    body["gold"] = _people(body["gold"], people)
    body["leave_one_out"] = _people(body["leave_one_out"], people)
    model = body["model"]
    if model is not None:
        model["per_class"] = _parts(model["per_class"], "class", names)
        model["per_group"] = _parts(model["per_group"], "group", groups)
        for test in (model["alt_test"], model["alt_test_strict"]):
            test["people"] = [_called(row, people) for row in test["people"]]
        beaten = model["humans_beaten"]
        beaten["people"] = [_called(row, people) for row in beaten["people"]]
        for which in ("worst", "median"):
            beaten[which] = None if beaten[which] is None else _called(beaten[which], people)
    return body


def _people(score: Json, people: Sequence[str]) -> Json:
    rows = [{"id": people[row["annotator"]], "score": row["figure"]} for row in score["annotators"]]
    return {**score["mean"], "annotators": rows}


def _parts(parts: list[Json], word: str, names: Sequence[str]) -> list[Json]:
    return [{word: names[part["code"]], **part["comparison"]} for part in parts]


def _called(row: Mapping[str, Any], people: Sequence[str]) -> Json:
    return {"id": people[row["annotator"]], **{key: row[key] for key in row if key != "annotator"}}
