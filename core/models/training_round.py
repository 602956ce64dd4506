from django.db import models
from django.db.models import Q

from core.choices import TrainingState
from core.models.base import Created


class TrainingRound(Created):
    """A round of items with gold that new annotators answer first, with feedback, until enough are right."""

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="training_rounds")
    name = models.CharField(max_length=120)
    pass_mark = models.DecimalField(max_digits=4, decimal_places=3)
    tries = models.PositiveSmallIntegerField(default=1)
    active = models.BooleanField(default=True)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="training_round_name_unique"),
            models.CheckConstraint(
                condition=Q(pass_mark__gt=0, pass_mark__lte=1), name="training_pass_mark_range"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TrainingItem(models.Model):
    """An item of a round, and why its gold is what it is."""

    training_round = models.ForeignKey("core.TrainingRound", on_delete=models.CASCADE, related_name="items")
    item = models.ForeignKey("core.Item", on_delete=models.PROTECT, related_name="+")
    order = models.PositiveSmallIntegerField()
    explanation = models.CharField(max_length=1000, blank=True)

    class Meta:
        ordering = ["order"]
        constraints = [
            models.UniqueConstraint(fields=["training_round", "item"], name="training_item_unique")
        ]

    def __str__(self) -> str:
        return f"item {self.item_id}"


class Trainee(Created):
    """How far somebody is in a round; ``attempt`` counts from 1."""

    training_round = models.ForeignKey(
        "core.TrainingRound", on_delete=models.CASCADE, related_name="trainees"
    )
    member = models.ForeignKey("core.Membership", on_delete=models.CASCADE, related_name="trainings")
    attempt = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=10, choices=TrainingState, default=TrainingState.RUNNING)
    answered = models.PositiveSmallIntegerField(default=0)
    right = models.PositiveSmallIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["training_round", "member", "attempt"], name="trainee_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} in training round {self.training_round_id}"
