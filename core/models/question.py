from django.db import models
from django.db.models import Q

from core.choices import Level, QuestionKind
from core.models.base import Created


class Question(Created):
    """What is asked of every item."""

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="questions")
    key = models.CharField(max_length=60)
    kind = models.CharField(max_length=10, choices=QuestionKind)
    level = models.CharField(max_length=10, choices=Level)
    title = models.CharField(max_length=500)
    required = models.BooleanField(default=True)
    order = models.PositiveSmallIntegerField(default=0)
    minimum = models.FloatField(null=True, blank=True)
    maximum = models.FloatField(null=True, blank=True)
    when_question = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    when_classes = models.ManyToManyField("core.LabelClass", blank=True, related_name="+")

    class Meta:
        ordering = ["order", "id"]
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="question_key_unique")]

    def __str__(self) -> str:
        return self.title


class LabelClass(Created):
    """One permitted answer of a choice question. ``name_key`` is its NFC, case-folded name.

    ``merged_into`` is the class that its answers are read as, by the mappings in force; never one that is merged
    itself. It and the name are what services.mapping makes of the mappings, and nobody else writes them.
    """

    question = models.ForeignKey("core.Question", on_delete=models.CASCADE, related_name="classes")
    name = models.CharField(max_length=200, blank=True)
    name_key = models.CharField(max_length=400, blank=True)
    definition = models.TextField(blank=True)
    colour = models.PositiveSmallIntegerField(default=0)
    key = models.CharField(max_length=1, blank=True)
    order = models.PositiveSmallIntegerField(default=0)
    uncertain = models.BooleanField(default=False)
    merged_into = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="merged")

    class Meta:
        ordering = ["order", "id"]
        constraints = [
            models.UniqueConstraint(fields=["question", "name_key"], name="class_name_unique"),
            models.UniqueConstraint(
                fields=["question", "key"], condition=~Q(key=""), name="class_key_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name
