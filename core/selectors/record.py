"""What one person's own record is made from: nothing of items that are still open, and nothing from today.

An item's record moves only when it is finished, and the whole only from one day to the next, so that nobody can
read out of it what others said of an item before it is settled, or which of the items just answered has gold.
Corrections wait for the next day, too: a figure that moves with one would tell what it rests on.
"""

from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from core.choices import ItemState, Pass, QuestionKind
from core.models import Annotation, Answer, Item, Membership
from core.selectors.agreement import Scope, collapsed, gold_columns
from core.selectors.disagreement import label_name, with_labels
from core.selectors.item import FINISHED
from core.selectors.question import QuestionSpec


def settled_items(membership: Membership, now: datetime) -> QuerySet[Item]:
    """The finished items that this person answered before today."""
    return Item.objects.filter(FINISHED, pk__in=_at_midnight(membership, now).values("item_id"))


def _at_midnight(membership: Membership, now: datetime) -> QuerySet[Annotation]:
    """Somebody's annotations as they stood at midnight: of every pass the last revision before it."""
    before = Annotation.objects.filter(annotator=membership, created_at__lt=_midnight(now)).order_by()
    chain = {"item": OuterRef("item"), "item_version": OuterRef("item_version"), "repeat": OuterRef("repeat")}
    later = before.filter(**chain, revision__gt=OuterRef("revision"))
    return before.filter(~Exists(later), voided=False)


def _counted(membership: Membership, question: QuestionSpec, now: datetime) -> QuerySet[Answer]:
    """Somebody's answers at midnight that count between annotators."""
    return Answer.objects.filter(
        question_id=question.id,
        annotation__in=_at_midnight(membership, now),
        annotation__repeat=1,
        annotation__pass_kind=Pass.NORMAL,
        annotation__item_version=F("annotation__item__version"),
    ).exclude(annotation__item__state=ItemState.WITHDRAWN)


def abstentions(membership: Membership, question: QuestionSpec, now: datetime) -> tuple[int, int]:
    """How often this person could not tell, and how many answers there are."""
    answers = _counted(membership, question, now)
    unsure = Q(label_class__uncertain=True) | Q(label_classes__uncertain=True)
    return answers.filter(unsure).distinct().count(), answers.count()


def corrected_since(membership: Membership, question: QuestionSpec, now: datetime) -> dict[int, str]:
    """What somebody had said at midnight of the items that they have corrected since: item to label's name."""
    before = _counted(membership, question, now).filter(annotation__current=False)
    rows = with_labels(before, question, "annotation__item_id")
    named = {item: label_name(question, label) for item, label in rows}
    if question.kind == QuestionKind.TEXT:
        return {item: collapsed(name) for item, name in named.items()}
    return named


def gold_hits(membership: Membership, question: QuestionSpec, now: datetime) -> tuple[int, int]:
    """On how many items with gold this person's first answer was the gold one, and how many there are."""
    gold = gold_columns(membership.project, question, Scope(), ())
    truth = {
        item: gold.names[label] for item, label in zip(gold.item.tolist(), gold.label.tolist(), strict=True)
    }
    answers = Answer.objects.filter(
        question_id=question.id,
        annotation__in=_at_midnight(membership, now),
        annotation__repeat=1,
        annotation__suggested=False,
        annotation__pass_kind__in=[Pass.NORMAL, Pass.GOLD],
        annotation__item_version=F("annotation__item__version"),
        annotation__item__gold__question_id=question.id,
    ).exclude(annotation__item__state=ItemState.WITHDRAWN)
    said = with_labels(answers, question, "annotation__item_id")
    known = [(truth[item], label_name(question, label)) for item, label in said if item in truth]
    return sum(right == name for right, name in known), len(known)


def repeat_hits(membership: Membership, question: QuestionSpec, now: datetime) -> tuple[int, int]:
    """On how many items this person gave the same answer the second time, and how many came twice."""
    stood = _at_midnight(membership, now)
    answers = Answer.objects.filter(
        question_id=question.id,
        annotation__in=stood,
        annotation__repeat__in=[1, 2],
        annotation__suggested=False,
        annotation__pass_kind__in=[Pass.NORMAL, Pass.RETEST],
        annotation__item_version=F("annotation__item__version"),
        annotation__item__in=stood.filter(repeat=2).values("item_id"),
    ).exclude(annotation__item__state=ItemState.WITHDRAWN)
    said: dict[int, dict[int, Any]] = {}
    rows = with_labels(answers, question, "annotation__item_id", "annotation__repeat")
    for item, repeat, label in rows:
        said.setdefault(item, {})[repeat] = label
    twice = [one for one in said.values() if len(one) == 2]  # noqa: PLR2004 -- both times
    return sum(one[1] == one[2] for one in twice), len(twice)


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
