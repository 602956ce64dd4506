"""Staging: checked rows on their way into the database, and what can only be refused once all are there."""

# ruff: noqa: S608 -- what is put into the statements here are names of our own, never input

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

from django.db import connection, transaction

from core.choices import ImportKind, ImportState
from core.models import Import, Job, RefusedRow
from core.services.job import beat

MOST_REFUSED = 100_000
MOST_REPEATS = 1000
ABOUT_ITEMS = (ImportKind.ITEMS, ImportKind.EMBEDDINGS)
FLOAT_BYTES = 4


BATCH_SHIFT = 40  # above the hash in a position stands the number of the batch
POSITION_BYTES, SLICE_BYTES = 5, 4


class Draw:
    """An item's place in the queue and its part of the audit slice, by a keyed hash of its id.

    The same id in the same project always falls the same way. Without an id the file and the row stand in for it.
    """

    def __init__(self, audit_key: str) -> None:
        self._keyed = blake2b(key=bytes.fromhex(audit_key), digest_size=POSITION_BYTES + SLICE_BYTES)

    def __call__(self, external_id: str | None, file_hash: str, row: int) -> tuple[int, int]:
        """The place within the batch, and a number below 2**32: the audit slice has the items with the smallest."""
        keyed = self._keyed.copy()
        keyed.update((external_id or f"{file_hash}:{row}").encode())
        digest = keyed.digest()
        return int.from_bytes(digest[:POSITION_BYTES], "big"), int.from_bytes(digest[POSITION_BYTES:], "big")


class NewItem(NamedTuple):
    """One item to stage; ``data`` and ``meta`` are JSON texts, ``vector`` is as in ItemVector.

    A row of a file of embeddings has an item's id and a vector, and none of the rest.
    """

    row: int
    line: int
    external_id: str
    data: str
    meta: str
    audit: str
    position: int
    vector: bytes | None = None


class NewAnswer(NamedTuple):
    """One answer, gold value or prediction to stage; ``classes`` as ``|12|15|``.

    ``extra`` and ``probabilities`` are JSON texts.
    """

    row: int
    line: int
    item_id: int
    annotator: str
    question_id: int
    fingerprint: int
    given: int | None
    repeat: int
    label_class_id: int | None
    classes: str
    number: float | None
    text: str | None
    answered_at: datetime | None
    elapsed_ms: int | None
    pass_kind: str
    extra: str | None
    probabilities: str | None = None


class Refused(NamedTuple):
    """One row that is not taken."""

    row: int
    line: int
    column: str
    code: str
    detail: str
    byte: int | None = None


class Chunk(NamedTuple):
    """What one step of the check found; every row of the file is in one of the two."""

    accepted: Sequence[NewItem] | Sequence[NewAnswer]
    refused: Sequence[Refused]


@transaction.atomic
def stage(job: Job, source: Import, chunk: Chunk, progress: float) -> None:
    """Write one chunk and the progress, all or nothing. Raises LostClaim, JobCancelled."""
    beat(job, progress)
    if chunk.accepted:
        _insert(_table_of(source), source.pk, chunk.accepted)
    _keep_refused(source, chunk.refused)
    source.rows += len(chunk.accepted) + len(chunk.refused)
    source.accepted += len(chunk.accepted)
    source.rejected += len(chunk.refused)
    _save_counts(source)


def _table_of(source: Import) -> str:
    return "core_stageditem" if source.kind in ABOUT_ITEMS else "core_stagedanswer"


def _insert(table: str, source_id: int, rows: Sequence[NewItem] | Sequence[NewAnswer]) -> None:
    columns = ", ".join(("source_id", *rows[0]._fields))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row((source_id, *row))
            return
        places = ", ".join(["%s"] * (len(rows[0]) + 1))
        values = [(source_id, *map(_adapted, row)) for row in rows]
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", values)


