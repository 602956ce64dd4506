"""What the resolved label of an item is made of: the answers that vote, and the gold."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from core.choices import Pass, QuestionKind
from core.models import Gold, Project
from core.selectors.export import AnswerFilter, AnswerRow, ItemRow, answer_rows
from core.selectors.question import QuestionSpec


def voting_rows(chunk: Sequence[ItemRow], wanted: AnswerFilter) -> list[AnswerRow]:
    """The answers that count for a label: first answers, in normal passes, to the item as it is now."""
    version = {item.pk: item.version for item in chunk}
    return [
        row
        for row in answer_rows(chunk, wanted)
        if row.pass_kind == Pass.NORMAL and row.repeat == 1 and row.item_version == version[row.item_id]
    ]


def questions_with_gold(project: Project, questions: Sequence[QuestionSpec]) -> list[QuestionSpec]:
    """Those of the questions for which any item has gold."""
    known = set(Gold.objects.filter(item__project=project).values_list("question_id", flat=True).distinct())
    return [question for question in questions if question.id in known]


def gold_values(chunk: Sequence[ItemRow], questions: Sequence[QuestionSpec]) -> dict[tuple[int, int], Any]:
    """The gold of these items as the API says it, by item and question."""
    if not questions:
        return {}
    names = {spec.id: spec.name for question in questions for spec in question.classes}
    order = {spec.id: spec.order for question in questions for spec in question.classes}
    gold = Gold.objects.filter(item_id__in=[item.pk for item in chunk]).order_by()
    values: dict[tuple[int, int], Any] = {}
    for question in questions:
        of_question = gold.filter(question_id=question.id)
        if question.kind == QuestionKind.MULTIPLE:
            ticked: defaultdict[int, list[int]] = defaultdict(list)
            for item, class_id in of_question.values_list("item_id", "label_classes"):
                ticked[item].extend([] if class_id is None else [class_id])
            for item, chosen in ticked.items():
                values[item, question.id] = [names[pk] for pk in sorted(chosen, key=order.__getitem__)]
        elif question.is_choice:
            for item, class_id in of_question.values_list("item_id", "label_class_id"):
                values[item, question.id] = names[class_id] if class_id is not None else None
        else:
            column = "number" if question.kind == QuestionKind.NUMBER else "text"
            for item, value in of_question.values_list("item_id", column):
                values[item, question.id] = value
    return values
