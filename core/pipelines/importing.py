"""From a stored file to published rows: read, check row by row, stage, settle, publish in one step."""

import json
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from typing import Any, BinaryIO, TypeVar

from core.choices import AuditPart, FileFormat, ImportKind, ImportState, OnError, QuestionKind
from core.exceptions import DomainError, Invalid
from core.formats.errors import FileError, RowError
from core.formats.reader import read_rows
from core.formats.rows import (
    PROB,
    AnnotationRow,
    EmbeddingRow,
    GoldRow,
    ItemRow,
    Label,
    PredictionRow,
    annotation_rows,
    embedding_rows,
    gold_rows,
    item_rows,
    prediction_rows,
)
from core.formats.writers import write_rows
from core.models import Import, Job, Project
from core.pipelines.archive import stored_images
from core.pipelines.validation import Check, inferred_schema, validate_answers, validate_staged
from core.selectors.imports import REFUSED_COLUMNS, item_ids, refused_table
from core.selectors.question import QuestionSpec, Schema, schema_of
from core.services.answer import CheckedAnswer, ValueRefused, check_value
from core.services.asset import StoredImage, drop_images, name_images
from core.services.imports import begin_check, cancel_import, fail_import, hold_import, import_folder
from core.services.job import JobCancelled
from core.services.staging import MOST_REPEATS, Chunk, Draw, NewAnswer, NewItem, Refused, settle, stage
from core.services.validation import publish_validated

CHUNK_ROWS = 5000
CHUNK_IMAGES = 50
CHUNK_VECTORS = 1000
OF_ANSWERS = (ImportKind.ANNOTATIONS, ImportKind.GOLD, ImportKind.PREDICTIONS)
ZIP_HEAD = b"PK\x03\x04"
CHUNK_CHARACTERS = 4 * 2**20
LONGEST_ITEM = 2**20
LONGEST_EXTRA = 2**16
MOST_ELAPSED_MS = 24 * 3600 * 1000
MOST_KNOWN_VALUES = 20_000
CHECK_SHARE = 0.85
SUM_SLACK = 0.02

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_Row = TypeVar("_Row")


def run_import(job: Job) -> None:
    """Do the work of an import's job; whatever happens, the import ends in a state that says so.

    Raises LostClaim when another worker has taken the job over.
    """
    source = Import.objects.select_related("project", "created_by").get(pk=job.arguments["import"])
    try:
        settled = None
        if source.state != ImportState.PUBLISHING:
            settled, stopped = _check(job, source)
            if stopped or (source.on_error == OnError.HOLD and source.rejected):
                hold_import(job, source)
                return
        inferred = inferred_schema(source) if source.kind == ImportKind.ITEMS else None
        publish_validated(job, source, settled, inferred)
    except (FileError, DomainError) as error:
        fail_import(job, source, error.code, error.detail, **_plain(error.data))
    except JobCancelled:
        cancel_import(job, source)


def refused_csv(source: Import) -> Iterator[bytes]:
    """All refused rows of an import as a CSV file that is safe in a spreadsheet."""
    return write_rows(refused_table(source), REFUSED_COLUMNS, FileFormat.CSV)


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in {"code", "detail"}}


def _check(job: Job, source: Import) -> tuple[int, bool]:
    """Stage every row that is right, keep every refusal; returns what ``settle`` does, and whether to hold the rows.

    Items are validated on their way: they are looked at as they pass; of answers the balance of classes is looked at
    once they are settled. The report is kept before anything is published.

    Raises FileError when the file as a whole is wrong.
    """
    begin_check(job, source)
    watch = Watched(source.project) if source.kind == ImportKind.ITEMS else None
    try:
        file = (import_folder() / source.file).open("rb")
    except FileNotFoundError:
        raise FileError("file-missing", "The stored file is gone. Upload it again.") from None
    with file:
        for chunk in _chunks(file, source, watch):
            stage(job, source, chunk, CHECK_SHARE * min(file.tell() / source.file_size, 1))
    settled = settle(job, source)
    if not source.accepted and source.rejected:
        raise Invalid("no-rows-accepted", f"All {source.rejected:,} rows of the file were refused.")
    if watch is not None:
        return settled, validate_staged(job, source, watch.check, watch.n)
    return settled, source.kind in OF_ANSWERS and validate_answers(job, source)


