"""What erasing somebody would do, in numbers."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from core.models import Annotation, Draft, Event, Flag, Inquiry, Lease, Membership, Resolution, Review
from core.selectors.membership import may_reset

TOMBSTONE = "erased:"  # no sign-in name can begin so


@dataclass(frozen=True, slots=True)
class ErasureCounts:
    """Answers that stay; texts besides answers, drafts and lines of the log that lose what they say of the person.

    ``account`` tells that the account is closed with it, as nobody else's project needs it.
    """

    answers: int
    texts: int
    drafts: int
    held: int
    lines: int
    account: bool


def texts_of(member: Membership) -> int:
    """How many texts this person wrote besides answers: comments, notes, questions and answers to them."""
    return sum(
        rows.count()
        for rows in (
            Annotation.objects.filter(annotator=member).exclude(comment=""),
            Flag.objects.filter(annotator=member).exclude(note=""),
            Lease.objects.filter(annotator=member).exclude(note=""),
            Inquiry.objects.filter(annotator=member).exclude(text=""),
            Review.objects.filter(reviewer=member).exclude(comment=""),
            Resolution.objects.filter(settled_by=member).exclude(comment=""),
            *written_as_lead(member),
        )
    )


def written_as_lead(member: Membership) -> tuple[QuerySet[Inquiry], QuerySet[Review]]:
    """Answers to annotators' questions, and requests for a review with a note, that this person wrote."""
    if member.user_id is None:
        return Inquiry.objects.none(), Review.objects.none()
    answered = Inquiry.objects.filter(item__project=member.project_id, answered_by=member.user_id)
    asked = Review.objects.filter(item__project=member.project_id, asked_by=member.user_id)
    return answered.exclude(answer=""), asked.exclude(note="")


def naming(member: Membership, *, account: bool) -> Q:
    """The lines of the log that say this person's name; with ``account`` also those beside every project."""
    named = Q(project=member.project_id, thing=member.name)
    if member.user is not None:
        names = [member.user.username, str(member.user)]
        named |= Q(project=member.project_id, thing__in=names)
        if account:
            named |= Q(project=None, thing__in=names)
    return named & Q(verb__regex=r"^(member|account|invitation|annotations|training)\.")


def count_erasure(membership: Membership, member: Membership) -> ErasureCounts:
    """What erasing this person would do now."""
    account = may_close(membership, member)
    return ErasureCounts(
        answers=Annotation.objects.filter(annotator=member, current=True).count(),
        texts=texts_of(member),
        drafts=Draft.objects.filter(annotator=member).count(),
        held=member.held,
        lines=Event.objects.filter(naming(member, account=account)).count(),
        account=account,
    )


def may_close(membership: Membership, member: Membership) -> bool:
    """Whether the account goes with its last membership: only whoever could reset its password may close it."""
    if member.user is None or membership.user is None:
        return False
    last = not Membership.objects.filter(user=member.user).exclude(pk=member.pk).exists()
    return last and may_reset(membership.user, member.user)
