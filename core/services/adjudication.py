"""Settling items: the final answer by a person, taken back, or put to others first. Answers stay as they are.

A resolution is append-only: settling anew is a new revision, and taking back is one without a value. Whoever settles
says which revision they saw, so that of two at once exactly one succeeds.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import F, Max
from django.db.models.functions import Now

from core.access import LEADS, REVIEWERS
from core.choices import Cause, ItemState, NoticeKind, QuestionKind
from core.exceptions import Conflict, Invalid, Missing, NotAllowed, Stale, invalid_field
from core.models import Item, Membership, Resolution, Review
from core.selectors.adjudication import latest_revision, pattern_on
from core.selectors.item import holds
from core.selectors.question import QuestionSpec, schema_of
from core.selectors.selection_report import held_by
from core.services.answer import CheckedAnswer, ValueRefused, check_value
from core.services.archive import check_open
from core.services.audit import record
from core.services.guideline import in_force
from core.services.item import withdraw_item
from core.services.notice import notify

LONGEST_COMMENT = 5000
LONGEST_NOTE = 1000
MOST_REVIEWERS = 10
MOST_AT_ONCE = 500


class Left(StrEnum):
    """Why an item of a list was not settled with the others."""

    NOT_HERE = "not-here"
    WITHDRAWN = "item-withdrawn"
    IN_HAND = "item-in-hand"
    SETTLED = "settled-meanwhile"
    CHANGED = "answers-changed"


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a list: resolutions made, and items left as they were, by key, with the reason."""

    made: list[Resolution]
    left: dict[int, Left]


@dataclass(frozen=True, slots=True)
class _Decision:
    """A checked decision, ready to be written for any item."""

    question: QuestionSpec
    answer: CheckedAnswer
    cause: str
    comment: str
    gold_candidate: bool


@transaction.atomic
def settle(
    membership: Membership,
    item_id: int,
    question_key: str,
    value: Any,
    *,
    cause: str = "",
    comment: str = "",
    gold_candidate: bool = False,
    revision: int,
    withdraw: bool = False,
) -> Resolution:
    """Give an item its final answer to one question.

    ``revision`` is the one that the settler saw (0 where there was none): Stale when somebody settled meanwhile.
    ``withdraw`` takes the item out as well; only a lead may, and only where the cause is a broken item. Items of the
    audit slice, the holdout among them, are settled like any other.

    Raises Missing; Invalid ``unknown-question``, ``invalid-value``, ``bad-cause``, ``bad-comment``,
    ``withdraw-not-broken``; Conflict ``item-withdrawn``, ``item-in-hand``, ``project-archived``; NotAllowed; Stale.
    """
    check_open(membership.project)
    decision = _checked(membership, question_key, value, cause, comment, gold_candidate=gold_candidate)
    if withdraw:
        _check_withdrawal(membership, decision.cause)
    item = _locked(membership, item_id)
    _check_free(membership, item)
    _check_revision(item, decision.question, revision)
    (made,) = _write(membership, [item], decision)
    if withdraw:
        withdraw_item(membership, item.pk)
    return made


@transaction.atomic
def settle_many(
    membership: Membership,
    item_ids: Sequence[int],
    question_key: str,
    value: Any,
    *,
    pattern: Mapping[str, int] | None = None,
    cause: str = "",
    comment: str = "",
    gold_candidate: bool = False,
) -> Settled:
    """Give many items the same final answer, those that have none yet; every item is looked at again.

    ``pattern`` is what the settler saw people answer, label to count: an item with other answers by now is left.
    Raises as settle, and Invalid ``bad-items`` for none or more than 500.
    """
    check_open(membership.project)
    wanted = sorted(set(item_ids))
    if not 1 <= len(wanted) <= MOST_AT_ONCE:
        raise invalid_field("items", "bad-items", f"items lists 1 to {MOST_AT_ONCE} items.")
    decision = _checked(membership, question_key, value, cause, comment, gold_candidate=gold_candidate)
    items = _lockable().filter(pk__in=wanted, project=membership.project_id).order_by("pk")
    found = {item.pk: item for item in items}
    held, settled = held_by(membership, list(found)), _settled(list(found), decision.question)
    said = pattern_on(decision.question, list(found)) if pattern is not None else {}
    left: dict[int, Left] = {}
    for pk in wanted:
        item = found.get(pk)
        if item is None:
            left[pk] = Left.NOT_HERE
        elif item.state == ItemState.WITHDRAWN:
            left[pk] = Left.WITHDRAWN
        elif pk in held:
            left[pk] = Left.IN_HAND
        elif pk in settled:
            left[pk] = Left.SETTLED
        elif pattern is not None and said.get(pk, {}) != dict(pattern):
            left[pk] = Left.CHANGED
    return Settled(_write(membership, [found[pk] for pk in wanted if pk not in left], decision), left)


