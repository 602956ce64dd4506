"""What annotators asked about items."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from core.access import LEADS
from core.choices import InquiryState
from core.exceptions import Missing
from core.models import Inquiry, Membership
from core.selectors.adjudication import pattern_on
from core.selectors.item import shown_name
from core.selectors.question import schema_of
from core.selectors.selection_report import held_by


def inquiries_of(membership: Membership, *, everybody: bool) -> QuerySet[Inquiry]:
    """Questions of the project, or those that the reader asked; the newest first."""
    rows = Inquiry.objects.filter(item__project=membership.project_id)
    if not everybody:
        rows = rows.filter(annotator=membership)
    return rows.select_related("item", "annotator__project", "answered_by", "guideline").order_by("-pk")


def inquiry_of(inquiry_id: int) -> Inquiry:
    """One question. Raises Missing."""
    rows = Inquiry.objects.select_related("item", "annotator__project", "answered_by", "guideline")
    found = rows.filter(pk=inquiry_id).first()
    if found is None:
        raise Missing
    return found


def n_open(membership: Membership) -> int:
    """How many questions of the project wait for an answer."""
    return Inquiry.objects.filter(item__project=membership.project_id, state=InquiryState.OPEN).count()


def inquiry_document(inquiry: Inquiry, reader: Membership) -> dict[str, Any]:
    """A question as the API tells it; who answered it is told to leads."""
    answered_by = inquiry.answered_by
    return {
        "id": inquiry.pk,
        "item": inquiry.item.external_id,
        "annotator": shown_name(inquiry.annotator, reader),
        "text": inquiry.text,
        "state": inquiry.state,
        "answer": inquiry.answer,
        "answered_by": str(answered_by) if answered_by and reader.role in LEADS else None,
        "answered_at": inquiry.answered_at,
        "guideline_version": inquiry.guideline.number if inquiry.guideline else None,
        "created_at": inquiry.created_at,
    }


@dataclass(frozen=True, slots=True)
class Said:
    """What people answered on an item: question title and label to count; ``held``: not shown to the reader."""

    votes: tuple[tuple[str, dict[str, int]], ...]
    held: bool


def said_on(reader: Membership, item_ids: Sequence[int]) -> dict[int, Said]:
    """What people answered on items, by key; nothing of those that the reader has in hand to answer blind."""
    held = held_by(reader, item_ids)
    shown = [pk for pk in item_ids if pk not in held]
    found = [
        (spec.title or spec.key, pattern_on(spec, shown)) for spec in schema_of(reader.project).questions
    ]
    return {
        pk: Said(tuple((title, said[pk]) for title, said in found if pk in said), pk in held)
        for pk in item_ids
    }
