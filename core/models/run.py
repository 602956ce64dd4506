from django.db import models

from core.choices import RunKind
from core.models.base import Created


class Run(Created):
    """One training or scoring of a model. An outside model's run is what a file of predictions says it is.

    ``parameters`` is what its maker tells of it; ``code_version`` and ``seed`` are empty where unknown. A run that
    was made here also has its ``question``, the features it was trained on, ``labels_digest`` (a hash of the labels
    as they were then, in the order of the items' ids), how many labels and uncertain answers there were, and
    ``metrics`` (pipelines.training says what is in it).
    """

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=10, choices=RunKind, default=RunKind.OUTSIDE)
    question = models.ForeignKey("core.Question", on_delete=models.SET_NULL, null=True, related_name="+")
    feature_set = models.ForeignKey("core.FeatureSet", on_delete=models.SET_NULL, null=True, related_name="+")
    labels_digest = models.CharField(max_length=64, blank=True)
    n_labels = models.PositiveIntegerField(default=0)
    n_uncertain = models.PositiveIntegerField(default=0)
    metrics = models.JSONField(null=True)
    name = models.CharField(max_length=120)
    code_version = models.CharField(max_length=120, blank=True)
    parameters = models.JSONField(default=dict)
    seed = models.BigIntegerField(null=True)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="run_name_unique")]

    def __str__(self) -> str:
        return self.name


class RunModel(models.Model):
    """The trained model of a run, as numerics.classifier writes it. Older ones are dropped, their runs are not."""

    run = models.OneToOneField(
        "core.Run", on_delete=models.CASCADE, primary_key=True, related_name="trained_model"
    )
    content = models.BinaryField()
    sha256 = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"model of run {self.run_id}"


class Prediction(models.Model):
    """What a run says about one question of one item.

    The value stands in the column of the question's kind, as in an answer; ``classes`` lists the class ids of a
    multiple-choice prediction. ``probabilities`` maps class ids (as text) to numbers, where the run gave any.
    """

    run = models.ForeignKey("core.Run", on_delete=models.CASCADE, related_name="predictions", db_index=False)
    item = models.ForeignKey("core.Item", on_delete=models.CASCADE, related_name="predictions")
    item_version = models.PositiveSmallIntegerField(default=1)
    question = models.ForeignKey(
        "core.Question", on_delete=models.PROTECT, related_name="predictions", db_index=False
    )
    label_class = models.ForeignKey(
        "core.LabelClass", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    classes = models.JSONField(null=True)
    number = models.FloatField(null=True)
    text = models.TextField(null=True)  # noqa: DJ001 -- null is "another kind", the empty string is an answer
    probabilities = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "question", "item"], name="prediction_unique"),
        ]

    def __str__(self) -> str:
        return f"prediction of run {self.run_id} on item {self.item_id}"
