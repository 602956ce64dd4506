"""The items behind a figure of the agreement report, most split first, with what people answered.

Everything is counted by the database, in one statement for a page of items and one for their answers, so
memory does not grow with the project. Pages go by key.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func, QuerySet, TextField
from django.db.models.functions import Coalesce
from django.db.models.sql.compiler import SQLCompiler

from core.choices import QuestionKind
from core.exceptions import Invalid
from core.models import Annotation, Answer, AnswerChoice, Item, Membership, Project
from core.selectors.agreement import READ_TEXT, Scope, counted_answers, number_name, set_name
from core.selectors.lease import in_hand
from core.selectors.question import QuestionSpec

PAGE_SIZE = 25
SALT = "core.selectors.disagreement"
SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class Behind:
    """Which items: those with both of two labels, with one label, of one person, or of two people.

    ``a`` and ``b`` are labels by name; ``a`` twice stands for two people who both said it. Without any of
    these it is every item that two people have answered.
    """

    a: str | None = None
    b: str | None = None
    label: str | None = None
    person: int | None = None
    other: int | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One person's answer to an item."""

    annotator: int
    value: str
    annotation: int


@dataclass(frozen=True, slots=True)
class SplitItem:
    """An item, how far its answers differ, and what people said; None while the reader has it in hand.

    ``share`` is that of the pairs of answers that differ; where one person is asked about, that of the
    others who differ from them.
    """

    item: Item
    share: float
    said: tuple[Said, ...] | None


@dataclass(frozen=True, slots=True)
class SplitPage:
    """Some items in order, and where the next page begins."""

    items: list[SplitItem]
    next_cursor: str | None


class _Ticked(Func):
    """The ids of the classes ticked in an answer, in order, as text: "3,17"; empty where none is."""

    output_field = TextField()

    def as_postgresql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,  # noqa: ARG002 -- called by Django
        **context: Any,  # noqa: ARG002
    ) -> tuple[str, tuple[Any, ...]]:
        """With an aggregate that sorts by itself."""
        rows, params = self._rows(compiler)
        joined = f"SELECT string_agg(ticked::text, ',' ORDER BY ticked) FROM ({rows}) AS choices"  # noqa: S608
        return f"COALESCE(({joined}), '')", params

    def as_sqlite(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,  # noqa: ARG002 -- called by Django
        **context: Any,  # noqa: ARG002
    ) -> tuple[str, tuple[Any, ...]]:
        """Over rows that are sorted already."""
        rows, params = self._rows(compiler)
        joined = f"SELECT group_concat(ticked, ',') FROM ({rows} ORDER BY 1) AS choices"  # noqa: S608
        return f"COALESCE(({joined}), '')", params

    def _rows(self, compiler: SQLCompiler) -> tuple[str, tuple[Any, ...]]:
        answer, params = compiler.compile(self.source_expressions[0])
        table = AnswerChoice._meta.db_table  # noqa: SLF001 -- Django's documented API
        read = (
            "SELECT DISTINCT COALESCE(of_class.merged_into_id, of_class.id) AS ticked "  # noqa: S608 -- as above
            f"FROM {table} AS choice JOIN core_labelclass of_class ON of_class.id = choice.label_class_id "
            f"WHERE choice.answer_id = {answer}"
        )
        return read, tuple(params)


def items_behind(
    project: Project,
    question: QuestionSpec,
    scope: Scope,
    behind: Behind,
    reader: Membership,
    *,
    cursor: str | None = None,
    page_size: int = PAGE_SIZE,
) -> SplitPage:
    """One page of the items behind a figure, most split first, then in the order in which they came in.

    Raises Invalid ``bad-cursor`` for a cursor that was not made here, ``unknown-label`` for a label that
    nobody can have given.
    """
    counted = counted_answers(project, question, scope)
    rows = _ranked(counted, question, behind, cursor, page_size + 1)
    page = rows[:page_size]
    items = Item.objects.in_bulk([item_id for item_id, _share in page])
    said = _answers(counted, question, list(items))
    held = _held(reader, list(items))
    found = [
        SplitItem(items[pk], share, None if pk in held else tuple(said[pk]))
        for pk, share in page
        if pk in items
    ]
    more = len(rows) > page_size
    return SplitPage(found, signing.dumps([page[-1][1], page[-1][0]], salt=SALT) if more else None)


def _ranked(
    counted: QuerySet[Answer], question: QuestionSpec, behind: Behind, cursor: str | None, limit: int
) -> list[tuple[int, float]]:
    answers = counted
    for person in (behind.person, behind.other):
        if person is not None:
            theirs = Annotation.objects.filter(annotator=person).values("item_id")
            answers = answers.filter(annotation__item__in=theirs)
    rows = with_labels(answers, question, "annotation__item_id", "annotation__annotator_id")
    said, params = rows.query.sql_with_params()
    share, conditions, more = _share_and_conditions(question, behind)
    sql = f"""
        WITH said(item, annotator, label) AS ({said}),
        votes AS (SELECT item, label, count(*) AS n,
                         max(CASE WHEN annotator = %s THEN 1 ELSE 0 END) AS mine,
                         max(CASE WHEN annotator = %s THEN 1 ELSE 0 END) AS others
                  FROM said GROUP BY item, label),
        items AS (SELECT item, {share} AS share FROM votes GROUP BY item
                  HAVING sum(n) > 1 {conditions})
        SELECT item, share FROM items {{after}} ORDER BY share DESC, item LIMIT %s
    """  # noqa: S608 -- fixed words; every value is a parameter
    values: list[Any] = [*params, behind.person or 0, behind.other or 0, *more]
    after = ""
    if cursor is not None:
        at, last = _position(cursor)
        after = "WHERE share < %s OR (share = %s AND item > %s)"
        values += [at, at, last]
    with connection.cursor() as database:
        database.execute(sql.replace("{after}", after), [*values, limit])
        return [(int(item), float(found)) for item, found in database.fetchall()]


