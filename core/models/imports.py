from django.db import models

from core.choices import FileFormat, ImportKind, ImportState, OnError
from core.models.base import Created


class Import(Created):
    """A file on its way in: stored with its hash, checked row by row, staged, published in one step."""

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="imports")
    kind = models.CharField(max_length=12, choices=ImportKind)
    state = models.CharField(max_length=12, choices=ImportState, default=ImportState.WAITING)
    on_error = models.CharField(max_length=20, choices=OnError, default=OnError.PUBLISH_ACCEPTED)
    file = models.CharField(max_length=255)
    file_name = models.CharField(max_length=255)
    file_hash = models.CharField(max_length=64)
    file_size = models.PositiveBigIntegerField()
    format = models.CharField(max_length=10, choices=FileFormat, blank=True)
    encoding = models.CharField(max_length=40, blank=True)
    columns = models.JSONField(default=dict)
    rows = models.PositiveIntegerField(default=0)
    accepted = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)
    batch = models.ForeignKey("core.Batch", on_delete=models.SET_NULL, null=True, related_name="+")
    job = models.ForeignKey("core.Job", on_delete=models.SET_NULL, null=True, related_name="+")
    run_name = models.CharField(max_length=120, blank=True)
    error = models.JSONField(null=True)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.file_name


class RefusedRow(models.Model):
    """A row that was not accepted: where, and why, with a stable code."""

    source = models.ForeignKey("core.Import", on_delete=models.CASCADE, related_name="refused_rows")
    row = models.PositiveIntegerField()
    line = models.PositiveIntegerField()
    column = models.CharField(max_length=200, blank=True)
    code = models.CharField(max_length=60)
    detail = models.CharField(max_length=500)
    byte = models.PositiveBigIntegerField(null=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"row {self.row}: {self.code}"


class StagedItem(models.Model):
    """An accepted item that is not published yet. The id is empty where the file gives none.

    No foreign keys in the database here and below: the published rows have them, and a check per staged
    row would double the time of an import. ``audit`` tells whether the item falls into the audit slice, ``position`` is its place by hash within
    the batch.
    """

    source = models.ForeignKey(
        "core.Import",
        on_delete=models.CASCADE,
        related_name="staged_items",
        db_index=False,
        db_constraint=False,
    )
    row = models.PositiveIntegerField()
    line = models.PositiveIntegerField()
    external_id = models.CharField(max_length=200, blank=True)
    data = models.JSONField()
    meta = models.JSONField()
    audit = models.CharField(max_length=8, blank=True)
    position = models.BigIntegerField()
    vector = models.BinaryField(null=True)  # as in ItemVector

    class Meta:
        indexes = [models.Index(fields=["source", "row"], name="staged_item_order")]

    def __str__(self) -> str:
        return self.external_id


class StagedAnswer(models.Model):
    """An accepted answer or gold value that is not published yet.

    ``classes`` lists the classes of a multiple-choice answer as ``|12|15|``. ``fingerprint`` is a hash of
    the row as it stood, by which the same row is known again. ``given`` is the repeat that the file names,
    ``repeat`` the one that it becomes.
    """

    source = models.ForeignKey(
        "core.Import",
        on_delete=models.CASCADE,
        related_name="staged_answers",
        db_index=False,
        db_constraint=False,
    )
    row = models.PositiveIntegerField()
    line = models.PositiveIntegerField()
    item = models.ForeignKey(
        "core.Item", on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    annotator = models.CharField(max_length=200, blank=True)
    question = models.ForeignKey(
        "core.Question", on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    fingerprint = models.BigIntegerField()
    given = models.PositiveSmallIntegerField(null=True)
    repeat = models.PositiveSmallIntegerField(default=1)
    label_class = models.ForeignKey(
        "core.LabelClass",
        on_delete=models.CASCADE,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    classes = models.TextField(blank=True)
    number = models.FloatField(null=True)
    text = models.TextField(null=True)  # noqa: DJ001 -- null is "another kind", the empty string is an answer
    answered_at = models.DateTimeField(null=True)
    elapsed_ms = models.PositiveIntegerField(null=True)
    pass_kind = models.CharField(max_length=10, blank=True)
    probabilities = models.JSONField(null=True)
    extra = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["source", "item", "annotator"], name="staged_answer_order")]

    def __str__(self) -> str:
        return f"row {self.row}"