def _chunks(file: BinaryIO, source: Import, watch: "Watched | None") -> Iterator[Chunk]:
    if source.kind == ImportKind.ITEMS and not source.format and _is_archive(file):
        return _item_chunks(_image_rows(file, source), source, watch, most=CHUNK_IMAGES)
    rows = read_rows(file, format=source.format or None, encoding=source.encoding or None)
    source.format, source.encoding = rows.format, rows.encoding or ""
    if source.kind == ImportKind.ITEMS:
        return ahead(_item_chunks(item_rows(rows, source.columns), source, watch))
    if source.kind == ImportKind.EMBEDDINGS:
        return _embedding_chunks(embedding_rows(rows, source.columns), source.project_id)
    checker = AnswerChecker(source.project)
    if source.kind == ImportKind.GOLD:
        return map(checker.chunk, _batched(gold_rows(rows, source.columns)))
    if source.kind == ImportKind.PREDICTIONS:
        return map(checker.chunk, _batched(prediction_rows(rows, source.columns)))
    return map(checker.chunk, _batched(annotation_rows(rows, source.columns)))


def ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The same chunks, each made in a thread of its own while the database takes in the one before."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = pool.submit(next, chunks, None)
            yield chunk


def _is_archive(file: BinaryIO) -> bool:
    head = file.read(len(ZIP_HEAD))
    file.seek(0)
    return head == ZIP_HEAD


def _image_rows(file: BinaryIO, source: Import) -> Iterator[ItemRow]:
    """An item per image of a zip, named as the image is; the images become assets once all of them are right."""
    new: list[str] = []
    images: list[StoredImage] = []
    try:
        for number, image in enumerate(stored_images(source.project_id, file, new), 1):
            images.append(image)
            yield ItemRow(number, number, image.name, {"image": image.name}, {})
        name_images(source.project, source.created_by, images)
    except BaseException:  # also when the job was cancelled or taken over, which closes this generator
        drop_images(source.project_id, new)
        raise


def _batched(rows: Iterable[_Row], most: int = CHUNK_ROWS) -> Iterator[list[_Row]]:
    rows = iter(rows)
    while batch := list(islice(rows, most)):
        yield batch


def _refused(error: RowError) -> Refused:
    return Refused(
        error.row, error.line or error.row, error.column or "", error.code, error.detail, error.byte
    )


def _unknown_item(row: AnnotationRow | GoldRow | PredictionRow | EmbeddingRow) -> Refused:
    detail = f"The project has no item {row.item_id!r}."
    return Refused(row.number, row.line, "item_id", "unknown-item", detail)


# --- Items ------------------------------------------------------------------------------------------


class Watched:
    """The validation of the items that pass by, and how many have."""

    def __init__(self, project: Project) -> None:
        self.check = Check(project)
        self.n = 0

    def add(self, rows: list[ItemRow], made: list[NewItem]) -> None:
        """Look at the accepted rows of a chunk."""
        self.check.add(rows, [one.audit != AuditPart.NONE for one in made])
        self.n += len(rows)


def _item_chunks(
    rows: Iterator[ItemRow | RowError] | Iterator[ItemRow],
    source: Import,
    watch: Watched | None = None,
    most: int = CHUNK_ROWS,
) -> Iterator[Chunk]:
    """Chunks of at most so many rows and about 4 million characters, vectors counted by their bytes."""
    make = ItemMaker(source.project, source.file_hash)
    accepted: list[NewItem] = []
    read: list[ItemRow] = []
    refused: list[Refused] = []
    size = 0
    for row in rows:
        if isinstance(row, RowError):
            refused.append(_refused(row))
        elif isinstance(made := make(row), Refused):
            refused.append(made)
        else:
            accepted.append(made)
            read.append(row)
            size += len(made.data) + len(made.meta) + len(made.vector or b"")
        if size > CHUNK_CHARACTERS or len(accepted) + len(refused) >= most:
            if watch is not None:
                watch.add(read, accepted)
            yield Chunk(accepted, refused)
            accepted, read, refused, size = [], [], [], 0
    if accepted or refused:
        if watch is not None:
            watch.add(read, accepted)
        yield Chunk(accepted, refused)


