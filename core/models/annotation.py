from django.db import models
from django.db.models import Q

from core.choices import DraftState, Pass
from core.models.base import Created


class Annotation(Created):
    """One annotator's submitted answers on one item in one pass. Append-only: a correction is a new revision.

    ``created_at`` is the database's time of the submit; ``answered_at`` is what an imported file said.
    ``complete`` is false where a question was added after these answers were given. ``voided`` takes it
    out of every count and keeps it; ``void`` says by which decision. ``relabel`` is the queue in which somebody
    answered an item of theirs once more.

    ``suggestion`` is what was in sight of the person beside the item: ``{"earlier": answers}`` of a relabel queue, or
    that of the lease with ``taken``, whether each suggested answer was given. ``suggested`` says that a model's answer was
    in sight: such answers are labels, and tell nothing of how far people agree.
    """

    item = models.ForeignKey(
        "core.Item", on_delete=models.PROTECT, related_name="annotations", db_index=False
    )
    item_version = models.PositiveSmallIntegerField(default=1)
    annotator = models.ForeignKey("core.Membership", on_delete=models.PROTECT, related_name="annotations")
    pass_kind = models.CharField(max_length=10, choices=Pass, default=Pass.NORMAL)
    repeat = models.PositiveSmallIntegerField(default=1)
    revision = models.PositiveSmallIntegerField(default=1)
    current = models.BooleanField(default=True)
    complete = models.BooleanField(default=True)
    voided = models.BooleanField(default=False)
    guideline = models.ForeignKey(
        "core.GuidelineVersion", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    lease_id = models.UUIDField(null=True)
    idempotency_key = models.CharField(max_length=64, null=True)  # noqa: DJ001 -- null: imported, exempt from unique
    request_hash = models.CharField(max_length=64, blank=True)
    elapsed_ms = models.PositiveIntegerField(null=True)
    comment = models.TextField(blank=True)
    relabel = models.ForeignKey(
        "core.Relabel", on_delete=models.PROTECT, null=True, related_name="annotations", db_index=False
    )
    void = models.ForeignKey(
        "core.Void", on_delete=models.PROTECT, null=True, related_name="annotations", db_index=False
    )
    suggestion = models.JSONField(null=True)
    suggested = models.BooleanField(default=False, db_default=False)
    answered_at = models.DateTimeField(null=True)
    source = models.ForeignKey("core.Import", on_delete=models.PROTECT, null=True, related_name="annotations")
    extra = models.JSONField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["item", "annotator", "item_version", "repeat", "revision"], name="annotation_unique"
            ),
            models.UniqueConstraint(
                fields=["item", "annotator", "item_version", "repeat"],
                condition=Q(current=True),
                name="annotation_current_unique",
            ),
            models.UniqueConstraint(fields=["annotator", "idempotency_key"], name="annotation_key_unique"),
            models.CheckConstraint(
                condition=Q(suggested=False) | Q(suggestion__isnull=False),
                name="annotation_suggested_by_something",
            ),
        ]
        indexes = [
            models.Index(
                fields=["annotator", "id"],
                condition=Q(current=True, voided=False, pass_kind=Pass.NORMAL, repeat=1),
                name="annotation_first_answers",
            ),
            models.Index(
                fields=["annotator"], condition=Q(suggestion__isnull=False), name="annotation_with_suggestion"
            ),
        ]

    def __str__(self) -> str:
        return f"annotation {self.pk}, revision {self.revision}"


class Answer(models.Model):
    """One value of one question in an annotation.

    Single and scale questions point at a class; multiple ones at the classes in ``label_classes`` (none
    of them is an answer too); numbers and texts stand in their own columns. ``standard`` is what a text is read as
    by the standardisation rules in force (services.mapping), null where it is read as it is. ``fingerprint`` is a hash of
    the imported row, so that the same row in another file is known again.
    """

    annotation = models.ForeignKey("core.Annotation", on_delete=models.CASCADE, related_name="answers")
    question = models.ForeignKey(
        "core.Question", on_delete=models.PROTECT, related_name="answers", db_index=False
    )
    label_class = models.ForeignKey(
        "core.LabelClass", on_delete=models.PROTECT, null=True, related_name="answers", db_index=False
    )
    label_classes = models.ManyToManyField("core.LabelClass", through="core.AnswerChoice", related_name="+")
    number = models.FloatField(null=True)
    text = models.TextField(null=True)  # noqa: DJ001 -- null is "another kind", the empty string is an answer
    standard = models.TextField(null=True)  # noqa: DJ001 -- null is "as it is", the empty string is a text
    fingerprint = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["annotation", "question"], name="answer_unique"),
        ]

    def __str__(self) -> str:
        return f"answer of annotation {self.annotation_id}"


class AnswerChoice(models.Model):
    """One class ticked in the answer of a multiple-choice question."""

    answer = models.ForeignKey("core.Answer", on_delete=models.CASCADE, related_name="choices")
    label_class = models.ForeignKey(
        "core.LabelClass", on_delete=models.PROTECT, related_name="+", db_index=False
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["answer", "label_class"], name="answer_choice_unique")]

    def __str__(self) -> str:
        return f"choice of answer {self.answer_id}"


class Draft(Created):
    """Work that came too late to count: kept for its author, never counted."""

    annotator = models.ForeignKey("core.Membership", on_delete=models.CASCADE, related_name="drafts")
    item = models.ForeignKey("core.Item", on_delete=models.CASCADE, related_name="drafts")
    item_version = models.PositiveSmallIntegerField()
    lease_id = models.UUIDField()
    idempotency_key = models.CharField(max_length=64)
    answers = models.JSONField()
    elapsed_ms = models.PositiveIntegerField(null=True)
    comment = models.TextField(blank=True)
    because = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=DraftState, default=DraftState.KEPT)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["annotator", "lease_id"], name="draft_unique")]

    def __str__(self) -> str:
        return f"draft of {self.annotator_id} on item {self.item_id}"
