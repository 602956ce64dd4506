"""Reads of labeling functions: the list, the items that they look at, and what runs say of these items."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import F, QuerySet

from core.choices import AuditPart, ItemState, JobKind, RunKind
from core.exceptions import Missing
from core.models import Item, Job, LabelingFunction, Prediction, Run
from core.selectors.job import jobs_of, unfinished_jobs

CHUNK = 2000
NAMED_BY = 50  # items whose fields are offered
MOST_NAMES = 100
# Multiplied by this and cut to 32 bits, ids that follow each other fall all over the range (Knuth).
_SCATTER, _RANGE = 2_654_435_761, 2**32

ItemRow = tuple[int, str, int, dict[str, Any], dict[str, Any]]
_COLUMNS = ("pk", "external_id", "version", "data", "meta")


def functions_of(project_id: int) -> QuerySet[LabelingFunction]:
    """A project's functions, in the order in which they were made."""
    rows = LabelingFunction.objects.filter(project_id=project_id)
    return rows.select_related("question", "label_class__merged_into", "created_by").order_by("pk")


def function_of(project_id: int, function_id: int) -> LabelingFunction:
    """One function of a project. Raises Missing."""
    found = functions_of(project_id).filter(pk=function_id).first()
    if found is None:
        raise Missing
    return found


def class_voted_for(function: LabelingFunction) -> str | None:
    """The name of the class that a function's own is read as; None where it repeats what a run says."""
    voted = function.label_class
    return None if voted is None else (voted.merged_into or voted).name


def function_document(function: LabelingFunction) -> dict[str, Any]:
    """A function as the API tells it."""
    return {
        "id": function.pk,
        "name": function.name,
        "question": function.question.key,
        "kind": function.kind,
        "class": class_voted_for(function),
        "arguments": function.arguments,
        "active": function.active,
        "version": function.version,
        "created_at": function.created_at,
    }


def voting_items(project_id: int) -> QuerySet[Item]:
    """The items that functions look at: all but those withdrawn."""
    return Item.objects.filter(project_id=project_id).exclude(state=ItemState.WITHDRAWN)


def first_rows(project_id: int, n: int) -> list[ItemRow]:
    """The first items of a project, as functions need them."""
    return list(voting_items(project_id).order_by("pk").values_list(*_COLUMNS)[:n])


def sampled_rows(project_id: int, n: int) -> tuple[int, list[ItemRow]]:
    """How many items there are, and about ``n`` of them (all where there are no more), the same ones every time."""
    items = voting_items(project_id).order_by("pk")
    total = items.count()
    if total > n:
        chosen = Item.objects.filter(project_id=project_id).alias(place=F("pk") * _SCATTER % _RANGE)
        items = items.filter(pk__in=chosen.filter(place__lt=int(n / total * _RANGE)).values("pk"))
    return total, list(items.values_list(*_COLUMNS))


def rows_of(item_ids: Sequence[int]) -> list[ItemRow]:
    """These items, by id, without those withdrawn."""
    items = Item.objects.filter(pk__in=item_ids).exclude(state=ItemState.WITHDRAWN)
    return list(items.order_by("pk").values_list(*_COLUMNS))


def every_row(project_id: int) -> Iterator[list[ItemRow]]:
    """All items of a project by id, some thousands at a time; nothing is held open in between."""
    last = 0
    while rows := list(
        voting_items(project_id).filter(pk__gt=last).order_by("pk").values_list(*_COLUMNS)[:CHUNK]
    ):
        yield rows
        last = rows[-1][0]


def said_of(
    run_id: int, question_id: int, first: int, last: int
) -> Iterator[tuple[int, int, dict[str, float] | None]]:
    """What a run says of the present versions of the items from ``first`` to ``last``: item, class, probabilities."""
    rows = Prediction.objects.filter(
        run_id=run_id,
        question_id=question_id,
        item_id__gte=first,
        item_id__lte=last,
        item_version=F("item__version"),
        label_class__isnull=False,
    )
    for item_id, class_id, probabilities in rows.order_by().values_list(
        "item_id", "label_class_id", "probabilities"
    ):
        if class_id is not None:
            yield item_id, class_id, probabilities


def stream_items(project_id: int) -> QuerySet[Item]:
    """The items of the audit stream, which may be learnt from (the holdout may not)."""
    return Item.objects.filter(project_id=project_id, audit=AuditPart.STREAM)


def voting_runs(project_id: int, question_id: int) -> QuerySet[Run]:
    """Runs whose predictions may vote, newest first: not those that functions have made themselves."""
    said = Prediction.objects.filter(question_id=question_id, run__project_id=project_id).order_by()
    runs = Run.objects.filter(pk__in=said.values("run_id"), project_id=project_id)
    return runs.exclude(kind=RunKind.WEAK).order_by("-pk")


def applying(project_id: int) -> Job | None:
    """The job that applies the functions of a project and has not ended."""
    return unfinished_jobs(project_id).filter(kind=JobKind.WEAK).first()


def last_applied(project_id: int) -> Job | None:
    """The newest job that applies functions, ended or not."""
    return jobs_of(project_id).filter(kind=JobKind.WEAK).first()


def field_names(project_id: int) -> list[str]:
    """The fields of the data of the first items."""
    return _names(voting_items(project_id).order_by("pk").values_list("data", flat=True)[:NAMED_BY])


def meta_keys(project_id: int) -> list[str]:
    """The keys of the metadata of the first items."""
    return _names(voting_items(project_id).order_by("pk").values_list("meta", flat=True)[:NAMED_BY])


def _names(documents: Iterable[dict[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for document in documents for name in document)
    return list(names)[:MOST_NAMES]