def _settled(item_ids: Sequence[int], question: QuestionSpec) -> set[int]:
    """Those of the items that have their final answer as they are now."""
    rows = Resolution.objects.filter(
        item__in=item_ids, question=question.id, item_version=F("item__version"), current=True
    )
    return set(rows.values_list("item_id", flat=True))


@transaction.atomic
def take_back(membership: Membership, resolution_id: int, revision: int) -> Resolution:
    """Undo a resolution: a further revision without a value, after which votes make the label again.

    Raises Missing; Conflict ``not-settled`` where it is not the current one; Stale; Conflict in an archive.
    """
    check_open(membership.project)
    found = Resolution.objects.filter(pk=resolution_id, item__project=membership.project_id).first()
    if found is None:
        raise Missing
    item = _locked(membership, found.item_id)
    question = _question_of(membership, found.question_id)
    _check_revision(item, question, revision)
    current = Resolution.objects.filter(pk=found.pk, current=True, item_version=item.version).first()
    if current is None:
        raise Conflict("not-settled", "This is not what the item is settled as.")
    Resolution.objects.filter(pk=current.pk).update(current=False)
    made = Resolution.objects.create(
        item=item,
        item_version=item.version,
        question_id=question.id,
        revision=revision + 1,
        current=False,
        guideline_id=in_force(membership.project),
        settled_by=membership,
    )
    record(
        membership.user,
        membership.project,
        "adjudication.taken_back",
        item.external_id,
        id=item.pk,
        question=question.key,
        revision=made.revision,
    )
    return made


@transaction.atomic
def refer(
    membership: Membership, item_id: int, question_key: str, reviewer_ids: Collection[int], note: str = ""
) -> list[Review]:
    """Ask reviewers to look at an item before it is settled; they are told, each once.

    Whoever was asked already is not asked again. Raises Missing; Invalid ``unknown-question``, ``bad-reviewers``,
    ``bad-note``; Conflict ``asked-already`` when nobody is left to ask, ``item-withdrawn``, ``item-in-hand``.
    """
    check_open(membership.project)
    question = _question(membership, question_key)
    wanted = set(reviewer_ids)
    if not 1 <= len(wanted) <= MOST_REVIEWERS:
        raise invalid_field("reviewers", "bad-reviewers", f"reviewers lists 1 to {MOST_REVIEWERS} members.")
    if not isinstance(note, str) or len(note) > LONGEST_NOTE or "\0" in note:
        raise invalid_field("note", "bad-note", f"A note is a text of at most {LONGEST_NOTE:,} characters.")
    people = Membership.objects.filter(
        project=membership.project_id, pk__in=wanted, role__in=REVIEWERS, active=True, user__isnull=False
    )
    if people.count() != len(wanted):
        raise invalid_field("reviewers", "bad-reviewers", "Somebody in this list may not review here.")
    item = _locked(membership, item_id)
    _check_free(membership, item)
    asked = set(
        Review.objects.filter(
            item=item, item_version=item.version, question=question.id, reviewer__in=wanted
        ).values_list("reviewer_id", flat=True)
    )
    if asked == wanted:
        raise Conflict("asked-already", "They were asked about this item already.")
    made = Review.objects.bulk_create(
        Review(
            item=item,
            item_version=item.version,
            question_id=question.id,
            reviewer_id=pk,
            asked_by=membership.user,
            note=note,
        )
        for pk in sorted(wanted - asked)
    )
    for review in made:
        notify(
            [review.reviewer_id],
            NoticeKind.REVIEW,
            item=item.external_id,
            item_id=item.pk,
            question=question.key,
            review=review.pk,
            by=membership.name,
        )
    record(
        membership.user,
        membership.project,
        "adjudication.referred",
        item.external_id,
        id=item.pk,
        question=question.key,
        reviewers=[review.reviewer_id for review in made],
    )
    return list(made)


@transaction.atomic
def answer_review(
    membership: Membership, review_id: int, value: Any, *, cause: str = "", comment: str = ""
) -> Review:
    """What a reviewer says about an item that they were asked about; it settles nothing.

    Raises Missing; Conflict ``not-your-review``, ``review-answered``, ``review-overtaken`` (the item was corrected or
    withdrawn since); Invalid as settle.
    """
    check_open(membership.project)
    review = (
        Review.objects.select_for_update(of=("self",), no_key=True)
        .select_related("item", "question")
        .filter(pk=review_id, item__project=membership.project_id)
        .first()
    )
    if review is None:
        raise Missing
    if review.reviewer_id != membership.pk:
        raise Conflict("not-your-review", "Somebody else was asked about this item.")
    if review.answered_at is not None:
        raise Conflict("review-answered", "You have said what you think of this item already.")
    item = review.item
    if review.item_version != item.version or item.state == ItemState.WITHDRAWN:
        raise Conflict("review-overtaken", "The item was corrected or withdrawn since you were asked.")
    _check_free(membership, item)
    said = _checked(membership, review.question.key, value, cause, comment, gold_candidate=False)
    Review.objects.filter(pk=review.pk).update(
        **_value(said.answer), cause=said.cause, comment=said.comment, answered_at=Now()
    )
    record(
        membership.user,
        membership.project,
        "adjudication.reviewed",
        item.external_id,
        id=item.pk,
        question=said.question.key,
        review=review.pk,
    )
    return Review.objects.select_related("item", "question", "reviewer", "asked_by").get(pk=review.pk)


