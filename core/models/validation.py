from django.db import models

from core.choices import Severity
from core.models.base import Created


class DataSchema(Created):
    """What the items of a project look like: fields, types, ranges, categories. The newest version is in force."""

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="data_schemas")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    note = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="data_schema_number_unique")
        ]

    def __str__(self) -> str:
        return f"version {self.number}"


class ValidationRule(Created):
    """What a lead asks of every batch beyond the schema. ``document`` says it (pipelines.validation)."""

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="validation_rules")
    name = models.CharField(max_length=120)
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.WARN)
    document = models.JSONField()
    active = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="validation_rule_name_unique")
        ]

    def __str__(self) -> str:
        return self.name


class Validation(Created):
    """What was found in a batch, against the schema and the batches before it.

    It is made while the file is staged (``source``), and told of its batch when that is published. ``profile`` is
    the summary of the batch's columns with which later batches are compared; ``findings`` lists what was found,
    with rows. ``severity`` is that of the gravest finding.
    """

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="validations")
    source = models.ForeignKey("core.Import", on_delete=models.CASCADE, null=True, related_name="validations")
    batch = models.ForeignKey("core.Batch", on_delete=models.CASCADE, null=True, related_name="validations")
    schema = models.ForeignKey("core.DataSchema", on_delete=models.PROTECT, null=True, related_name="+")
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.NOTE)
    n_items = models.PositiveIntegerField(default=0)
    profile = models.JSONField(default=dict)
    findings = models.JSONField(default=list)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"validation {self.pk}"
