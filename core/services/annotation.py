"""Taking in: one transaction per submit, sent as often as the network needs, stored once."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Greatest, Now

from core.access import Actor, own_lease
from core.choices import DraftState, ItemState, LeaseState, NoticeKind, Pass, ProjectState, SkipReason
from core.exceptions import Conflict, Invalid, Missing, Unprocessable
from core.models import Annotation, Draft, Item, Lease, Membership, Outbox, RelabelPlace, Resolution
from core.selectors.annotation import earlier_answers
from core.selectors.question import schema_of
from core.services.answer import CheckedAnswer, check_answers, write_answers
from core.services.guideline import in_force
from core.services.lease import (
    COUNTS_NOWHERE,
    HandOut,
    hand_out,
    hand_out_trial,
    next_after,
    stopped,
    takes_place,
)
from core.services.notice import notify
from core.services.trainee import ATTEMPT, Feedback, attempt_for, feedback_on, score_training

LONGEST_COMMENT = 5000
LONGEST_KEY = 64
MOST_ELAPSED_MS = 24 * 3600 * 1000


@dataclass(slots=True)
class Work:
    """What somebody sends for one lease. ``have`` and ``count`` ask for the next items in the same reply.

    ``classes`` are the ids that classes had where the answers were given, by question and name.
    """

    answers: Any
    elapsed_ms: int | None = None
    comment: str = ""
    have: Sequence[UUID] = ()
    count: int = 1
    classes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def fingerprint(self, lease_id: UUID) -> str:
        """What makes two submits the same request. Which items the sender holds meanwhile does not."""
        text = json.dumps([str(lease_id), self.answers, self.elapsed_ms, self.comment], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(slots=True)
class Submitted:
    """A stored annotation, whether it was stored before, and the next items; in a training round what to learn."""

    annotation: Annotation
    replayed: bool
    answers: dict[str, Any] = field(default_factory=dict)
    next: HandOut = field(default_factory=HandOut)
    feedback: Feedback | None = None


@dataclass(frozen=True, slots=True)
class _Stored:
    """What an answer is to the counts: ``first`` of its person on the item, and into which ``place`` it went.

    Both are 0 or 1. ``served`` of the places that waited for just this person are served by it.
    """

    annotation: Annotation
    first: int
    place: int
    served: int = 0
    feedback: Feedback | None = None


class _Late(Exception):  # noqa: N818 -- not an error: the way out of a transaction that keeps a draft
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class _QuestionsChanged(Exception):  # noqa: N818 -- not an error: look at the questions again
    pass


def submit(actor: Actor, lease_id: UUID, key: str, work: Work) -> Submitted:
    """Store the answers given under a lease of the actor's own.

    The same key and body again gives the stored annotation (``replayed``). Raises Unprocessable
    ``idempotency-mismatch`` for the same key with another body, Invalid for answers that do not fit, and
    Conflict when the place is gone: then the work is kept as a draft of its author.
    """
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise Invalid("idempotency-key", f"Send an Idempotency-Key header of 1 to {LONGEST_KEY} characters")
    _check_work(work)
    try:
        try:
            submitted = _submit(actor, lease_id, key, work)
        except _QuestionsChanged:
            submitted = _submit(actor, lease_id, key, work)
    except _QuestionsChanged:
        raise Conflict("questions-changed", "The questions are being changed. Send it again.") from None
    except IntegrityError:
        # The key was used for another lease. Everything of this attempt has been rolled back.
        return _replay_of_key(lease_id, key, work)
    except _Late as late:
        _keep_draft(lease_id, key, work, late)
        raise Conflict(late.code, late.detail) from late
    if submitted.replayed:
        submitted.feedback = feedback_on(submitted.annotation)
    ran_dry = not submitted.next.leases and not work.have
    if work.count and (submitted.replayed or ran_dry):
        more = hand_out_trial if submitted.annotation.pass_kind == Pass.TRIAL else hand_out
        submitted.next = more(submitted.annotation.annotator, min(work.count, 20), list(work.have))
    return submitted


def _check_work(work: Work) -> None:
    if work.elapsed_ms is not None:
        if isinstance(work.elapsed_ms, bool) or not isinstance(work.elapsed_ms, int):
            raise Invalid("bad-elapsed", "elapsed_ms is a whole number of milliseconds")
        # A sleeping laptop or a wrong clock says nothing about the work: keep it within a day.
        work.elapsed_ms = min(max(work.elapsed_ms, 0), MOST_ELAPSED_MS)
    if not isinstance(work.comment, str) or len(work.comment) > LONGEST_COMMENT:
        raise Invalid("bad-comment", f"A comment is a text of at most {LONGEST_COMMENT:,} characters")


@transaction.atomic
def _submit(actor: Actor, lease_id: UUID, key: str, work: Work) -> Submitted:
    try:
        locked = (
            Lease.objects.select_for_update(of=("self", "annotator", "item"), no_key=True)
            .select_related("annotator__project", "item")
            .annotate(now=Now(), settled=_settled(), seen=_seen())
            .get(pk=lease_id)
        )
    except Lease.DoesNotExist:
        raise Missing from None
    lease = own_lease(actor, locked)
    lease.suggestion = locked.seen or lease.suggestion
    member, now = lease.annotator, locked.now
    if lease.state == LeaseState.SUBMITTED:
        return _stored(lease, key, work)
    checked = check_answers(schema_of(member.project), work.answers, work.classes)
    if member.project.state == ProjectState.ARCHIVED:
        raise _Late("project-archived", "This project is archived. Your answer is kept as a draft.")
    if lease.state != LeaseState.ACTIVE and member.paused_because:
        raise _Late("member-paused", "Your work is paused. Your answer is kept as a draft.")
    _take_place(lease)
    stored = _store(lease, key, work, checked)
    Lease.objects.filter(pk=lease.pk).update(state=LeaseState.SUBMITTED, closed_at=Now(), idempotency_key=key)
    if locked.settled:
        _overtake(stored.annotation)
    released = 1 if lease.state == LeaseState.ACTIVE else 0
    member.held -= released
    after = next_after(member, lease, _wanted(member, work), now)
    today = now.date()
    counted = int(lease.pass_kind not in COUNTS_NOWHERE)
    member.answered_today = (member.answered_today if member.today == today else 0) + counted
    member.answered += stored.first
    Membership.objects.filter(pk=member.pk).update(
        **_member_counts(stored),
        answered_today=member.answered_today,
        today=today,
        held=F("held") - released + len(after.leases),
        handed=F("handed") + len(after.leases),
        cursors=member.cursors,
    )
    answers = {answer.question.key: answer.value for answer in checked}
    return Submitted(stored.annotation, replayed=False, answers=answers, next=after, feedback=stored.feedback)


def _store(lease: Lease, key: str, work: Work, checked: list[CheckedAnswer]) -> _Stored:
    """Write an answer whose place is taken, and tell the project's totals of it."""
    if lease.pass_kind == Pass.TRAINING:
        return _store_training(lease, key, work, checked)
    if lease.relabel_id is not None:
        return _store_relabel(lease, key, work, checked)
    annotation = _insert(lease, key, work, checked, **in_sight(lease.suggestion, checked))
    first = int(annotation.revision == 1 and lease.pass_kind not in COUNTS_NOWHERE)
    place = int(takes_place(lease))
    if lease.pass_kind not in COUNTS_NOWHERE:
        _count_project(lease.item, first, place)
    return _Stored(annotation, first, place)


