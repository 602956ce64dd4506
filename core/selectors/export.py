"""What a project's files are made of: items in the order of their ids, and what people answered on them.

Everything is read in chunks by key, so that memory stays flat and the first rows come at once, on both
databases; `one_moment` around it makes the chunks one state.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import connection
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from core.choices import ItemState
from core.models import Answer, AnswerChoice, Batch, GuidelineVersion, Item, Membership, Project
from core.selectors.item import told_to
from core.selectors.question import QuestionSpec

FIRST_ITEMS = 100
CHUNK_ITEMS = 1000


@dataclass(frozen=True, slots=True)
class AnswerFilter:
    """Which answers to read: all of these questions of a project, narrowed by what is set.

    With a ``reader``, only what they may know of.
    """

    project_id: int
    questions: tuple[QuestionSpec, ...]
    batch: int | None = None
    annotator_id: int | None = None
    since: datetime | None = None
    all_revisions: bool = False
    reader: Membership | None = None


class ItemRow(NamedTuple):
    """An item of a chunk."""

    pk: int
    external_id: str
    version: int
    batch: int


class AnswerRow(NamedTuple):
    """One answer with what its annotation says about it; the fields are columns of the query below.

    Times are ISO 8601 in UTC: making a million of them into objects and back is a tenth of an export.
    """

    item_id: int
    annotation_id: int
    question_id: int
    pk: int
    label_class_id: int | None
    number: float | None
    text: str | None
    standard: str | None
    annotator_id: int
    pass_kind: str
    repeat: int
    revision: int
    item_version: int
    guideline_id: int
    suggestion: object
    elapsed_ms: int | None
    created_at: str
    answered_at: str | None


_ANSWER_COLUMNS = (
    "annotation__item_id",
    "annotation_id",
    "question_id",
    "pk",
    "label_class_id",
    "number",
    "text",
    "standard",
    "annotation__annotator_id",
    "annotation__pass_kind",
    "annotation__repeat",
    "annotation__revision",
    "annotation__item_version",
    "annotation__guideline_id",
    "annotation__suggestion",
    "annotation__elapsed_ms",
    "created",
    "answered",
)


def item_chunks(project: Project, batch: int | None = None) -> Iterator[list[ItemRow]]:
    """All items but withdrawn ones, ordered by their ids; the first chunk is small."""
    prefer_indexes()
    numbers = dict(Batch.objects.filter(project=project).values_list("pk", "number"))
    items = Item.objects.filter(project=project).order_by("external_id")
    if batch is not None:
        items = items.filter(batch__number=batch)
    last: str | None = None
    size = FIRST_ITEMS
    while True:
        further = items if last is None else items.filter(external_id__gt=last)
        rows = list(further.values_list("pk", "external_id", "version", "batch_id", "state")[:size])
        chunk = [
            ItemRow(pk, external_id, version, numbers[batch_id])
            for pk, external_id, version, batch_id, state in rows
            if state != ItemState.WITHDRAWN
        ]
        if chunk:
            yield chunk
        if len(rows) < size:
            return
        last = rows[-1][1]
        size = CHUNK_ITEMS


def prefer_indexes() -> None:
    """Read small chunks through their indexes, also while statistics are older than the rows.

    Without statistics PostgreSQL may read whole tables for every chunk. The setting ends with the transaction.
    """
    if connection.vendor == "postgresql" and connection.in_atomic_block:
        settings = {
            "enable_hashjoin": "off",
            "enable_mergejoin": "off",
            "enable_seqscan": "off",
            "max_parallel_workers_per_gather": "0",
        }
        with connection.cursor() as cursor:
            for name, value in settings.items():
                cursor.execute("SELECT set_config(%s, %s, true)", [name, value])


def answer_rows(chunk: Sequence[ItemRow], wanted: AnswerFilter) -> list[AnswerRow]:
    """The answers on the items of a chunk, in the order of the items, then of time, then of the questions."""
    place = {item.pk: number for number, item in enumerate(chunk)}
    order = {question.id: number for number, question in enumerate(wanted.questions)}
    rows = Answer.objects.filter(_narrowing(chunk, wanted, "annotation__", "question")).order_by()
    rows = rows.annotate(
        created=Cast("annotation__created_at", TextField()),
        answered=Cast("annotation__answered_at", TextField()),
    )
    found = [
        AnswerRow._make((*row[:-2], iso_moment(row[-2]), row[-1] and iso_moment(row[-1])))
        for row in rows.values_list(*_ANSWER_COLUMNS)
        if row[0] in place
    ]
    found.sort(key=lambda row: (place[row.item_id], row.annotation_id, order[row.question_id]))
    return found


def ticked_classes(chunk: Sequence[ItemRow], wanted: AnswerFilter) -> dict[int, list[int]]:
    """For every answer of a multiple-choice question on these items: the classes ticked (none: no entry)."""
    narrow = _narrowing(chunk, wanted, "answer__annotation__", "answer__question")
    rows = AnswerChoice.objects.filter(narrow).order_by()
    ticked: defaultdict[int, list[int]] = defaultdict(list)
    for answer_id, class_id in rows.values_list("answer_id", "label_class_id"):
        ticked[answer_id].append(class_id)
    return ticked


def within(chunk: Sequence[ItemRow], wanted: AnswerFilter, item: str) -> Q:
    """The items of a chunk as a range of ids (withdrawn ones in between are in it, too).

    A range is one index scan; a list of a thousand keys costs more to say than to read. Items of one batch
    may lie far apart, though, with all the others in between: they are named one by one.
    """
    if wanted.batch is not None:
        return Q(**{f"{item}pk__in": [row.pk for row in chunk]})
    return Q(
        **{
            f"{item}project_id": wanted.project_id,
            f"{item}external_id__gte": chunk[0].external_id,
            f"{item}external_id__lte": chunk[-1].external_id,
        }
    )


def iso_moment(text: str) -> str:
    """A time as either database writes it (in UTC), as ISO 8601."""
    return f"{text[:10]}T{text[11:].removesuffix('+00')}+00:00"


def _narrowing(chunk: Sequence[ItemRow], wanted: AnswerFilter, annotation: str, question: str) -> Q:
    narrow = within(chunk, wanted, f"{annotation}item__")
    narrow &= Q(
        **{f"{annotation}voided": False, f"{question}_id__in": [spec.id for spec in wanted.questions]}
    )
    if not wanted.all_revisions:
        narrow &= Q(**{f"{annotation}current": True})
    if wanted.annotator_id is not None:
        narrow &= Q(**{f"{annotation}annotator_id": wanted.annotator_id})
    if wanted.since is not None:
        narrow &= Q(**{f"{annotation}created_at__gte": wanted.since})
    if wanted.reader is not None:
        narrow &= told_to(wanted.reader, annotation)
    return narrow


def guideline_numbers(project: Project) -> dict[int, int]:
    """The number of every guideline version, by key."""
    return dict(GuidelineVersion.objects.filter(project=project).values_list("pk", "number"))
