"""What one person's own record is made from: nothing of items that are still open, and nothing from today.

An item's record moves only when it is finished, and the whole only from one day to the next, so that nobody can
read out of it what others said of an item before it is settled, or which of the items just answered has gold.
"""

from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet

from core.choices import ItemState, Pass
from core.models import Annotation, Answer, Item, Membership
from core.selectors.agreement import Scope, gold_columns
from core.selectors.disagreement import label_name, with_labels
from core.selectors.item import FINISHED
from core.selectors.question import QuestionSpec


def settled_items(membership: Membership, now: datetime) -> QuerySet[Item]:
    """The finished items that this person answered before today."""
    answered = Annotation.objects.filter(
        annotator=membership, current=True, voided=False, created_at__lt=_midnight(now)
    )
    return Item.objects.filter(FINISHED, pk__in=answered.values("item_id"))


def gold_hits(membership: Membership, question: QuestionSpec, now: datetime) -> tuple[int, int]:
    """On how many items with gold this person's first answer was the gold one, and how many there are."""
    gold = gold_columns(membership.project, question, Scope(), ())
    truth = {
        item: gold.names[label] for item, label in zip(gold.item.tolist(), gold.label.tolist(), strict=True)
    }
    answers = Answer.objects.filter(
        question_id=question.id,
        annotation__annotator=membership,
        annotation__current=True,
        annotation__voided=False,
        annotation__repeat=1,
        annotation__pass_kind__in=[Pass.NORMAL, Pass.GOLD],
        annotation__item_version=F("annotation__item__version"),
        annotation__item__gold__question_id=question.id,
        annotation__created_at__lt=_midnight(now),
    ).exclude(annotation__item__state=ItemState.WITHDRAWN)
    said = with_labels(answers, question, "annotation__item_id")
    known = [(truth[item], label_name(question, label)) for item, label in said if item in truth]
    return sum(right == name for right, name in known), len(known)


def repeat_hits(membership: Membership, question: QuestionSpec, now: datetime) -> tuple[int, int]:
    """On how many items this person gave the same answer the second time, and how many came twice."""
    again = Annotation.objects.filter(
        annotator=membership, current=True, voided=False, repeat=2, created_at__lt=_midnight(now)
    )
    answers = Answer.objects.filter(
        question_id=question.id,
        annotation__annotator=membership,
        annotation__current=True,
        annotation__voided=False,
        annotation__repeat__in=[1, 2],
        annotation__pass_kind__in=[Pass.NORMAL, Pass.RETEST],
        annotation__item_version=F("annotation__item__version"),
        annotation__item__in=again.values("item_id"),
    ).exclude(annotation__item__state=ItemState.WITHDRAWN)
    said: dict[int, dict[int, Any]] = {}
    rows = with_labels(answers, question, "annotation__item_id", "annotation__repeat")
    for item, repeat, label in rows:
        said.setdefault(item, {})[repeat] = label
    twice = [one for one in said.values() if len(one) == 2]  # noqa: PLR2004 -- both times
    return sum(one[1] == one[2] for one in twice), len(twice)


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