def _store_training(lease: Lease, key: str, work: Work, checked: list[CheckedAnswer]) -> _Stored:
    """An answer of a training round counts for the round only."""
    attempt = attempt_for(lease)
    annotation = _insert(lease, key, work, checked, extra=attempt and {ATTEMPT: attempt.pk})
    return _Stored(annotation, 0, 0, feedback=score_training(attempt, annotation) if attempt else None)


def _store_relabel(lease: Lease, key: str, work: Work, checked: list[CheckedAnswer]) -> _Stored:
    """An answer that was asked of just this person.

    Whoever has answered the item before revises that: nothing is counted twice. Whose answer was voided fills the
    place that became free. Otherwise it is one answer more than the overlap asks for, so the item's target, its
    extra places and its answers all grow by one.
    """
    own = _own_chain(lease)
    earlier = own.filter(current=True).first()
    shown = earlier_answers(lease.annotator, [lease]).get(lease.pk)
    if earlier is not None:
        own.filter(pk=earlier.pk).update(current=False)
    annotation = _insert(
        lease,
        key,
        work,
        checked,
        revision=earlier.revision + 1 if earlier else 1,
        suggestion=None if shown is None else {"earlier": shown},
    )
    filled = (
        earlier is not None and earlier.complete and not earlier.voided and earlier.pass_kind == Pass.NORMAL
    )
    place = 0
    if not filled:
        rows = Item.objects.filter(pk=lease.item_id)
        if earlier is not None and earlier.voided:
            # The place that this freed is theirs, while nobody has taken it.
            place = rows.filter(free__gt=0).update(done=F("done") + 1, free=F("free") - 1)
        if not place:
            rows.update(done=F("done") + 1, target=F("target") + 1, extra=F("extra") + 1)
    first = int(earlier is None or earlier.voided or earlier.pass_kind in COUNTS_NOWHERE)
    _count_project(lease.item, first, place)
    served = RelabelPlace.objects.filter(
        item=lease.item_id, annotator=lease.annotator_id, annotation=None, dropped=False
    ).update(annotation=annotation)
    lease.annotator.waiting = max(lease.annotator.waiting - served, 0)
    return _Stored(annotation, first, 0, served)


