from django.db import models
from django.db.models import Q

from core.choices import FunctionKind
from core.models.base import Created


class LabelingFunction(Created):
    """A rule that votes for a class where it applies and is silent elsewhere.

    ``arguments`` are what its kind needs (services.function says what); ``label_class`` is the class it votes for,
    null where the votes are a run's predictions. ``version`` counts changes.
    """

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="functions")
    question = models.ForeignKey("core.Question", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=FunctionKind)
    arguments = models.JSONField(default=dict)
    label_class = models.ForeignKey("core.LabelClass", on_delete=models.PROTECT, null=True, related_name="+")
    active = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="function_name_unique"),
            models.CheckConstraint(
                condition=Q(kind=FunctionKind.RUN) | Q(label_class__isnull=False), name="function_has_class"
            ),
        ]

    def __str__(self) -> str:
        return self.name
