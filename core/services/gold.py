"""Gold that people make: an expert confirms what an item was settled as, or says what is true; and it is taken away.

One item at a time, always by somebody: that everybody agrees makes no gold. What an import brought is replaced only
by who has seen it.
"""

from typing import Any

from django.db import transaction

from core.choices import ItemState, QuestionKind
from core.exceptions import Conflict, Invalid, Missing, Stale, invalid_field
from core.models import Gold, Item, Membership, Resolution
from core.selectors.gold import gold_on, is_example, rests_on_one
from core.selectors.item import holds
from core.selectors.question import QuestionSpec, schema_of
from core.services.answer import CheckedAnswer, ValueRefused, check_value
from core.services.archive import check_open
from core.services.audit import record


@transaction.atomic
def confirm_gold(membership: Membership, resolution_id: int, *, replaces: int | None = None) -> Gold:
    """Make gold of what an item is settled as; the gold remembers the resolution.

    ``replaces`` is the id of the gold that the confirmer saw and replaces.

    Raises Missing; Conflict ``not-settled`` where it is not the current resolution, ``gold-exists``, ``item-withdrawn``,
    ``item-in-hand``, ``is-example``, ``only-your-answer``, ``project-archived``; Stale where the gold is another by now.
    """
    check_open(membership.project)
    found = Resolution.objects.filter(pk=resolution_id, item__project=membership.project_id).first()
    if found is None:
        raise Missing
    item = _locked(membership, found.item_id)
    rows = Resolution.objects.filter(pk=found.pk, current=True, item_version=item.version)
    resolution = rows.first()
    if resolution is None:
        raise Conflict("not-settled", "This is not what the item is settled as by now.")
    _check_free(membership, item, resolution)
    _make_room(item, resolution.question_id, replaces)
    gold = Gold.objects.create(
        item=item,
        question_id=resolution.question_id,
        label_class_id=resolution.label_class_id,
        number=resolution.number,
        text=resolution.text,
        resolution=resolution,
    )
    if resolution.classes is not None:
        gold.label_classes.set(resolution.classes)
    _recorded(membership, "gold.confirmed", gold, resolution=resolution.pk, replaced=replaces is not None)
    return gold


@transaction.atomic
def set_gold(
    membership: Membership, item_id: int, question_key: str, value: Any, *, replaces: int | None = None
) -> Gold:
    """Gold that a lead knows from elsewhere.

    Raises Missing; Invalid ``unknown-question``, ``invalid-value``; otherwise as confirm_gold.
    """
    check_open(membership.project)
    answer = _checked(_question(membership, question_key), value)
    item = _locked(membership, item_id)
    _check_free(membership, item)
    _make_room(item, answer.question.id, replaces)
    gold = Gold.objects.create(
        item=item,
        question_id=answer.question.id,
        label_class_id=answer.class_id,
        number=answer.number,
        text=answer.text,
    )
    if answer.question.kind == QuestionKind.MULTIPLE:
        gold.label_classes.set([spec.id for spec in answer.classes or ()])
    _recorded(membership, "gold.set", gold, replaced=replaces is not None)
    return gold


@transaction.atomic
def remove_gold(membership: Membership, gold_id: int) -> None:
    """Take gold away: what was answered on it counts for nobody's accuracy any more. Raises Missing."""
    check_open(membership.project)
    found = Gold.objects.filter(pk=gold_id, item__project=membership.project_id).first()
    if found is None:
        raise Missing
    item = _locked(membership, found.item_id)
    gold = Gold.objects.filter(pk=gold_id).select_related("item", "question").first()
    if gold is None:
        raise Missing
    gold.delete()
    record(
        membership.user,
        membership.project,
        "gold.removed",
        item.external_id,
        id=item.pk,
        question=gold.question.key,
        confirmed=gold.resolution_id is not None,
    )


def _locked(membership: Membership, item_id: int) -> Item:
    rows = Item.objects.select_for_update(of=("self",), no_key=True)
    item = rows.filter(pk=item_id, project=membership.project_id).first()
    if item is None:
        raise Missing
    return item


def _check_free(membership: Membership, item: Item, resolution: Resolution | None = None) -> None:
    if item.state == ItemState.WITHDRAWN:
        raise Conflict("item-withdrawn", "This item is withdrawn.")
    if holds(membership, item):
        raise Conflict("item-in-hand", "You have this item in hand: answer it first.")
    if is_example(item):
        raise Conflict(
            "is-example",
            "The guideline shows this item as an example. Gold on it could not test anybody who has read that.",
        )
    if rests_on_one(membership, item, resolution):
        raise Conflict(
            "only-your-answer",
            "You alone have answered this item. Gold that is one's own answer measures nothing: have somebody else "
            "answer, review or settle it first.",
        )


def _make_room(item: Item, question_id: int, replaces: int | None) -> None:
    """Take the gold away that is replaced; the item is locked."""
    present = gold_on(item, question_id)
    if (present and present.pk) != replaces and replaces is not None:
        raise Stale(
            "stale", "The gold of this item is another since you read it.", gold=present and present.pk
        )
    if present is None:
        return
    if replaces is None:
        where = "was confirmed by an expert" if present.resolution_id else "comes from outside"
        raise Conflict(
            "gold-exists",
            f"This item has gold already, which {where}. Say that yours replaces it.",
            gold=present.pk,
        )
    present.delete()


def _question(membership: Membership, key: Any) -> QuestionSpec:
    question = schema_of(membership.project).question(key) if isinstance(key, str) else None
    if question is None:
        raise invalid_field("question", "unknown-question", f"There is no question {str(key)[:60]!r} here.")
    return question


def _checked(question: QuestionSpec, value: Any) -> CheckedAnswer:
    try:
        return check_value(question, value)
    except ValueRefused as refused:
        row = {"field": "value", "pointer": "/value", "code": refused.code, "detail": refused.detail}
        raise Invalid("invalid-value", refused.detail, errors=[row]) from None


def _recorded(membership: Membership, verb: str, gold: Gold, **more: Any) -> None:
    record(
        membership.user,
        membership.project,
        verb,
        gold.item.external_id,
        id=gold.item_id,
        question=gold.question.key,
        **more,
    )