def _member_counts(stored: _Stored) -> dict[str, Any]:
    """What an answer changes in its person's counts."""
    retest = stored.first * int(stored.annotation.pass_kind == Pass.RETEST)
    counts: dict[str, Any] = {"answered": F("answered") + stored.first, "retested": F("retested") + retest}
    if stored.served:
        counts["waiting"] = Greatest(F("waiting") - stored.served, 0)
    return counts


def _settled() -> Exists:
    """Whether the item of a lease or an annotation has a resolution in force that nothing came after yet."""
    current = Resolution.objects.filter(item=OuterRef("item"), current=True, overtaken=False)
    return Exists(current.filter(item_version=OuterRef("item_version")))


def _seen() -> Subquery:
    """A suggestion that a lease's person had in sight on its item, perhaps before putting it off."""
    own = Lease.objects.filter(
        item=OuterRef("item"),
        annotator=OuterRef("annotator"),
        item_version=OuterRef("item_version"),
        pass_kind=OuterRef("pass_kind"),
        suggestion__shown=True,
    )
    return Subquery(own.order_by("created_at").values("suggestion")[:1])


def _overtake(annotation: Annotation) -> None:
    """Say on the item's resolutions, which stay as they are, that an answer came after them; tell who settled it.

    Only what counts between people comes after a resolution: a blind pass does not.
    """
    if annotation.pass_kind != Pass.NORMAL:
        return
    current = Resolution.objects.filter(item=annotation.item_id, current=True, overtaken=False)
    settled = list(current.values_list("settled_by", "question__key"))
    current.update(overtaken=True)
    for member_id in sorted({member_id for member_id, _key in settled} - {annotation.annotator_id}):
        keys = sorted(key for by, key in settled if by == member_id)
        notify(
            [member_id],
            NoticeKind.CORRECTED,
            item=annotation.item.external_id,
            item_id=annotation.item_id,
            questions=keys,
        )


def _count_project(item: Item, annotations: int, place: int) -> None:
    """Tell the project's totals of an answer that has just filled ``place`` (0 or 1) of its item's places."""
    finishes = place == 1 and item.state == ItemState.OPEN and item.done + 1 == item.target
    Outbox.objects.create(
        project_id=item.project_id, annotations=annotations, items_done=int(finishes), changes=1
    )


def _wanted(member: Membership, work: Work) -> int:
    """How many further items to lease with this submit (a person's cap counts what they hold)."""
    from_cap = 20 if member.cap is None else member.cap - member.answered - 1 - member.held
    return max(0, min(work.count - len(work.have), 20 - member.held, from_cap))