def _adapted(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


def _keep_refused(source: Import, refused: Iterable[Refused]) -> None:
    room = MOST_REFUSED - source.rejected
    kept = [
        RefusedRow(
            source=source,
            row=one.row,
            line=one.line,
            column=one.column[:200],
            code=one.code,
            detail=one.detail[:500],
            byte=one.byte,
        )
        for one, _ in zip(refused, range(max(room, 0)), strict=False)
    ]
    if kept:
        RefusedRow.objects.bulk_create(kept, batch_size=1000)


def _save_counts(source: Import) -> None:
    source.save(update_fields=["rows", "accepted", "rejected", "duplicates", "format", "encoding"])


@transaction.atomic
def settle(job: Job, source: Import) -> int:
    """Refuse what only shows once all rows are there: ids that occur twice, repeats that clash.

    Returns how many imports had been published by then, for ``settle_again``.
    """
    beat(job)
    allow_memory()
    published = count_published(source)
    _settle(source, again=False)
    return published


def settle_again(source: Import, settled: int | None) -> None:
    """Within the transaction that publishes: the same once more if another import was published meanwhile."""
    if source.kind == ImportKind.ANNOTATIONS:
        _refuse_taken_names(source)
    if settled is None or settled != count_published(source):
        _settle(source, again=True)


def count_published(source: Import) -> int:
    """How many imports of this kind the project has published. It never falls.

    Items and embeddings count together: a vector that either brings sets the length of the others.
    """
    kinds = ABOUT_ITEMS if source.kind in ABOUT_ITEMS else (source.kind,)
    return Import.objects.filter(
        project=source.project_id, kind__in=kinds, state=ImportState.PUBLISHED
    ).count()


def _settle(source: Import, *, again: bool) -> None:
    if not again:
        analyse(_table_of(source))
    if source.kind == ImportKind.ITEMS:
        _settle_items(source, again=again)
    elif source.kind == ImportKind.EMBEDDINGS:
        _settle_embeddings(source)
    elif source.kind == ImportKind.GOLD:
        _settle_gold(source)
    elif source.kind == ImportKind.PREDICTIONS:
        _settle_predictions(source)
    else:
        _refuse_taken_names(source)
        _settle_annotations(source)
    _save_counts(source)


def analyse(table: str) -> None:
    """Tell PostgreSQL's planner about rows that came just now; SQLite does not need it."""
    if connection.vendor == "postgresql":
        run(f"ANALYZE {table}")


def allow_memory() -> None:
    """Let PostgreSQL sort a million ids in memory, in this transaction only."""
    if connection.vendor == "postgresql":
        run("SET LOCAL work_mem = '64MB'")


def run(sql: str, *params: Any) -> int:
    """Run one statement; returns how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


def refuse(source: Import, table: str, chosen: str, params: Sequence[Any], why: Refused) -> int:
    """Move the staged rows that ``chosen`` selects (by id) to the refused ones; returns how many."""
    room = max(MOST_REFUSED - source.rejected, 0)
    kept = run(
        'INSERT INTO core_refusedrow (source_id, "row", line, "column", code, detail) '
        f'SELECT source_id, "row", line, %s, %s, %s FROM {table} '
        f'WHERE id IN ({chosen}) ORDER BY "row" LIMIT %s',
        *(why.column, why.code, why.detail, *params, room),
    )
    if room and not kept:
        return 0
    moved = run(f"DELETE FROM {table} WHERE id IN ({chosen})", *params)
    source.accepted -= moved
    source.rejected += moved
    return moved


def _settle_items(source: Import, *, again: bool) -> None:
    if not again:
        _refuse_repeated(source, _twice("An earlier row of this file has this id."))
    known = (
        "SELECT s.id FROM core_stageditem s JOIN core_item i ON i.external_id = s.external_id "
        "AND i.project_id = %s WHERE s.source_id = %s"
    )
    refuse(
        source,
        "core_stageditem",
        known,
        (source.project_id, source.pk),
        _twice("An item of this project has this id."),
    )
    _refuse_other_lengths(source)


def _refuse_repeated(source: Import, why: Refused) -> None:
    """Each id has one row in the file: the first."""
    twice = (
        'SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY external_id ORDER BY "row") AS place '
        "FROM core_stageditem WHERE source_id = %s AND external_id <> '') AS numbered WHERE place > 1"
    )
    refuse(source, "core_stageditem", twice, (source.pk,), why)


def _twice(detail: str) -> Refused:
    return Refused(0, 0, "id", "duplicate-id", detail)


def _settle_embeddings(source: Import) -> None:
    why = Refused(0, 0, "item_id", "duplicate-embedding", "An earlier row of this file is about this item.")
    _refuse_repeated(source, why)
    _refuse_other_lengths(source)


def _refuse_other_lengths(source: Import) -> None:
    """All vectors of a project have one length: that of the ones that stay, else that of the file's first.

    So a file of another length is taken when it replaces every vector there is.
    """
    first = _number(
        "SELECT length(vector) FROM core_stageditem WHERE source_id = %s AND vector IS NOT NULL "
        'ORDER BY "row" LIMIT 1',
        source.pk,
    )
    if first is None:
        return
    kept = _number(
        "SELECT length(v.content) FROM core_itemvector v JOIN core_item i ON i.id = v.item_id "
        "LEFT JOIN (SELECT external_id FROM core_stageditem WHERE source_id = %s) AS s "
        "ON s.external_id = i.external_id WHERE i.project_id = %s AND s.external_id IS NULL LIMIT 1",
        *(source.pk, source.project_id),
    )
    length = first if kept is None else kept
    whose = "file" if kept is None else "project"
    detail = f"The length of an embedding is {length // FLOAT_BYTES:,} in this {whose}."
    other = "SELECT id FROM core_stageditem WHERE source_id = %s AND length(vector) <> %s"
    why = Refused(0, 0, "embedding", "bad-embedding-length", detail)
    refuse(source, "core_stageditem", other, (source.pk, length), why)


def _number(sql: str, *params: Any) -> int | None:
    """The one number that a query finds, if it finds one."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        row = cursor.fetchone()
    return row and int(row[0])


def _drop_equal_rows(source: Import) -> None:
    """Rows that are equal in every column are one."""
    _drop(
        source,
        "SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY item_id, annotator, question_id, "
        'fingerprint ORDER BY "row") AS place FROM core_stagedanswer WHERE source_id = %s) AS numbered '
        "WHERE place > 1",
        source.pk,
    )


def _drop(source: Import, chosen: str, *params: Any) -> None:
    dropped = run(f"DELETE FROM core_stagedanswer WHERE id IN ({chosen})", *params)
    source.accepted -= dropped
    source.duplicates += dropped


def _settle_gold(source: Import) -> None:
    _drop_equal_rows(source)
    why = Refused(
        0, 0, "label", "duplicate-gold", "An earlier row says otherwise about this item and question."
    )
    _refuse_further_rows(source, why)


def _refuse_further_rows(source: Import, why: Refused) -> None:
    """Each item and question has one row in the file: the first."""
    twice = (
        'SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY item_id, question_id ORDER BY "row") '
        "AS place FROM core_stagedanswer WHERE source_id = %s) AS numbered WHERE place > 1"
    )
    refuse(source, "core_stagedanswer", twice, (source.pk,), why)


def _settle_predictions(source: Import) -> None:
    why = Refused(
        0,
        0,
        "item_id",
        "duplicate-prediction",
        "An earlier row of this file is about this item and question.",
    )
    _refuse_further_rows(source, why)


def _refuse_taken_names(source: Import) -> None:
    """What people with an account answer is never written by others."""
    taken = (
        "SELECT s.id FROM core_stagedanswer s JOIN core_membership m ON m.project_id = %s "
        "AND m.name = s.annotator AND m.user_id IS NOT NULL WHERE s.source_id = %s"
    )
    why = Refused(
        0, 0, "annotator", "name-taken", "Somebody who signs in here has this name; give the person another."
    )
    refuse(source, "core_stagedanswer", taken, (source.project_id, source.pk), why)


def _settle_annotations(source: Import) -> None:
    _drop_equal_rows(source)
    again = count_published(source) > 0
    if again:
        _drop_known_rows(source)
    _number_repeats(source, again=again)
    _refuse_clashes(source, again=again)


def _drop_known_rows(source: Import) -> None:
    """Rows that an earlier file has brought already."""
    _drop(
        source,
        "SELECT s.id FROM core_stagedanswer s JOIN core_membership m ON m.project_id = %s "
        "AND m.name = s.annotator JOIN core_annotation a ON a.item_id = s.item_id AND a.annotator_id = m.id "
        "JOIN core_answer x ON x.annotation_id = a.id AND x.question_id = s.question_id "
        "AND x.fingerprint = s.fingerprint WHERE s.source_id = %s",
        *(source.project_id, source.pk),
    )


# What people without an account have answered so far, on the items' present versions.
ANSWERED = """
    SELECT a.item_id, m.name AS annotator, x.question_id, a.repeat
    FROM core_annotation a
    JOIN core_item i ON i.id = a.item_id AND i.version = a.item_version
    JOIN core_membership m ON m.id = a.annotator_id AND m.project_id = %s AND m.user_id IS NULL
    JOIN core_answer x ON x.annotation_id = a.id
    WHERE a."current" AND a.item_id IN (SELECT item_id FROM core_stagedanswer WHERE source_id = %s)
"""


def _number_repeats(source: Import, *, again: bool) -> None:
    """A further row of one person, item and question is that person's next repeat, in the file's order."""
    before, known, params = "0", "", []
    if again:
        before = "COALESCE(e.most, 0)"
        known = (
            "LEFT JOIN (SELECT item_id, annotator, question_id, max(repeat) AS most "
            f"FROM ({ANSWERED}) AS answered GROUP BY item_id, annotator, question_id) AS e "
            "ON e.item_id = s.item_id AND e.annotator = s.annotator AND e.question_id = s.question_id"
        )
        params = [source.project_id, source.pk]
    run(
        f"""
        UPDATE core_stagedanswer SET repeat = numbered.turn FROM (
            SELECT s.id, CASE
                WHEN s.given IS NOT NULL THEN s.given
                WHEN {before} + s.place > {MOST_REPEATS} THEN {MOST_REPEATS}
                ELSE {before} + s.place END AS turn
            FROM (
                SELECT id, item_id, annotator, question_id, given, row_number() OVER (
                    PARTITION BY item_id, annotator, question_id, given IS NULL ORDER BY "row") AS place
                FROM core_stagedanswer WHERE source_id = %s
            ) AS s {known}
        ) AS numbered
        WHERE core_stagedanswer.id = numbered.id AND core_stagedanswer.repeat <> numbered.turn
        """,
        *(source.pk, *params),
    )


def _refuse_clashes(source: Import, *, again: bool) -> None:
    """One person answers one question of one item once per repeat."""
    why = Refused(
        0, 0, "repeat", "repeat-taken", "This person has answered this question of this item in this repeat."
    )
    twice = (
        "SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY item_id, annotator, question_id, repeat "
        'ORDER BY "row") AS place FROM core_stagedanswer WHERE source_id = %s) AS numbered WHERE place > 1'
    )
    refuse(source, "core_stagedanswer", twice, (source.pk,), why)
    if again:
        known = (
            f"SELECT s.id FROM core_stagedanswer s JOIN ({ANSWERED}) AS e ON e.item_id = s.item_id "
            "AND e.annotator = s.annotator AND e.question_id = s.question_id AND e.repeat = s.repeat "
            "WHERE s.source_id = %s"
        )
        params = (source.project_id, source.pk, source.pk)
        refuse(source, "core_stagedanswer", known, params, why)
