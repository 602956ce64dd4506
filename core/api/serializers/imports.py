"""Shapes of imports."""

from typing import Any

from rest_framework import serializers

from core.choices import FileFormat, ImportKind, ImportState, OnError


class ImportRequest(serializers.Serializer[Any]):
    """An upload. ``columns`` is a JSON object: our name to the file's name; ``run`` is for predictions."""

    file = serializers.FileField()
    kind = serializers.ChoiceField(choices=ImportKind.choices)
    format = serializers.ChoiceField(choices=FileFormat.choices, required=False)
    encoding = serializers.CharField(required=False, help_text="A legacy code page; else UTF-8.")
    on_error = serializers.ChoiceField(choices=OnError.choices, required=False)
    columns = serializers.JSONField(required=False)
    run = serializers.CharField(required=False, help_text="The run that predictions belong to.")


class PreviewRequest(serializers.Serializer[Any]):
    """A file to look at; nothing of it is kept."""

    file = serializers.FileField()
    kind = serializers.ChoiceField(choices=ImportKind.choices, required=False)
    format = serializers.ChoiceField(choices=FileFormat.choices, required=False)
    encoding = serializers.CharField(required=False)


class RefusedRowOut(serializers.Serializer[Any]):
    """A row that was not taken: rows count from 1 on data rows, lines from 1 in the file."""

    row = serializers.IntegerField()
    line = serializers.IntegerField()
    column = serializers.CharField(allow_null=True)
    byte = serializers.IntegerField(allow_null=True)
    code = serializers.CharField()
    detail = serializers.CharField()


class ImportLine(serializers.Serializer[Any]):
    """An import."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=ImportKind.choices)
    state = serializers.ChoiceField(choices=ImportState.choices)
    on_error = serializers.ChoiceField(choices=OnError.choices)
    file_name = serializers.CharField()
    file_hash = serializers.CharField()
    file_size = serializers.IntegerField()
    format = serializers.CharField(allow_blank=True)
    encoding = serializers.CharField(allow_blank=True)
    columns = serializers.DictField()
    run = serializers.CharField(allow_null=True)
    rows = serializers.IntegerField()
    accepted = serializers.IntegerField()
    rejected = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    replaced = serializers.IntegerField(
        help_text="Predictions of the same run, or embeddings, that this file replaced."
    )
    batch = serializers.IntegerField(allow_null=True)
    job = serializers.UUIDField(allow_null=True)
    progress = serializers.FloatField(allow_null=True)
    error = serializers.DictField(allow_null=True)
    created_at = serializers.DateTimeField()


class ImportOut(ImportLine):
    """An import with its first 100 refused rows and the address of all of them."""

    validation = serializers.IntegerField(
        allow_null=True, help_text="The report on its rows; null for embeddings."
    )
    errors = RefusedRowOut(many=True)  # type: ignore[assignment]
    errors_truncated = serializers.BooleanField()
    report = serializers.CharField()


class ImportList(serializers.Serializer[Any]):
    """A page of imports."""

    next = serializers.CharField(allow_null=True)
    results = ImportLine(many=True)


class PreviewOut(serializers.Serializer[Any]):
    """What a file seems to hold, and which of its columns is probably which."""

    format = serializers.CharField()
    encoding = serializers.CharField(allow_null=True)
    delimiter = serializers.CharField(allow_null=True)
    columns = serializers.ListField(child=serializers.CharField())
    rows = serializers.ListField(child=serializers.DictField())
    errors = RefusedRowOut(many=True)  # type: ignore[assignment]
    mapping = serializers.DictField()