def _take_place(lease: Lease) -> None:
    """Turn the lease's place into an answer's, or find a free one when the lease has run out.

    Retest and gold passes have no place and need none; the item's row is written all the same, so that their
    submit costs what any other does, and what is with the lead takes no late ones, as it takes no others. What
    was asked of just this person may come late as long as it still waits for them.
    """
    item = lease.item
    place = int(takes_place(lease))
    rows = Item.objects.filter(pk=item.pk)
    if lease.item_version != item.version or item.state == ItemState.WITHDRAWN:
        raise _Late(
            "item-changed", "The item was changed or withdrawn meanwhile. Your answer is kept as a draft."
        )
    if lease.state == LeaseState.ACTIVE:
        # Read anew, for the row's lock may have been waited for while a question was added.
        known = rows.filter(project__schema_version=lease.annotator.project.schema_version)
        if not known.update(leased=F("leased") - place, done=F("done") + place):
            raise _QuestionsChanged
        return
    if lease.state not in {LeaseState.EXPIRED, LeaseState.RELEASED, LeaseState.DEFERRED}:
        raise _Late("lease-closed", f"This item was {lease.state} already. Your answer is kept as a draft.")
    if lease.relabel_id is None:
        done = Q(complete=True) | Q(voided=True)
        answered = _own_chain(lease).filter(done, current=True).exists()
    else:
        asked = RelabelPlace.objects.filter(relabel=lease.relabel_id, item=item, annotator=lease.annotator)
        answered = not asked.filter(annotation=None, dropped=False).exists()
    held = Lease.objects.filter(item=item, annotator=lease.annotator, state=LeaseState.ACTIVE).exists()
    if place:
        free = rows.filter(free__gt=0)
    else:  # refused, too, where an item that its annotator called broken would have no place left
        free = rows.none() if lease.reason == SkipReason.BROKEN else rows.filter(state=ItemState.OPEN)
    if answered or held or not free.update(free=F("free") - place, done=F("done") + place):
        raise _Late(
            "lease-expired",
            "This item was held too long and went to someone else. Your answer is kept as a draft.",
        )


def _own_chain(lease: Lease) -> QuerySet[Annotation]:
    """All revisions of what this lease's person has answered in its pass."""
    return Annotation.objects.filter(
        item=lease.item, annotator=lease.annotator, item_version=lease.item_version, repeat=lease.repeat
    )


def _insert(
    lease: Lease, key: str, work: Work, checked: list[CheckedAnswer], revision: int = 0, **more: Any
) -> Annotation:
    """The annotation and its answers. After a question was added, it is a new revision of the earlier one."""
    project = lease.annotator.project
    if not revision:
        revision = 1
        own = _own_chain(lease)
        if project.schema_version > 1:
            earlier = own.filter(current=True).first()
            if earlier is not None:
                revision = earlier.revision + 1
                own.filter(pk=earlier.pk).update(current=False)
                if earlier.suggested and not more.get("suggested"):
                    more |= in_sight(earlier.suggestion, checked)
    annotation = Annotation.objects.create(
        item=lease.item,
        item_version=lease.item_version,
        annotator=lease.annotator,
        pass_kind=lease.pass_kind,
        repeat=lease.repeat,
        revision=revision,
        guideline_id=in_force(project),
        lease_id=lease.pk,
        idempotency_key=key,
        request_hash=work.fingerprint(lease.pk),
        elapsed_ms=work.elapsed_ms,
        comment=work.comment,
        relabel_id=lease.relabel_id,
        **more,
    )
    write_answers(annotation, checked)
    return annotation


def in_sight(suggestion: dict[str, Any] | None, checked: Sequence[CheckedAnswer]) -> dict[str, Any]:
    """What an annotation says of the suggestion beside it: whether it was shown, and which of its answers were given."""
    if suggestion is None or "run" not in suggestion:
        return {"suggestion": suggestion}
    given = {answer.question.key: answer for answer in checked}
    taken = {}
    for key, name in suggestion["answers"].items():
        spec = given[key].question.class_named(name) if key in given else None
        taken[key] = spec is not None and spec.id == given[key].class_id
    return {"suggestion": {**suggestion, "taken": taken}, "suggested": suggestion["shown"]}


