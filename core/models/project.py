import secrets
from decimal import Decimal

from django.db import models
from django.db.models import Q

from core.choices import Gate, ProjectState, Strategy
from core.models.base import Created


def new_key() -> str:
    """A random key, for pseudonyms and for the audit slice's hash."""
    return secrets.token_hex(32)


class Project(Created):
    """One labeling effort.

    ``version`` counts edits of settings (the ETag); ``schema_version`` counts changes of questions and
    classes, so that processes may keep those in memory. ``returned`` counts the items that ever came back into the queue, so that a hand-out looks for
    returned items only when there are new ones. ``guideline`` is the version in force.

    ``retest_minimum`` is how many retests each person is to have answered in the end. Overlap adapts where
    ``overlap_most`` is set: items outside the audit slice begin with ``overlap`` people and get further ones, up
    to ``overlap_most``, until their label is sure by ``overlap_sure``; ``overlap_bought`` counts the places added
    beyond ``overlap``, at most ``overlap_budget`` (null: no limit).

    While ``selection_on``, workers choose by ``selection_strategy`` what to label next, ``selection_size`` items at
    a time, for ``selection_question`` (null: the first question that can be learnt). ``picked`` counts the items
    that were ever put into the lane of picks.

    ``mapping_version`` counts the mappings that were applied or reverted: exports name it. Whoever's accuracy on gold
    is surely below ``gold_bound`` (null: no bound) gets no further items. ``validation_gate`` says what findings
    about a batch do to its import.

    Annotators are shown what ``suggestion_run`` says (null: nothing is suggested) where it is at least
    ``suggestion_sure`` of it, but for a share ``suggestion_withheld`` of these items, drawn by hash.
    """

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=ProjectState, default=ProjectState.ACTIVE)
    overlap = models.PositiveSmallIntegerField(default=1)
    audit_fraction = models.DecimalField(max_digits=4, decimal_places=3, default=Decimal("0.12"))
    audit_overlap = models.PositiveSmallIntegerField(default=1)
    lease_minutes = models.PositiveIntegerField(default=30)
    retest_after_days = models.PositiveSmallIntegerField(default=14)
    retest_rate = models.DecimalField(max_digits=4, decimal_places=3, default=Decimal(0))
    retest_minimum = models.PositiveSmallIntegerField(default=0)
    gold_rate = models.DecimalField(max_digits=4, decimal_places=3, default=Decimal(0))
    overlap_most = models.PositiveSmallIntegerField(null=True, blank=True)
    overlap_sure = models.DecimalField(max_digits=4, decimal_places=3, default=Decimal("0.98"))
    overlap_budget = models.PositiveIntegerField(null=True, blank=True)
    overlap_bought = models.PositiveIntegerField(default=0)
    selection_on = models.BooleanField(default=False)
    selection_strategy = models.CharField(max_length=20, choices=Strategy, default=Strategy.HYBRID)
    selection_size = models.PositiveSmallIntegerField(default=50)
    selection_seed = models.BigIntegerField(default=0)
    selection_question = models.ForeignKey(
        "core.Question", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    picked = models.BigIntegerField(default=0)
    mapping_version = models.PositiveIntegerField(default=0, db_default=0)
    gold_bound = models.DecimalField(max_digits=4, decimal_places=3, null=True, blank=True)
    validation_gate = models.CharField(max_length=10, choices=Gate, default=Gate.WARN, db_default="warn")
    suggestion_run = models.ForeignKey("core.Run", on_delete=models.SET_NULL, null=True, related_name="+")
    suggestion_sure = models.DecimalField(
        max_digits=4, decimal_places=3, default=Decimal("0.8"), db_default=Decimal("0.8")
    )
    suggestion_withheld = models.DecimalField(
        max_digits=4, decimal_places=3, default=Decimal("0.2"), db_default=Decimal("0.2")
    )
    display = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True)
    pseudonym_key = models.CharField(max_length=64, default=new_key, editable=False)
    audit_key = models.CharField(max_length=64, default=new_key, editable=False)
    guideline = models.ForeignKey(
        "core.GuidelineVersion", on_delete=models.PROTECT, null=True, related_name="+"
    )
    version = models.PositiveIntegerField(default=1)
    schema_version = models.PositiveIntegerField(default=1)
    returned = models.BigIntegerField(default=0)
    created_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(overlap__gte=1, overlap__lte=100), name="project_overlap_range"
            ),
            models.CheckConstraint(
                condition=Q(audit_overlap__gte=1, audit_overlap__lte=100), name="project_audit_overlap_range"
            ),
            models.CheckConstraint(
                condition=Q(audit_fraction__gte=0, audit_fraction__lte=1), name="project_audit_fraction_range"
            ),
            models.CheckConstraint(
                condition=Q(lease_minutes__gte=1, lease_minutes__lte=1440), name="project_lease_minutes_range"
            ),
            models.CheckConstraint(
                condition=Q(overlap_most__isnull=True) | Q(overlap_most__gte=1, overlap_most__lte=100),
                name="project_overlap_most_range",
            ),
            models.CheckConstraint(
                condition=Q(selection_size__gte=5, selection_size__lte=500),
                name="project_selection_size_range",
            ),
            models.CheckConstraint(
                condition=Q(gold_bound__isnull=True) | Q(gold_bound__gt=0, gold_bound__lt=1),
                name="project_gold_bound_range",
            ),
            models.CheckConstraint(
                condition=Q(suggestion_sure__gte=0, suggestion_sure__lte=1)
                & Q(suggestion_withheld__gte=0, suggestion_withheld__lte=Decimal("0.9")),
                name="project_suggestion_range",
            ),
            models.CheckConstraint(
                condition=Q(overlap_sure__gte=0.5, overlap_sure__lt=1), name="project_overlap_sure_range"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ProjectTotals(models.Model):
    """What the outbox has been folded into so far. Progress is this plus what still waits in the outbox.

    ``changes`` counts every submit and correction, so that a report knows whether it is still new.
    """

    project = models.OneToOneField(
        "core.Project", on_delete=models.CASCADE, primary_key=True, related_name="totals"
    )
    items = models.BigIntegerField(default=0)
    items_done = models.BigIntegerField(default=0)
    annotations = models.BigIntegerField(default=0)
    changes = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.items_done} of {self.items} items"


class Outbox(models.Model):
    """What a write changed in a project's totals, until a worker folds it in (no hot row on submit)."""

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="+")
    items = models.BigIntegerField(default=0)
    items_done = models.BigIntegerField(default=0)
    annotations = models.BigIntegerField(default=0)
    changes = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.items_done:+} items done"