class ItemMaker:
    """Gives each item its place in the queue and its part of the audit slice (services.staging.Draw)."""

    def __init__(self, project: Project, file_hash: str) -> None:
        self._draw = Draw(project.audit_key)
        self._slice = int(project.audit_fraction * 2**32)
        self._file_hash = file_hash

    def __call__(self, row: ItemRow) -> NewItem | Refused:
        """The item as it is staged, or why it is refused."""
        data, meta = _encode(row.data), _encode(row.meta)
        if len(data) + len(meta) > LONGEST_ITEM:
            detail = f"The item has {len(data) + len(meta):,} characters; at most {LONGEST_ITEM:,} are taken."
            return Refused(row.number, row.line, "data", "item-too-large", detail)
        position, drawn = self._draw(row.id, self._file_hash, row.number)
        part = AuditPart.STREAM if drawn < self._slice else AuditPart.NONE
        return NewItem(row.number, row.line, row.id or "", data, meta, part.value, position, row.vector)


def _embedding_chunks(rows: Iterator[EmbeddingRow | RowError], project_id: int) -> Iterator[Chunk]:
    """Chunks of vectors for items that are there; one statement each."""
    for batch in _batched(rows, CHUNK_VECTORS):
        known = item_ids(project_id, {row.item_id for row in batch if not isinstance(row, RowError)})
        accepted: list[NewItem] = []
        refused: list[Refused] = []
        for row in batch:
            if isinstance(row, RowError):
                refused.append(_refused(row))
            elif row.item_id in known:
                accepted.append(NewItem(row.number, row.line, row.item_id, "{}", "{}", "", 0, row.vector))
            else:
                refused.append(_unknown_item(row))
        yield Chunk(accepted, refused)


# --- Annotations, gold, predictions -----------------------------------------------------------------

_Said = AnnotationRow | GoldRow | PredictionRow


