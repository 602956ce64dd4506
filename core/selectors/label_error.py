"""Labels that are likely wrong: what the last look found, and what is shown of it."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from django.db.models import Count, F, QuerySet
from django.db.models.functions import Coalesce

from core.choices import AuditPart, Doubt, ItemState, JobKind, JobState, Pass
from core.models import Answer, ErrorSearch, Item, Job, LabelError, Membership, Project
from core.selectors.features import tie_of
from core.selectors.job import unfinished_jobs
from core.selectors.selection_report import held_by


def searches_of(project: Project) -> QuerySet[ErrorSearch]:
    """The looks that have come to an end, newest first."""
    done = ErrorSearch.objects.filter(project=project, job__state=JobState.DONE)
    return done.select_related("question", "job", "created_by").order_by("-pk")


def last_search(project: Project) -> ErrorSearch | None:
    """The newest look that has come to an end."""
    return searches_of(project).first()


def looking_for_errors(project: Project) -> Job | None:
    """The look that waits or runs."""
    return unfinished_jobs(project.pk).filter(kind=JobKind.ERRORS).first()


def last_look(project: Project) -> Job | None:
    """The newest look, however it ended."""
    jobs = Job.objects.filter(project=project, kind=JobKind.ERRORS)
    return jobs.order_by("-created_at", "-pk").first()


def errors_of(search: ErrorSearch, doubt: Doubt | None = None) -> QuerySet[LabelError]:
    """What a look found, in the order of the doubt; items that were withdrawn or corrected since are left out."""
    rows = LabelError.objects.filter(search=search, item__done__gt=0)
    rows = rows.exclude(item__state=ItemState.WITHDRAWN)
    if doubt is not None:
        rows = rows.filter(doubt=doubt)
    return rows.select_related("item", "given", "likely", "other", "relabel").order_by("doubt", "rank")


def votes_on(question_id: int, items: Collection[int]) -> dict[int, list[tuple[str, int]]]:
    """How many said which class, by item, the most first: first answers in normal passes to the item as it is."""
    rows = (
        Answer.objects.filter(
            question_id=question_id,
            annotation__item__in=items,
            annotation__item_version=F("annotation__item__version"),
            annotation__current=True,
            annotation__voided=False,
            annotation__repeat=1,
            annotation__pass_kind=Pass.NORMAL,
            label_class__isnull=False,
        )
        .order_by()
        .values_list(
            "annotation__item",
            Coalesce("label_class__merged_into__name", "label_class__name"),
            Coalesce("label_class__merged_into__order", "label_class__order"),
        )
        .annotate(n=Count("pk"))
    )
    found: dict[int, list[tuple[int, int, str]]] = {}
    for item, name, order, n in rows:
        found.setdefault(item, []).append((-n, order, name))
    return {item: [(name, -n) for n, _order, name in sorted(votes)] for item, votes in found.items()}


class Checked(NamedTuple):
    """Items whose labels are looked at, by id, ascending; `tie` is the hash of their names."""

    item: npt.NDArray[np.int64]
    tie: npt.NDArray[np.uint64]


def checked_items(project: Project, item_ids: Iterable[int]) -> Checked:
    """Those of the items that are open and not in the holdout."""
    rows = Item.objects.filter(project=project, state=ItemState.OPEN).exclude(audit=AuditPart.HOLDOUT)
    wanted = set(item_ids)
    found = sorted(
        (pk, tie_of(name))
        for pk, name in rows.filter(done__gt=0).order_by().values_list("pk", "external_id").iterator(10_000)
        if pk in wanted
    )
    return Checked(
        np.array([pk for pk, _tie in found], dtype=np.int64),
        np.array([tie for _pk, tie in found], dtype=np.uint64),
    )


def error_documents(
    reader: Membership, search: ErrorSearch, rows: Iterable[LabelError]
) -> list[dict[str, Any]]:
    """Doubts as the API tells them; nothing of what others said about an item that the reader has in hand."""
    rows = list(rows)
    ids = {row.item_id for row in rows} | {row.other_id for row in rows if row.other_id is not None}
    held = held_by(reader, ids)
    votes = votes_on(search.question_id, ids - held)
    waiting = {row.item_id for row in rows if row.item.extra and row.item.done < row.item.target}
    return [
        {
            "item": row.item.external_id,
            "doubt": row.doubt,
            "rank": row.rank,
            "held": bool(held & {row.item_id, row.other_id}),
            **_told(row, votes, held),
            "waits": row.item_id in waiting,
            "relabel": row.relabel_id,
        }
        for row in rows
    ]


def _told(
    row: LabelError, votes: Mapping[int, list[tuple[str, int]]], held: Collection[int]
) -> dict[str, Any]:
    blind = bool(set(held) & {row.item_id, row.other_id})
    return {
        "score": None if blind else row.score,
        "given": None if blind else row.given.name,
        "likely": None if blind or row.likely is None else row.likely.name,
        "votes": [] if blind else _votes(votes.get(row.item_id, [])),
        "other": None if row.other is None else row.other.external_id,
        "other_votes": [] if blind or row.other_id is None else _votes(votes.get(row.other_id, [])),
    }


def _votes(votes: list[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"class": name, "n": n} for name, n in votes]


def search_document(search: ErrorSearch) -> dict[str, Any]:
    """A look as the API tells it: when, of which question, and its report."""
    return {
        "id": search.pk,
        "question": search.question.key,
        "created_at": search.created_at,
        **search.report,
        "lists": {doubt.value: n for doubt, n in _list_sizes(search).items()},
    }


def _list_sizes(search: ErrorSearch) -> dict[Doubt, int]:
    counted = dict(errors_of(search).order_by().values_list("doubt").annotate(n=Count("pk")))
    return {doubt: counted.get(doubt.value, 0) for doubt in Doubt}
