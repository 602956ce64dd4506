"""A first look at an upload, for the page on which a lead maps columns."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Literal

from core.formats.errors import RowError
from core.formats.reader import read_rows
from core.formats.rows import (
    ANNOTATION_OPTIONAL,
    ANNOTATION_REQUIRED,
    EMBEDDING,
    EMBEDDING_REQUIRED,
    GOLD_REQUIRED,
    PREDICTION_REQUIRED,
)
from core.formats.table import DEFAULT_LIMITS, Format, Limits, Row

PREVIEW_ROWS = 10
Kind = Literal["items", "annotations", "gold", "predictions", "embeddings"]

_TARGETS: Mapping[Kind, tuple[str, ...]] = {
    "items": ("id", EMBEDDING),
    "annotations": (*ANNOTATION_REQUIRED, *ANNOTATION_OPTIONAL),
    "gold": GOLD_REQUIRED,
    "predictions": PREDICTION_REQUIRED,
    "embeddings": EMBEDDING_REQUIRED,
}
# Names seen in the wild, compared in lower case with everything but letters and digits taken out.
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "itemid", "uid", "uuid", "guid", "key", "exampleid", "docid", "textid", "tweetid", "taskid"),
    "item_id": ("itemid", "item", "exampleid", "docid", "textid", "tweetid", "task", "taskid", "unit", "id"),
    "annotator": (
        "annotator",
        "annotatorid",
        "worker",
        "workerid",
        "rater",
        "raterid",
        "coder",
        "user",
        "userid",
    ),
    "question": ("question", "questionkey", "task", "aspect", "dimension", "variable"),
    "label": ("label", "answer", "value", "class", "category", "response", "rating", "gold", "goldlabel"),
    "created_at": ("createdat", "created", "timestamp", "time", "submittedat", "date"),
    "elapsed_ms": ("elapsedms", "durationms"),
    "repeat": ("repeat", "round"),
    "pass": ("pass",),
    EMBEDDING: ("embedding", "embeddings", "vector", "emb"),
}
# In a file of predictions the model's own column goes first: many name the truth beside it.
_MODEL_LABELS = ("prediction", "predictedlabel", "predicted", "predlabel", "pred", "output")


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows as they stand in the file, and a guess at what the columns are.

    `mapping` is target to source as `columns` of core.formats.rows takes it; only targets that were found
    are in it.
    """

    format: Format
    encoding: str | None
    delimiter: str | None
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    errors: tuple[RowError, ...]
    mapping: dict[str, str]


def preview(
    stream: BinaryIO,
    *,
    kind: Kind = "items",
    format: str | None = None,  # noqa: A002 -- the word of the outer contract
    encoding: str | None = None,
    delimiter: str | None = None,
    count: int = PREVIEW_ROWS,
    limits: Limits = DEFAULT_LIMITS,
) -> Preview:
    """Read the first `count` rows; raises FileError as read_rows does. The stream is left part-read."""
    opened = read_rows(stream, format=format, encoding=encoding, delimiter=delimiter, limits=limits)
    first = list(islice(opened, count))
    rows = tuple(row for row in first if isinstance(row, Row))
    columns = opened.columns or tuple(dict.fromkeys(name for row in rows for name in row.values))
    return Preview(
        format=opened.format,
        encoding=opened.encoding,
        delimiter=opened.delimiter,
        columns=columns,
        rows=rows,
        errors=tuple(row for row in first if isinstance(row, RowError)),
        mapping=suggest_mapping(columns, kind),
    )


def suggest_mapping(columns: tuple[str, ...], kind: Kind) -> dict[str, str]:
    """Return target to source by name: the exact name first, then the usual other names of it."""
    free = list(columns)
    mapping: dict[str, str] = {}
    for target in _TARGETS[kind]:
        if target in free:
            mapping[target] = target
            free.remove(target)
    for target in _TARGETS[kind]:
        if target in mapping:
            continue
        bare = {_bare(column): column for column in reversed(free)}
        aliases = _ALIASES[target]
        if kind == "predictions" and target == "label":
            aliases = _MODEL_LABELS + aliases
        source = next((bare[alias] for alias in aliases if alias in bare), None)
        if source is not None:
            mapping[target] = source
            free.remove(source)
    return mapping


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