def _stored(lease: Lease, key: str, work: Work) -> Submitted:
    annotation = (
        Annotation.objects.select_related("item", "annotator__project")
        .filter(annotator=lease.annotator, idempotency_key=key)
        .first()
    )
    if annotation is None or annotation.lease_id != lease.pk:
        raise Conflict("lease-closed", "This item was answered already, with another key.")
    if annotation.request_hash != work.fingerprint(lease.pk):
        raise Unprocessable(
            "idempotency-mismatch", "This key was used with another body. Nothing was changed."
        )
    return Submitted(annotation, replayed=True)


def _replay_of_key(lease_id: UUID, key: str, work: Work) -> Submitted:
    lease = Lease.objects.select_related("annotator__project").get(pk=lease_id)
    used = (
        Annotation.objects.select_related("item", "annotator__project")
        .filter(annotator=lease.annotator, idempotency_key=key)
        .first()
    )
    if used is None:
        raise Conflict("already-answered", "You have answered this item already.")
    if used.lease_id == lease_id and used.request_hash == work.fingerprint(lease_id):
        return Submitted(used, replayed=True)
    raise Unprocessable("idempotency-mismatch", "This key was used for another answer. Nothing was changed.")


@transaction.atomic
def _keep_draft(lease_id: UUID, key: str, work: Work, late: _Late) -> None:
    lease = Lease.objects.select_related("annotator", "item").get(pk=lease_id)
    drafts = Draft.objects.filter(annotator=lease.annotator, lease_id=lease.pk)
    if drafts.filter(state=DraftState.SUBMITTED).exists():
        return
    drafts.update_or_create(
        annotator=lease.annotator,
        lease_id=lease.pk,
        defaults={
            "state": DraftState.KEPT,
            "item": lease.item,
            "item_version": lease.item_version,
            "idempotency_key": key,
            "answers": work.answers,
            "elapsed_ms": work.elapsed_ms,
            "comment": work.comment,
            "because": late.code,
        },
    )


def correct(
    annotation_id: int,
    answers: Any,
    key: str = "",
    comment: str | None = None,
    classes: Mapping[str, Mapping[str, int]] | None = None,
) -> Submitted:
    """A person's own correction: a new revision; the old one is kept. The caller has checked whose it is.

    ``classes``: as of Work.

    After a question was added, the correction takes a place on the item again, as a new answer would.
    Raises Conflict when that place is gone, the item was changed or the answer was part of a training round,
    Invalid for answers that do not fit, Unprocessable when the key was used for something else.
    """
    try:
        with transaction.atomic():
            return _correct(annotation_id, Work(answers, classes=classes or {}), key, comment)
    except IntegrityError:
        raise Unprocessable("idempotency-mismatch", "This key was used for another answer.") from None


def _correct(annotation_id: int, work: Work, key: str, comment: str | None) -> Submitted:
    old = (
        Annotation.objects.select_related("annotator__project")
        .annotate(settled=_settled())
        .get(pk=annotation_id)
    )
    if old.pass_kind == Pass.TRAINING:
        raise Conflict("training-answer", "You were told whether this answer was right; it stays as it is.")
    old.item = Item.objects.select_for_update(no_key=True).get(pk=old.item_id)
    work.comment = old.comment if comment is None else comment
    _check_work(work)
    chain = Annotation.objects.filter(
        item=old.item, annotator=old.annotator, item_version=old.item_version, repeat=old.repeat
    )
    if key:
        again = chain.filter(idempotency_key=key).select_related("annotator__project", "item").first()
        if again is not None:
            if again.request_hash != work.fingerprint(old.lease_id or UUID(int=0)):
                raise Unprocessable("idempotency-mismatch", "This key was used with another body.")
            return Submitted(again, replayed=True)
    # An undo may name the revision that the page knew; the newest is the one to correct.
    newest = chain.select_for_update(of=("self",)).filter(current=True).first()
    if newest is None or newest.voided:
        raise Conflict("annotation-voided", "This answer was taken out by a lead and cannot be corrected.")
    if old.item.version != old.item_version or old.item.state == ItemState.WITHDRAWN:
        raise Conflict("item-changed", "The item was changed or withdrawn since; this answer stays as it is.")
    if old.annotator.project.state == ProjectState.ARCHIVED:
        raise Conflict("project-archived", "This project is archived.")
    checked = check_answers(schema_of(old.annotator.project), work.answers, work.classes)
    place = int(not newest.complete and newest.pass_kind == Pass.NORMAL and newest.repeat == 1)
    if place:
        _take_place_again(newest, old.item)
    chain.filter(pk=newest.pk).update(current=False)
    made = Annotation.objects.create(
        item=old.item,
        item_version=old.item_version,
        annotator=old.annotator,
        pass_kind=old.pass_kind,
        repeat=old.repeat,
        revision=newest.revision + 1,
        guideline_id=in_force(old.annotator.project),
        lease_id=old.lease_id,
        idempotency_key=key or None,
        request_hash=work.fingerprint(old.lease_id or UUID(int=0)),
        elapsed_ms=newest.elapsed_ms,
        comment=work.comment,
        complete=True,
        relabel_id=newest.relabel_id,
        **in_sight(newest.suggestion, checked),
    )
    write_answers(made, checked)
    if old.settled:
        _overtake(made)
    if old.pass_kind not in COUNTS_NOWHERE:
        _count_project(old.item, 0, place)
    return Submitted(made, replayed=False)


