"""What models are trained on and judged by, as columns: labelled items, the holdout, what functions say."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import F, QuerySet

from core.choices import AuditPart, ItemState, Stream
from core.exceptions import Conflict, Invalid
from core.models import Item, Pick, Prediction, Project, Run
from core.selectors.features import tie_of
from core.selectors.question import QuestionSpec, schema_of
from core.selectors.selection import learnable, learnable_questions

ROWS = np.dtype([("item", "i8"), ("version", "i8"), ("tie", "u8"), ("holdout", "?")])
AT_ONCE = 10_000
MOST_ERRORS = 50


def learnable_question(project: Project, key: str | None = None) -> QuestionSpec:
    """The question of this key, or the one that selection learns: one class as the answer, two certain classes.

    Raises Invalid ``unknown-question``; Conflict ``no-learnable-question`` where there is none, or the one named is none.
    """
    questions = schema_of(project).questions
    if key is not None:
        questions = tuple(spec for spec in questions if spec.key == key)
        if not questions:
            raise Invalid("unknown-question", f"There is no question {key[:60]!r} here.")
    first = learnable_questions(project) if key is None else [spec for spec in questions if learnable(spec)]
    found = next(iter(first), None)
    if found is None:
        raise Conflict(
            "no-learnable-question",
            "A model learns a single-choice or scale question with two classes that mean something.",
        )
    return found


def rows_of(project: Project, item_ids: Iterable[int]) -> npt.NDArray[Any]:
    """One row per item of these ids or of the holdout, in the order of the hash of its id (see ROWS).

    Withdrawn items are left out.
    """
    items = Item.objects.filter(project=project).exclude(state=ItemState.WITHDRAWN).order_by()
    found = list(_told(items.filter(audit=AuditPart.HOLDOUT)))
    ids = list(item_ids)
    for start in range(0, len(ids), AT_ONCE):
        found.extend(
            _told(items.filter(pk__in=ids[start : start + AT_ONCE]).exclude(audit=AuditPart.HOLDOUT))
        )
    rows = np.array(found, dtype=ROWS)
    return rows[np.argsort(rows["tie"], kind="stable")]


def _told(items: QuerySet[Item]) -> Iterable[tuple[int, int, int, bool]]:
    columns = items.values_list("pk", "version", "external_id", "audit")
    return ((pk, version, tie_of(name), audit == AuditPart.HOLDOUT) for pk, version, name, audit in columns)


def chosen_items(project: Project) -> npt.NDArray[np.int64]:
    """Ids of the items that a strategy has put into the queue: their labels did not come by chance."""
    picks = Pick.objects.filter(
        selection__project=project, selection__applied_at__isnull=False, stream=Stream.SELECTED
    )
    return np.fromiter(picks.order_by().values_list("item_id", flat=True).distinct(), dtype=np.int64)


def shares_said(
    run: Run, question: QuestionSpec, without: Collection[int]
) -> Iterable[tuple[int, int, int, dict[str, float] | None, int]]:
    """What a run says of items outside the holdout: item, version, hash, probabilities by class id, class id."""
    said = Prediction.objects.filter(
        run=run, question_id=question.id, label_class__isnull=False, item_version=F("item__version")
    )
    said = said.exclude(item__audit=AuditPart.HOLDOUT).exclude(item__state=ItemState.WITHDRAWN).order_by()
    columns = said.values_list(
        "item_id", "item_version", "item__external_id", "probabilities", "label_class_id"
    )
    for item, version, name, probabilities, class_id in columns.iterator(AT_ONCE):
        if item not in without:
            yield item, version, tie_of(name), probabilities, class_id or 0


def items_named(
    project: Project, names: Sequence[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row ids and versions of the items with these ids, in their order. Raises Invalid ``unknown-item``."""
    items = Item.objects.filter(project=project, external_id__in=set(names)).exclude(
        state=ItemState.WITHDRAWN
    )
    there = {name: (pk, version) for pk, version, name in items.values_list("pk", "version", "external_id")}
    unknown = [place for place, name in enumerate(names) if name not in there]
    if unknown:
        errors = [
            {
                "pointer": f"/items/{place}",
                "code": "unknown-item",
                "detail": f"There is no item {names[place][:60]!r} here.",
            }
            for place in unknown[:MOST_ERRORS]
        ]
        raise Invalid("unknown-item", f"{len(unknown):,} of the items are not here.", errors=errors)
    found = np.array([there[name] for name in names], dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]
