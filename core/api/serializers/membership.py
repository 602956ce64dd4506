"""Shapes of members, invitations and reset links."""

from dataclasses import asdict
from typing import Any

from rest_framework import serializers

from core.choices import PausedBecause, Role
from core.models import Invitation, Membership
from core.selectors.erasure import ErasureCounts
from core.services.membership import LARGEST_CAP, LONGEST_INVITATION_DAYS, LONGEST_NOTE


class MemberOut(serializers.Serializer[Any]):
    """Somebody in a project. Imported annotators have no ``username`` and cannot sign in."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    username = serializers.CharField(allow_null=True)
    role = serializers.ChoiceField(choices=Role.choices)
    active = serializers.BooleanField()
    cap = serializers.IntegerField(allow_null=True)
    answered = serializers.IntegerField()
    held = serializers.IntegerField()
    batches = serializers.ListField(child=serializers.CharField())
    paused_because = serializers.ChoiceField(choices=PausedBecause.choices, allow_null=True)
    paused_at = serializers.DateTimeField(allow_null=True)
    erased_at = serializers.DateTimeField(allow_null=True)
    joined_at = serializers.DateTimeField()


class MemberPage(serializers.Serializer[Any]):
    """One page of members."""

    results = MemberOut(many=True)
    next = serializers.URLField(allow_null=True)


class MemberIn(serializers.Serializer[Any]):
    """Whom to add: somebody who works with the caller in another project."""

    username = serializers.CharField(max_length=80)
    role = serializers.ChoiceField(choices=Role.choices, default=Role.ANNOTATOR)


class MemberPatch(serializers.Serializer[Any]):
    """What to change; a ``cap`` of null takes the cap away."""

    role = serializers.ChoiceField(choices=Role.choices, required=False)
    cap = serializers.IntegerField(min_value=0, max_value=LARGEST_CAP, allow_null=True, required=False)


class InvitationIn(serializers.Serializer[Any]):
    """As what, and for how long."""

    role = serializers.ChoiceField(choices=Role.choices, default=Role.ANNOTATOR)
    note = serializers.CharField(max_length=LONGEST_NOTE, allow_blank=True, default="")
    days = serializers.IntegerField(min_value=1, max_value=LONGEST_INVITATION_DAYS, default=7)


class InvitationOut(serializers.Serializer[Any]):
    """An open invitation; its link is told only when it is made."""

    id = serializers.IntegerField()
    role = serializers.ChoiceField(choices=Role.choices)
    note = serializers.CharField()
    expires_at = serializers.DateTimeField()


class NewInvitation(InvitationOut):
    """A new invitation with its link, this once."""

    link = serializers.URLField()


class LinkOut(serializers.Serializer[Any]):
    """A link, this once."""

    link = serializers.URLField()


class ErasureIn(serializers.Serializer[Any]):
    """The member's present name, to make sure; it cannot be undone."""

    name = serializers.CharField(required=False, max_length=200, help_text="Needed unless it is a dry run.")
    dry_run = serializers.BooleanField(required=False, default=False, help_text="Only tell what it would do.")


class ErasureOut(serializers.Serializer[Any]):
    """What the person is called from now on, and what was done (in a dry run, would be).

    `answers` stay; `texts` (comments, notes, questions) and `drafts` of theirs are emptied; `held` items go back;
    `lines` of the log lose the name; `account` tells that the account was closed.
    """

    name = serializers.CharField()
    answers = serializers.IntegerField()
    texts = serializers.IntegerField()
    drafts = serializers.IntegerField()
    held = serializers.IntegerField()
    lines = serializers.IntegerField()
    account = serializers.BooleanField()


def erasure_out(name: str, counts: ErasureCounts) -> dict[str, Any]:
    """An erasure as the API tells it."""
    return {"name": name, **asdict(counts)}


def member_out(member: Membership) -> dict[str, Any]:
    """Somebody as the API tells it."""
    return {
        "id": member.pk,
        "name": member.name,
        "username": member.user.username if member.user else None,
        "role": member.role,
        "active": member.active,
        "cap": member.cap,
        "answered": member.answered,
        "held": member.held,
        "batches": [batch.name for batch in member.batches.all()],
        "paused_because": member.paused_because or None,
        "paused_at": member.paused_at,
        "erased_at": member.erased_at,
        "joined_at": member.created_at,
    }


def invitation_out(invitation: Invitation) -> dict[str, Any]:
    """An open invitation as the API tells it."""
    return {
        "id": invitation.pk,
        "role": invitation.role,
        "note": invitation.note,
        "expires_at": invitation.expires_at,
    }