_DIFFERING = (
    "1 - CAST(sum(n * n) - sum(n) AS double precision) / CAST(sum(n) * (sum(n) - 1) AS double precision)"
)
_AGAINST_ME = (
    "1 - CAST(sum(CASE WHEN mine = 1 THEN n ELSE 0 END) - 1 AS double precision) "
    "/ CAST(sum(n) - 1 AS double precision)"
)
_TWO_APART = "CAST(1 - max(mine * others) AS double precision)"


def _share_and_conditions(question: QuestionSpec, behind: Behind) -> tuple[str, str, list[Any]]:
    """How split an item is, and what it must have: SQL over its votes, with parameters."""
    share = _DIFFERING
    conditions, values = "", []
    if behind.person is not None:
        share = _AGAINST_ME if behind.other is None else _TWO_APART
        conditions += " AND max(mine) = 1"
    if behind.other is not None:
        conditions += " AND max(others) = 1"
    wanted = [name for name in (behind.label, behind.a, behind.b) if name is not None]
    for name in dict.fromkeys(wanted):
        least = 2 if behind.a == behind.b == name else 1
        conditions += " AND sum(CASE WHEN label = %s THEN n ELSE 0 END) >= %s"
        values += [_label_value(question, name), least]
    return share, conditions, values


def _position(cursor: str) -> tuple[float, int]:
    try:
        share, item = signing.loads(cursor, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        raise Invalid("bad-cursor", "This cursor was not made here.") from None
    return float(share), int(item)


READ_CLASS = Coalesce("label_class__merged_into_id", "label_class_id")  # what an answer's class is read as
_LABEL = {
    QuestionKind.SINGLE: READ_CLASS,
    QuestionKind.SCALE: READ_CLASS,
    QuestionKind.MULTIPLE: _Ticked("pk"),
    QuestionKind.NUMBER: F("number"),
    QuestionKind.TEXT: READ_TEXT,
}


def with_labels(answers: QuerySet[Answer], question: QuestionSpec, *columns: str) -> QuerySet[Answer, Any]:
    """Rows of these columns and, last, what stands for the whole answer (see label_name)."""
    return answers.annotate(label=_LABEL[QuestionKind(question.kind)]).values_list(*columns, "label")


def _label_value(question: QuestionSpec, name: str) -> Any:
    """What stands in the column for a label that the report calls so."""
    if question.kind == QuestionKind.TEXT:
        return name
    if question.kind == QuestionKind.NUMBER:
        try:
            return float(name)
        except ValueError:
            raise Invalid("unknown-label", f"{name[:60]!r} is not a number.") from None
    ids = {spec.name: spec.id for spec in question.classes}
    names = (
        [name] if question.kind != QuestionKind.MULTIPLE else [part for part in name.split(SEPARATOR) if part]
    )
    if not set(names) <= set(ids):
        raise Invalid("unknown-label", f"There is no class {name[:60]!r} here.")
    if question.kind == QuestionKind.MULTIPLE:
        return ",".join(map(str, sorted(ids[part] for part in names)))
    return ids[name]


def _answers(counted: QuerySet[Answer], question: QuestionSpec, item_ids: list[int]) -> dict[int, list[Said]]:
    """Who answered what, by item, in the order of the answers."""
    answers = counted.filter(annotation__item__in=item_ids).order_by("annotation_id")
    found: defaultdict[int, list[Said]] = defaultdict(list)
    columns = ("annotation__item_id", "annotation_id", "annotation__annotator_id")
    for item_id, annotation_id, annotator_id, label in with_labels(answers, question, *columns):
        found[item_id].append(Said(annotator_id, label_name(question, label), annotation_id))
    return found


def label_name(question: QuestionSpec, label: Any) -> str:
    """What the report calls a label of ``with_labels``."""
    if question.kind == QuestionKind.TEXT:
        return str(label)
    if question.kind == QuestionKind.NUMBER:
        return number_name(label)
    names = {spec.id: spec.name for spec in question.classes}
    if question.kind == QuestionKind.MULTIPLE:
        ticked = {int(part) for part in label.split(",") if part}
        return set_name([spec.name for spec in question.classes if spec.id in ticked])
    return names[label]


def _held(reader: Membership, item_ids: list[int]) -> set[int]:
    """What the reader has in hand and is to answer without seeing others' answers."""
    return set(in_hand(reader).filter(item__in=item_ids).values_list("item_id", flat=True))
