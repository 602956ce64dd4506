from django.db import models
from django.db.models import Q

from core.choices import MOST_HELD, PausedBecause, Role
from core.models.base import Created


class Membership(Created):
    """A person in a project. Imported annotators have no user: they answered, and cannot sign in.

    ``answered`` and ``held`` count this person's annotations and active leases (``answered_today`` those of
    the database's date ``today``); the row is locked by
    every hand-out and submit of this person, so that two tabs cannot take more than one place each.
    ``cursors`` remembers how far this person has read each lane of the queue: a hint that keeps
    hand-outs flat, never a truth (losing it costs one scan). ``handed`` counts what this person was ever handed
    (the draw of blind passes goes by it), ``retested`` their answered retests.
    ``waiting`` counts the items that were sent to just this person (RelabelPlace).
    ``training_round`` is the round that this person has yet to pass. Of an erased person only a pseudonym is left.
    """

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey("core.User", on_delete=models.PROTECT, null=True, related_name="memberships")
    name = models.CharField(max_length=200)
    role = models.CharField(max_length=10, choices=Role, default=Role.ANNOTATOR)
    active = models.BooleanField(default=True)
    cap = models.PositiveIntegerField(null=True, blank=True)
    answered = models.PositiveIntegerField(default=0)
    answered_today = models.PositiveIntegerField(default=0)
    today = models.DateField(null=True)
    held = models.PositiveSmallIntegerField(default=0)
    has_batches = models.BooleanField(default=False)
    cursors = models.JSONField(default=dict)
    handed = models.PositiveIntegerField(default=0)
    retested = models.PositiveIntegerField(default=0)
    guideline_read = models.PositiveIntegerField(default=0)
    waiting = models.PositiveIntegerField(default=0, db_default=0)
    paused_because = models.CharField(
        max_length=10, choices=PausedBecause, default=PausedBecause.NOT, db_default="", blank=True
    )
    paused_at = models.DateTimeField(null=True)
    training_round = models.ForeignKey(
        "core.TrainingRound", on_delete=models.SET_NULL, null=True, related_name="current_members"
    )
    erased_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="membership_user_unique"),
            models.UniqueConstraint(fields=["project", "name"], name="membership_name_unique"),
            models.CheckConstraint(condition=Q(held__lte=MOST_HELD), name="membership_held_range"),
        ]

    def __str__(self) -> str:
        return self.name


class Invitation(Created):
    """A link that makes somebody a member, once."""

    project = models.ForeignKey("core.Project", on_delete=models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=10, choices=Role, default=Role.ANNOTATOR)
    note = models.CharField(max_length=120, blank=True)
    digest = models.CharField(max_length=64, unique=True)
    made_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return f"invitation as {self.role}"
