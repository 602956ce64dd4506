from django.db import models

from core.choices import MappingKind
from core.models.base import Created


class Mapping(Created):
    """A reversible step from raw answers to current ones: classes merged or renamed, texts standardised.

    Answers are never rewritten: they are read through the mappings in force (not reverted), in the order of their
    numbers. ``document`` says what the step does: ``{"classes": [ids], "into": id}``, with ``"name": [before, after]``
    where the class got another name; ``{"class": id, "name": [before, after]}``;
    ``{"rules": [{"from": text, "to": text} or {"pattern": re2, "to": text}]}``.
    """

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="mappings")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=MappingKind)
    question = models.ForeignKey("core.Question", on_delete=models.CASCADE, related_name="mappings")
    document = models.JSONField()
    note = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")
    reverted_at = models.DateTimeField(null=True)
    reverted_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="mapping_number_unique")]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"