@dataclass
class AnswerChecker:
    """Checks rows of answers, gold or predictions against a project's items and questions, by the chunk."""

    project: Project
    _schema: Schema = field(init=False)
    _known: dict[tuple[int, str], CheckedAnswer] = field(default_factory=dict)
    _class_ids: dict[tuple[int, str], int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._schema = schema_of(self.project)

    def chunk(
        self,
        rows: list[AnnotationRow | RowError] | list[GoldRow | RowError] | list[PredictionRow | RowError],
    ) -> Chunk:
        """What is accepted and what is refused of these rows. One statement."""
        wanted = {row.item_id for row in rows if not isinstance(row, RowError)}
        items = item_ids(self.project.pk, wanted)
        accepted: list[NewAnswer] = []
        refused: list[Refused] = []
        for row in rows:
            made = _refused(row) if isinstance(row, RowError) else self._answer(row, items)
            if isinstance(made, Refused):
                refused.append(made)
            else:
                accepted.append(made)
        return Chunk(accepted, refused)

    def _answer(self, row: _Said, items: dict[str, int]) -> NewAnswer | Refused:
        item_id = items.get(row.item_id)
        if item_id is None:
            return _unknown_item(row)
        question = self._schema.question(row.question)
        if question is None:
            detail = f"The project has no question {row.question!r}."
            return Refused(row.number, row.line, "question", "unknown-question", detail)
        try:
            answer = self._value(question, row.label)
        except ValueRefused as refusal:
            return Refused(row.number, row.line, "label", refusal.code, refusal.detail)
        if isinstance(row, GoldRow):
            return _staged(row, item_id, answer, _fingerprint(row.label), None)
        if isinstance(row, PredictionRow):
            found = self._probabilities(row, question)
            if isinstance(found, Refused):
                return found
            staged = _staged(row, item_id, answer, _fingerprint(row.label), None)
            return staged._replace(probabilities=found)
        extra = _encode(row.extra) if row.extra else None
        if extra and len(extra) > LONGEST_EXTRA:
            detail = f"The other columns hold more than {LONGEST_EXTRA:,} characters."
            return Refused(row.number, row.line, "", "extra-too-large", detail)
        if row.repeat is not None and row.repeat > MOST_REPEATS:
            detail = f"repeat is at most {MOST_REPEATS:,}."
            return Refused(row.number, row.line, "repeat", "invalid-number", detail)
        return _staged(row, item_id, answer, _fingerprint(row[2:-1], sorted(row.extra.items())), extra)

    def _probabilities(self, row: PredictionRow, question: QuestionSpec) -> str | Refused | None:
        """By class id, as JSON text; None where the row gives none.

        The classes of one choice share 1 between them (those that are left out have 0); the classes of a
        multiple choice are ticked each by itself, so theirs need not add up.
        """
        found: dict[str, float] = {}
        for name, number in row.probabilities.items():
            class_id = self._class_id(question, name)
            if class_id is None:
                detail = f"{name[:80]!r} is not a class of {question.key!r}"
                return Refused(row.number, row.line, PROB + name, "unknown-class", detail)
            if str(class_id) in found:
                detail = f"Two columns give the probability of {name[:80]!r}."
                return Refused(row.number, row.line, PROB + name, "column-conflict", detail)
            found[str(class_id)] = number
        if not found:
            return None
        total = sum(found.values())
        if question.kind != QuestionKind.MULTIPLE and abs(total - 1) > SUM_SLACK + 1e-9:
            detail = f"The probabilities add up to {total:.4g}, not to 1."
            return Refused(row.number, row.line, PROB.rstrip("."), "bad-probabilities", detail)
        return _encode(found)

    def _class_id(self, question: QuestionSpec, name: str) -> int | None:
        key = (question.id, name)
        if key not in self._class_ids:
            spec = question.class_named(name)
            if len(self._class_ids) >= MOST_KNOWN_VALUES:
                self._class_ids.clear()
            self._class_ids[key] = spec.id if spec else None
        return self._class_ids[key]

    def _value(self, question: QuestionSpec, label: Label) -> CheckedAnswer:
        """The label as a checked answer; labels that recur are checked once."""
        if not isinstance(label, str) or question.kind == QuestionKind.TEXT:
            return check_value(question, value_of(question, label))
        known = self._known.get((question.id, label))
        if known is None:
            known = check_value(question, value_of(question, label))
            if len(self._known) < MOST_KNOWN_VALUES:
                self._known[question.id, label] = known
        return known


def value_of(question: QuestionSpec, label: Label) -> Any:
    """A label of a file as the value that its question takes. Raises ValueRefused.

    Lists come as text joined by ``|``, numbers as text; whole numbers and true/false of JSON name classes.
    """
    if question.kind == QuestionKind.MULTIPLE:
        return _ticked(question, label)
    if label == "" and not (question.is_choice and question.class_named("")):
        raise ValueRefused("empty-label", f"The label is empty, and {question.key!r} has no empty class")
    if question.kind == QuestionKind.NUMBER:
        if not isinstance(label, str):
            return label
        if not _NUMBER.fullmatch(label):
            raise ValueRefused("not-a-number", f"{label[:80]!r} is not a number")
        return float(label)
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label) if isinstance(label, int) else label


def _ticked(question: QuestionSpec, label: Label) -> Any:
    if not isinstance(label, str):
        return label
    if label == "":
        return []
    return [label] if question.class_named(label) else label.split("|")


def _staged(
    row: _Said, item_id: int, answer: CheckedAnswer, fingerprint: int, extra: str | None
) -> NewAnswer:
    several = answer.question.kind == QuestionKind.MULTIPLE
    made = row if isinstance(row, AnnotationRow) else None
    elapsed = made.elapsed_ms if made else None
    return NewAnswer(
        row=row.number,
        line=row.line,
        item_id=item_id,
        annotator=made.annotator if made else "",
        question_id=answer.question.id,
        fingerprint=fingerprint,
        given=made.repeat if made else None,
        repeat=1,
        label_class_id=answer.class_id,
        classes="".join(("|", *(f"{one.id}|" for one in answer.classes or ()))) if several else "",
        number=answer.number,
        text=answer.text,
        answered_at=made.created_at if made else None,
        elapsed_ms=None if elapsed is None else min(elapsed, MOST_ELAPSED_MS),
        pass_kind=(made.pass_kind or "") if made else "",
        extra=extra,
    )


def _fingerprint(*row: Any) -> int:
    """64 bits (signed) of a hash of a row as it stood."""
    return int.from_bytes(blake2b(repr(row).encode(), digest_size=8).digest(), "big", signed=True)
