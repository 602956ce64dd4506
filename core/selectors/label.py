"""What the resolved label of an item is made of: the answers that vote, and the gold."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import F

from core.choices import ItemState, Pass, QuestionKind
from core.models import Answer, Gold, Item, Project, Resolution
from core.selectors.adjudication import IN_FORCE, value_said
from core.selectors.agreement import READ_TEXT, read_text
from core.selectors.export import AnswerFilter, ItemRow, within
from core.selectors.question import QuestionSpec


class VoteRow(NamedTuple):
    """One answer that counts for a label; the fields are columns of the query below."""

    item_id: int
    question_id: int
    pk: int
    label_class_id: int | None
    number: float | None
    text: str | None


def voting_rows(chunk: Sequence[ItemRow], wanted: AnswerFilter) -> list[VoteRow]:
    """The answers that count for a label: first answers, in normal passes, to the item as it is now."""
    rows = (
        Answer.objects.filter(
            within(chunk, wanted, "annotation__item__"),
            question_id__in=[question.id for question in wanted.questions],
            annotation__voided=False,
            annotation__current=True,
            annotation__pass_kind=Pass.NORMAL,
            annotation__repeat=1,
            annotation__item_version=F("annotation__item__version"),
        )
        .annotate(read_text=READ_TEXT)
        .order_by()
    )
    columns = ("annotation__item_id", "question_id", "pk", "label_class_id", "number", "read_text")
    return [VoteRow._make(row) for row in rows.values_list(*columns)]


def item_names(items: Sequence[int]) -> dict[int, str]:
    """What these items are called, by key."""
    return dict(Item.objects.filter(pk__in=items).values_list("pk", "external_id"))


def questions_with_gold(project: Project, questions: Sequence[QuestionSpec]) -> list[QuestionSpec]:
    """Those of the questions for which any item has gold."""
    known = set(Gold.objects.filter(item__project=project).values_list("question_id", flat=True).distinct())
    return [question for question in questions if question.id in known]


def gold_values(
    chunk: Sequence[ItemRow], wanted: AnswerFilter, questions: Sequence[QuestionSpec]
) -> dict[tuple[int, int], Any]:
    """The gold of these items as the API says it, by item and question."""
    if not questions:
        return {}
    reads = {pk: spec for question in questions for pk, spec in question.reads.items()}
    gold = Gold.objects.filter(within(chunk, wanted, "item__")).order_by()
    values: dict[tuple[int, int], Any] = {}
    for question in questions:
        of_question = gold.filter(question_id=question.id)
        if question.kind == QuestionKind.MULTIPLE:
            ticked: defaultdict[int, list[int]] = defaultdict(list)
            for item, class_id in of_question.values_list("item_id", "label_classes"):
                ticked[item].extend([] if class_id is None else [class_id])
            for item, chosen in ticked.items():
                read = sorted({reads[pk] for pk in chosen}, key=lambda spec: spec.order)
                values[item, question.id] = [spec.name for spec in read]
        elif question.is_choice:
            for item, class_id in of_question.values_list("item_id", "label_class_id"):
                values[item, question.id] = reads[class_id].name if class_id is not None else None
        else:
            column = "number" if question.kind == QuestionKind.NUMBER else "text"
            for item, value in of_question.values_list("item_id", column):
                values[item, question.id] = read_text(question, value) if column == "text" else value
    return values


class Settled(NamedTuple):
    """What a person settled: the value as the API says it, why people differed, and when."""

    value: Any
    cause: str
    at: datetime


def settled_questions(project: Project, questions: Sequence[QuestionSpec]) -> list[QuestionSpec]:
    """Those of the questions to which some item has a resolution."""
    rows = Resolution.objects.filter(item__project=project, current=True)
    known = set(rows.values_list("question_id", flat=True).distinct())
    return [question for question in questions if question.id in known]


def settled_values(
    chunk: Sequence[ItemRow], wanted: AnswerFilter, questions: Sequence[QuestionSpec]
) -> dict[tuple[int, int], Settled]:
    """The resolutions of these items as they are now, by item and question."""
    if not questions:
        return {}
    specs = {question.id: question for question in questions}
    rows = Resolution.objects.filter(within(chunk, wanted, "item__"), IN_FORCE, question_id__in=list(specs))
    return {
        (row.item_id, row.question_id): Settled(
            value_said(specs[row.question_id], row), row.cause, row.created_at
        )
        for row in rows.order_by()
    }


def settled_classes(project: Project, question: QuestionSpec) -> dict[int, int]:
    """The class id that every settled item is read as, of a question with one class as the answer."""
    rows = Resolution.objects.filter(
        IN_FORCE, item__project=project, question=question.id, label_class__isnull=False
    ).exclude(item__state=ItemState.WITHDRAWN)
    reads = question.reads
    return {item: reads[pk].id for item, pk in rows.order_by().values_list("item_id", "label_class_id") if pk}
