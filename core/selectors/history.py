"""Everything that ever happened to an item, in order: who, when, under which guideline version."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Q

from core.access import LEADS
from core.choices import LeaseState, MappingKind
from core.models import (
    Annotation,
    Answer,
    AnswerChoice,
    Event,
    Item,
    Lease,
    Mapping,
    Membership,
    RelabelItem,
    Resolution,
    User,
)
from core.selectors.adjudication import value_said
from core.selectors.annotation import answers_of
from core.selectors.item import history_of, holds, pass_told, reads_gold, shown_name, told_to
from core.selectors.mapping import class_names, mapping_document
from core.selectors.question import schema_of, text_rule
from core.selectors.selection import picks_of_item

# Lines of the audit log about single items; the others are told by the things themselves.
TOLD = ("item.withdrawn", "item.restored", "item.returned", "item.meta_changed", "item.flags_resolved")
ENDS = {
    LeaseState.SKIPPED: "skipped",
    LeaseState.DEFERRED: "put-off",
    LeaseState.EXPIRED: "expired",
    LeaseState.RELEASED: "given-back",
}


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """Something that happened to an item.

    ``who`` is as the reader may call them: a lead's own doings are named to leads only. ``guideline`` is the number of
    the version that was in force. ``data`` is what the kind needs, in words of the API. ``undo`` names what the reader could
    take back now, and ``undo_id`` which of them.
    """

    at: datetime
    kind: str
    who: str | None = None
    guideline: int | None = None
    data: dict[str, Any] = field(default_factory=dict)
    undo: str = ""
    undo_id: int | None = None


def item_history(
    item: Item, reader: Membership, *, may_read_labels: bool = True
) -> list[HistoryEvent] | None:
    """Every event that the reader may know of, oldest first: for reviewers without what tells gold.

    None for a reader who has the item in hand, or may read no labels.

    A void that was followed by another one of the same answer is told in the audit log only.
    """
    if holds(reader, item) or not may_read_labels:
        return None
    events = [
        HistoryEvent(item.created_at, "imported", data={"batch": item.batch.number, "row": item.row}),
        *_versions(item, reader),
        *_leases(item, reader),
        *_annotations(item, reader),
        *_flags(item, reader),
        *_resolutions(item, reader),
        *_reviews(item, reader),
        *_rest(item, reader),
        *_mappings(item, reader),
    ]
    if reader.role not in LEADS:
        events = [event if event.undo == "resolution" else replace(event, undo="") for event in events]
    return sorted(events, key=lambda event: event.at)


def _lead(user: User | None, reader: Membership) -> str | None:
    return str(user) if user is not None and reader.role in LEADS else None


def _versions(item: Item, reader: Membership) -> Iterator[HistoryEvent]:
    for old in item.versions.select_related("replaced_by"):
        data = {"version": old.version + 1}
        yield HistoryEvent(old.created_at, "corrected", _lead(old.replaced_by, reader), data=data)


def _leases(item: Item, reader: Membership) -> Iterator[HistoryEvent]:
    for lease in Lease.objects.filter(told_to(reader), item=item).select_related("annotator__project"):
        who = shown_name(lease.annotator, reader)
        data = {"pass": pass_told(lease.pass_kind, reader), "relabel": lease.relabel_id}
        yield HistoryEvent(lease.created_at, "handed-out", who, data=data)
        kind = ENDS.get(LeaseState(lease.state))
        if kind is not None and lease.closed_at is not None:
            told = {"reason": lease.reason or None, "note": lease.note or None}
            yield HistoryEvent(lease.closed_at, kind, who, data=told)


def _annotations(item: Item, reader: Membership) -> Iterator[HistoryEvent]:
    rows = history_of(item, reader).select_related(
        "annotator__project", "guideline", "void__created_by", "void__undone_by"
    )
    leases: dict[tuple[int, int, int], Any] = {}
    for row in rows:
        who, chain = shown_name(row.annotator, reader), (row.annotator_id, row.item_version, row.repeat)
        again = chain in leases and leases[chain] != row.lease_id
        kind = "answered" if row.revision == 1 or again else "changed"
        leases[chain] = row.lease_id
        data = _said(row, reader)
        yield HistoryEvent(row.answered_at or row.created_at, kind, who, row.guideline.number, data)
        if row.void is not None:
            told = {"annotation": row.pk, "annotator": who, "reason": row.void.reason}
            lead = _lead(row.void.created_by, reader)
            can_undo = "void" if row.void.undone_at is None else ""
            yield HistoryEvent(row.void.created_at, "voided", lead, None, told, can_undo, row.void_id)
            if row.void.undone_at is not None:
                back = _lead(row.void.undone_by, reader)
                yield HistoryEvent(row.void.undone_at, "void-undone", back, data=told)


def _said(row: Annotation, reader: Membership) -> dict[str, Any]:
    return {
        "annotation": row.pk,
        "revision": row.revision,
        "pass": pass_told(row.pass_kind, reader),
        "repeat": row.repeat,
        "item_version": row.item_version,
        "answers": answers_of(row),
        "comment": row.comment or None,
        "relabel": row.relabel_id,
        "suggestion": row.suggestion,
        "counts": row.current and not row.voided,
    }


def _flags(item: Item, reader: Membership) -> Iterator[HistoryEvent]:
    for flag in item.flagged.select_related("annotator__project"):
        data = {"note": flag.note or None, "broken": flag.broken}
        yield HistoryEvent(flag.created_at, "flagged", shown_name(flag.annotator, reader), data=data)


def _has_value(row: Resolution) -> bool:
    return any(part is not None for part in (row.label_class_id, row.classes, row.number, row.text))


def _resolutions(item: Item, reader: Membership) -> Iterator[HistoryEvent]:
    questions = {spec.id: spec for spec in schema_of(item.project).questions}
    for row in item.resolutions.select_related("settled_by__project", "guideline"):
        who, question = shown_name(row.settled_by, reader), questions.get(row.question_id)
        if question is None:
            continue
        data: dict[str, Any] = {"question": question.key, "revision": row.revision}
        if not _has_value(row):
            yield HistoryEvent(row.created_at, "settlement-undone", who, row.guideline.number, data)
            continue
        data |= {
            "value": value_said(question, row),
            "cause": row.cause or None,
            "comment": row.comment or None,
        }
        data |= {"overtaken": row.overtaken, "gold_candidate": row.gold_candidate}
        undo = "resolution" if row.current and row.item_version == item.version else ""
        yield HistoryEvent(row.created_at, "settled", who, row.guideline.number, data, undo, row.pk)


def _reviews(item: Item, reader: Membership) -> Iterator[HistoryEvent]:
    questions = {spec.id: spec for spec in schema_of(item.project).questions}
    for row in item.reviews.select_related("reviewer__project", "asked_by"):
        question, who = questions.get(row.question_id), shown_name(row.reviewer, reader)
        if question is None:
            continue
        data = {"question": question.key, "reviewer": who, "note": row.note or None}
        yield HistoryEvent(row.created_at, "review-asked", _lead(row.asked_by, reader), data=data)
        if row.answered_at is not None:
            told = {
                "question": question.key,
                "value": value_said(question, row),
                "comment": row.comment or None,
            }
            yield HistoryEvent(row.answered_at, "reviewed", who, data=told)


def _rest(item: Item, reader: Membership) -> Iterator[HistoryEvent]:
    """Tags, picks, relabel queues, gold from resolutions, and what leads did that only the log knows."""
    for tag in item.item_tags.select_related("tag", "by"):
        yield HistoryEvent(tag.created_at, "tagged", _lead(tag.by, reader), data={"tag": tag.tag.name})
    for pick in picks_of_item(item):
        if pick.selection.applied_at is not None:
            data = {"round": pick.selection.number, "stream": pick.stream, "score": pick.score}
            yield HistoryEvent(pick.selection.applied_at, "picked", data=data)
    sent = RelabelItem.objects.filter(item=item).select_related("relabel__created_by", "relabel__guideline")
    for one in sent:
        queue = one.relabel
        told = {
            "relabel": queue.pk,
            "to": queue.to,
            "reason": one.reason or queue.reason,
            "blind": queue.blind,
        }
        number = queue.guideline.number if queue.guideline else None
        yield HistoryEvent(queue.created_at, "sent-again", _lead(queue.created_by, reader), number, told)
    about = Q(verb__in=TOLD)
    if reads_gold(reader):
        about |= Q(verb__startswith="gold.")
    lines = list(
        Event.objects.filter(about, project=item.project_id, thing=item.external_id).select_related("actor")
    )
    out = next(
        (line.pk for line in lines if line.verb == "item.withdrawn" and item.state == "withdrawn"), None
    )
    for line in lines:  # the newest first
        kind = line.verb.replace(".", "-").replace("_", "-").removeprefix("item-")
        undo = "withdrawal" if line.pk == out else ""
        yield HistoryEvent(line.created_at, kind, _lead(line.actor, reader), undo=undo)


def _mappings(item: Item, reader: Membership) -> Iterator[HistoryEvent]:
    """Mappings by which something that was answered here is read otherwise, and their reversal."""
    answers = Answer.objects.filter(annotation__item=item)
    classes = set(answers.filter(label_class__isnull=False).values_list("label_class__pk", flat=True))
    ticked = AnswerChoice.objects.filter(answer__annotation__item=item)
    classes |= set(ticked.values_list("label_class__pk", flat=True))
    texts = set(answers.filter(text__isnull=False).values_list("question", "text"))
    if not classes and not texts:
        return
    names = class_names(item.project_id)
    rows = Mapping.objects.filter(project=item.project_id).select_related(
        "question", "created_by", "reverted_by"
    )
    for row in rows:
        if not _touches(row, classes, texts):
            continue
        told = mapping_document(row, names)
        data = {key: told[key] for key in ("number", "kind", "question", "classes", "into", "name")}
        undo = "mapping" if row.reverted_at is None else ""
        lead = _lead(row.created_by, reader)
        yield HistoryEvent(row.created_at, "mapped", lead, None, data, undo, row.pk)
        if row.reverted_at is not None:
            yield HistoryEvent(row.reverted_at, "mapping-reverted", _lead(row.reverted_by, reader), data=data)


def _touches(mapping: Mapping, classes: set[int], texts: set[tuple[int, str | None]]) -> bool:
    document = mapping.document
    if mapping.kind == MappingKind.STANDARDISE:
        rules = [text_rule(rule) for rule in document["rules"]]
        own = [" ".join((text or "").split()) for question, text in texts if question == mapping.question_id]
        return any(rule.applies(text) for rule in rules for text in own)
    return bool(classes & {*document.get("classes", ()), document.get("class")})
