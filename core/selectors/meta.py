"""One key of an item's metadata, as text, on both databases."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func, TextField, Value
from django.db.models.sql.compiler import SQLCompiler

# SQLite's JSON paths cannot quote every key, so the object's members are looked through.
_MEMBER_OF_OBJECT = (
    "(SELECT CASE type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN NULL "
    "WHEN 'array' THEN value WHEN 'object' THEN value ELSE CAST(atom AS TEXT) END "
    "FROM json_each({field}) WHERE key = {key})"
)


class MetaText(Func):
    """The value of one key of a JSON object as text; null where the key is absent.

    Django's own key transform takes a key of digits for a place in a list, and splits a name at two
    underscores; metadata come from files, whose keys can be anything.
    """

    function = "jsonb_extract_path_text"
    output_field = TextField()

    def __init__(self, field: str, key: str) -> None:
        super().__init__(F(field), Value(key))

    def as_sqlite(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,  # noqa: ARG002 -- called by Django
        **context: Any,  # noqa: ARG002
    ) -> tuple[str, tuple[Any, ...]]:
        """The same where there is no such function."""
        field, field_params = compiler.compile(self.source_expressions[0])
        key, key_params = compiler.compile(self.source_expressions[1])
        sql = _MEMBER_OF_OBJECT.format(field=field, key=key)
        return sql, (*field_params, *key_params)
