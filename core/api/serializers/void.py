"""Shapes of answers that are taken out of the counts."""

from dataclasses import asdict
from typing import Any

from rest_framework import serializers

from core.models import Void
from core.selectors.void import VoidCounts
from core.services.void import LONGEST_REASON

Shape = serializers.Serializer[dict[str, object]]


class VoidRequest(Shape):
    """Whose answers, from when to when (all without), and why."""

    member = serializers.IntegerField(help_text="Id of the member.")
    since = serializers.DateTimeField(required=False, allow_null=True, help_text="Answered then or later.")
    until = serializers.DateTimeField(required=False, allow_null=True, help_text="Answered before.")
    reason = serializers.CharField(
        required=False, max_length=LONGEST_REASON, help_text="Needed unless it is a dry run."
    )
    dry_run = serializers.BooleanField(required=False, default=False, help_text="Only tell what it would do.")


class VoidCountsOut(Shape):
    """What it does: answers, items, places that come free at most, finished items that wait again, resolutions that
    are to be looked at again.
    """

    annotations = serializers.IntegerField()
    items = serializers.IntegerField()
    places = serializers.IntegerField()
    finished = serializers.IntegerField()
    resolutions = serializers.IntegerField()


class VoidOut(Shape):
    """A decision to take answers out of the counts."""

    id = serializers.IntegerField()
    member = serializers.IntegerField()
    name = serializers.CharField()
    reason = serializers.CharField()
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)
    annotations = serializers.IntegerField()
    at = serializers.DateTimeField()
    by = serializers.CharField(allow_null=True)
    undone_at = serializers.DateTimeField(allow_null=True)
    undone_by = serializers.CharField(allow_null=True)


class VoidPage(Shape):
    """One page of them, newest first."""

    results = VoidOut(many=True)
    next = serializers.URLField(allow_null=True)


class VoidMade(Shape):
    """What was done, or in a dry run would be."""

    void = VoidOut(allow_null=True)
    counts = VoidCountsOut()


class VoidUndone(Shape):
    """What came back; `beyond` of the answers are more than their items ask for."""

    void = VoidOut()
    annotations = serializers.IntegerField()
    beyond = serializers.IntegerField()


def counts_out(counts: VoidCounts) -> dict[str, int]:
    """Counts as the API tells them."""
    return asdict(counts)


def void_out(void: Void) -> dict[str, Any]:
    """A decision as the API tells it."""
    return {
        "id": void.pk,
        "member": void.member_id,
        "name": void.member.name,
        "reason": void.reason,
        "since": void.since,
        "until": void.until,
        "annotations": void.n_annotations,
        "at": void.created_at,
        "by": str(void.created_by) if void.created_by else None,
        "undone_at": void.undone_at,
        "undone_by": str(void.undone_by) if void.undone_by else None,
    }
