"""What annotators ask about items, and what leads answer."""

from datetime import UTC
from typing import NamedTuple

from django.db import transaction
from django.db.models.functions import Now

from core.choices import InquiryState, LeaseState, NoticeKind
from core.exceptions import Invalid, Missing, Stale, Unprocessable, invalid_field
from core.models import Annotation, Inquiry, Item, Lease, Membership
from core.services.archive import check_open
from core.services.audit import record
from core.services.guideline import leads_of
from core.services.notice import notify

LONGEST_TEXT = 2000
LONGEST_ANSWER = 5000
LONGEST_KEY = 64


class Asked(NamedTuple):
    """A question, and whether this request put it (or an earlier one with the same key)."""

    inquiry: Inquiry
    made: bool


def revision_of(inquiry: Inquiry) -> str:
    """What an edit of the answer must send back: digits that change with each answer, 0 before the first."""
    at = inquiry.answered_at
    return "0" if at is None else at.astimezone(UTC).strftime("%Y%m%d%H%M%S%f")


def own_item(membership: Membership, external_id: str) -> Item:
    """An item that somebody has in hand or has answered. Raises Invalid ``unknown-item`` for any other."""
    item = Item.objects.filter(project=membership.project_id, external_id=external_id).first()
    if item is not None:
        held = Lease.objects.filter(item=item, annotator=membership, state=LeaseState.ACTIVE)
        if held.exists() or Annotation.objects.filter(item=item, annotator=membership).exists():
            return item
    raise invalid_field(
        "item", "unknown-item", "You can ask about items that you have in hand or have answered."
    )


@transaction.atomic
def ask(membership: Membership, item: Item, text: str, key: str) -> Asked:
    """Put a question about an item to the leads, who are told. The same key again changes nothing.

    Raises Invalid ``bad-text``, ``idempotency-key``; Unprocessable ``idempotency-mismatch`` for another question under
    the same key; Conflict in an archive.
    """
    check_open(membership.project)
    text = text.strip()
    if not text or len(text) > LONGEST_TEXT or "\0" in text:
        raise invalid_field("text", "bad-text", f"A question is a text of 1 to {LONGEST_TEXT:,} characters.")
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise Invalid("idempotency-key", f"Send an Idempotency-Key header of 1 to {LONGEST_KEY} characters.")
    inquiry, made = Inquiry.objects.get_or_create(
        annotator=membership, idempotency_key=key, defaults={"item": item, "text": text}
    )
    if (inquiry.item_id, inquiry.text) != (item.pk, text):
        raise Unprocessable("idempotency-mismatch", "This key was used for another question.")
    if made:
        others = [pk for pk in leads_of(membership.project_id) if pk != membership.pk]
        notify(
            others,
            NoticeKind.ASKED,
            inquiry=inquiry.pk,
            item=item.external_id,
            item_id=item.pk,
            member=membership.pk,
        )
    return Asked(inquiry, made)


@transaction.atomic
def answer_inquiry(membership: Membership, inquiry_id: int, answer: str, seen: str) -> Inquiry:
    """Answer a question, or answer it anew; who asked is told. ``seen`` is the revision that the lead read.

    Raises Missing; Stale; Invalid ``bad-answer``; Conflict in an archive.
    """
    check_open(membership.project)
    answer = answer.strip()
    if not answer or len(answer) > LONGEST_ANSWER or "\0" in answer:
        raise invalid_field(
            "answer", "bad-answer", f"An answer is a text of 1 to {LONGEST_ANSWER:,} characters."
        )
    inquiry = (
        Inquiry.objects.select_for_update(of=("self",), no_key=True)
        .select_related("item")
        .filter(pk=inquiry_id, item__project=membership.project_id)
        .first()
    )
    if inquiry is None:
        raise Missing
    if revision_of(inquiry) != seen:
        raise Stale("stale", "Another lead answered this question meanwhile.")
    if inquiry.state == InquiryState.OPEN:
        inquiry.state = InquiryState.ANSWERED
    Inquiry.objects.filter(pk=inquiry.pk).update(
        state=inquiry.state, answer=answer, answered_by=membership.user, answered_at=Now()
    )
    record(
        membership.user,
        membership.project,
        "inquiry.answered",
        inquiry.item.external_id,
        id=inquiry.item_id,
        inquiry=inquiry.pk,
    )
    if inquiry.annotator_id != membership.pk:
        notify(
            [inquiry.annotator_id],
            NoticeKind.ANSWERED,
            inquiry=inquiry.pk,
            item=inquiry.item.external_id,
        )
    return Inquiry.objects.select_related("item", "annotator", "answered_by", "guideline").get(pk=inquiry.pk)