# --- What is checked and written ----------------------------------------------------------------------


def _question(membership: Membership, key: str) -> QuestionSpec:
    question = schema_of(membership.project).question(key) if isinstance(key, str) else None
    if question is None:
        raise invalid_field("question", "unknown-question", f"There is no question {str(key)[:60]!r} here.")
    return question


def _question_of(membership: Membership, question_id: int) -> QuestionSpec:
    for spec in schema_of(membership.project).questions:
        if spec.id == question_id:
            return spec
    raise Missing


def _checked(
    membership: Membership, key: str, value: Any, cause: str, comment: str, *, gold_candidate: bool
) -> _Decision:
    question = _question(membership, key)
    try:
        answer = check_value(question, value)
    except ValueRefused as refused:
        row = {"field": "value", "pointer": "/value", "code": refused.code, "detail": refused.detail}
        raise Invalid("invalid-value", refused.detail, errors=[row]) from None
    if cause and cause not in Cause.values:
        raise invalid_field("cause", "bad-cause", f"cause is one of {', '.join(Cause.values)}.")
    if not isinstance(comment, str) or len(comment) > LONGEST_COMMENT or "\0" in comment:
        raise invalid_field(
            "comment", "bad-comment", f"A comment is a text of at most {LONGEST_COMMENT:,} characters."
        )
    return _Decision(question, answer, cause or "", comment, gold_candidate)


def _check_withdrawal(membership: Membership, cause: str) -> None:
    if cause != Cause.BROKEN:
        raise invalid_field(
            "withdraw", "withdraw-not-broken", "Only an item that is broken is withdrawn here."
        )
    if membership.role not in LEADS:
        raise NotAllowed("Only leads withdraw items. Settle it, and tell them.")


def _lockable() -> Any:
    return Item.objects.select_for_update(of=("self",), no_key=True)


def _locked(membership: Membership, item_id: int) -> Item:
    item: Item | None = _lockable().filter(pk=item_id, project=membership.project_id).first()
    if item is None:
        raise Missing
    return item


def _check_free(membership: Membership, item: Item) -> None:
    if item.state == ItemState.WITHDRAWN:
        raise Conflict("item-withdrawn", "This item is withdrawn.")
    if holds(membership, item):
        raise Conflict(
            "item-in-hand", "You have this item in hand: answer it first, without seeing the others."
        )


def _check_revision(item: Item, question: QuestionSpec, revision: int) -> None:
    newest = latest_revision(item, question.id)
    if newest != revision:
        raise Stale("stale", "Somebody else settled this item since you read it.", revision=newest)


def _write(membership: Membership, items: Sequence[Item], decision: _Decision) -> list[Resolution]:
    """A further revision of each of these items, which are locked, and a line of the log."""
    question, guideline = decision.question, in_force(membership.project)
    before = Resolution.objects.filter(item__in=items, question=question.id)
    before.filter(current=True).update(current=False)
    revisions = before.filter(item_version=F("item__version")).order_by().values_list("item")
    newest = dict(revisions.annotate(newest=Max("revision")))
    made = Resolution.objects.bulk_create(
        Resolution(
            item=item,
            item_version=item.version,
            question_id=question.id,
            revision=newest.get(item.pk, 0) + 1,
            **_value(decision.answer),
            cause=decision.cause,
            comment=decision.comment,
            gold_candidate=decision.gold_candidate,
            guideline_id=guideline,
            settled_by=membership,
        )
        for item in items
    )
    for one in made:
        record(
            membership.user,
            membership.project,
            "adjudication.settled",
            one.item.external_id,
            id=one.item_id,
            question=question.key,
            revision=one.revision,
            cause=decision.cause,
        )
    return made


def _value(answer: CheckedAnswer) -> dict[str, Any]:
    """The columns of a value, as in a prediction."""
    ticked = answer.question.kind == QuestionKind.MULTIPLE
    return {
        "label_class_id": answer.class_id,
        "classes": [spec.id for spec in answer.classes or ()] if ticked else None,
        "number": answer.number,
        "text": answer.text,
    }
