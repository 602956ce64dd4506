"""The rows of a query as columns: no Python object per number where the database can send packed columns instead."""

from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection
from django.db.models import QuerySet

Column = npt.NDArray[Any]
_SENT = {
    "i8": "string_agg(int8send({}::int8), ''::bytea)",
    "f8": "string_agg(float8send({}), ''::bytea)",
    "text": r"string_agg(convert_to({}, 'UTF8'), '\x00'::bytea)",
}


def packed(rows: QuerySet[Any, tuple[Any, ...]], kinds: list[str]) -> list[Column]:
    """The columns of a query: 8-byte integers ("i8"), floats ("f8") or, as bytes in UTF-8, texts ("text")."""
    if connection.vendor == "postgresql":
        return _by_server(rows, kinds)
    dtype = np.dtype([(f"c{place}", "O" if kind == "text" else kind) for place, kind in enumerate(kinds)])
    sql, params = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        table = np.array(cursor.fetchall(), dtype=dtype) if "text" in kinds else np.fromiter(cursor, dtype)
    columns = [np.ascontiguousarray(table[name]) for name in dtype.names or ()]
    return [
        _texts([text.encode() for text in column]) if kind == "text" else column
        for column, kind in zip(columns, kinds, strict=True)
    ]


def _by_server(rows: QuerySet[Any, tuple[Any, ...]], kinds: list[str]) -> list[Column]:
    """One byte string per column, numbers in network order, put together by the server.

    All aggregates of one query see the rows in the same order, so the columns stay parallel. PostgreSQL's texts have
    no zero byte, which therefore stands between them.
    """
    sql, params = rows.query.sql_with_params()
    names = [f"c{place}" for place in range(len(kinds))]
    parts = [_SENT[kind].format(name) for name, kind in zip(names, kinds, strict=True)]
    statement = f"SELECT {', '.join(parts)} FROM ({sql}) AS rows({', '.join(names)})"  # noqa: S608 -- fixed words
    with connection.cursor() as cursor:
        if connection.in_atomic_block:  # for this transaction only
            cursor.execute("SET LOCAL jit = off")  # the compiler takes longer than it saves
            cursor.execute("SET LOCAL work_mem = '256MB'")  # so that the joins stay in memory
        cursor.execute(statement, params)
        row = cursor.fetchone() or [None] * len(kinds)
    return [_column(content, kind) for content, kind in zip(row, kinds, strict=True)]


def _column(content: bytes | None, kind: str) -> Column:
    if kind == "text":
        return _texts([] if content is None else bytes(content).split(b"\0"))
    return np.frombuffer(content or b"", dtype=f">{kind}").astype(kind)


def _texts(texts: list[bytes]) -> Column:
    column = np.empty(len(texts), dtype=object)
    column[:] = texts
    return column