def _take_place_again(newest: Annotation, item: Item) -> None:
    """The item was opened again for a further question, so this person's place may have gone to others."""
    own = Lease.objects.filter(item=item, annotator=newest.annotator_id, state=LeaseState.ACTIVE)
    if own.exists():
        raise Conflict(
            "open-again", "This item is open for you again, with a further question: answer it there."
        )
    if not Item.objects.filter(pk=item.pk, free__gt=0).update(free=F("free") - 1, done=F("done") + 1):
        raise Conflict(
            "no-place", "A question was added and other people are at this item; it stays as it is."
        )


@transaction.atomic
def submit_draft(membership: Membership, draft_id: int) -> Annotation:
    """Send a kept draft again. Raises Conflict while there is still no place for it."""
    draft = _draft(membership, draft_id)
    Membership.objects.select_for_update(no_key=True).get(pk=membership.pk)  # before the item, as everywhere
    item = Item.objects.select_for_update(no_key=True).get(pk=draft.item_id)
    lease = (
        Lease.objects.select_related("annotator__project", "item")
        .annotate(settled=_settled())
        .get(pk=draft.lease_id)
    )
    lease.item = item
    work = Work(answers=draft.answers, elapsed_ms=draft.elapsed_ms, comment=draft.comment)
    checked = check_answers(schema_of(membership.project), draft.answers)
    if membership.project.state == ProjectState.ARCHIVED:
        raise Conflict("project-archived", "This project is archived.")
    if stopped(lease.annotator) and membership.project.state == ProjectState.ACTIVE:
        raise Conflict("member-paused", "Your work is paused; the draft is kept.")
    lease.state = LeaseState.EXPIRED
    try:
        _take_place(lease)
    except _Late as late:
        raise Conflict(late.code, "There is still no free place on this item; the draft is kept.") from late
    stored = _store(lease, draft.idempotency_key, work, checked)
    if lease.settled:
        _overtake(stored.annotation)
    Membership.objects.filter(pk=membership.pk).update(**_member_counts(stored))
    Lease.objects.filter(pk=lease.pk).update(state=LeaseState.SUBMITTED, closed_at=Now())
    Draft.objects.filter(pk=draft.pk).update(state=DraftState.SUBMITTED)
    return stored.annotation


@transaction.atomic
def discard_draft(membership: Membership, draft_id: int) -> None:
    """Its author does not want it any more."""
    draft = _draft(membership, draft_id)
    Draft.objects.filter(pk=draft.pk).update(state=DraftState.DISCARDED)


def _draft(membership: Membership, draft_id: int) -> Draft:
    draft = (
        Draft.objects.filter(pk=draft_id, annotator=membership, state=DraftState.KEPT)
        .select_for_update()
        .first()
    )
    if draft is None:
        raise Missing
    return draft
