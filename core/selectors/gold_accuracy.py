"""What people answered where the truth is known, both as they are read: by the mappings in force."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet

from core.choices import ItemState, Pass, QuestionKind
from core.models import Annotation, Answer, AnswerChoice, Event, Gold, Membership, Project
from core.selectors.agreement import READ_TEXT, read_text
from core.selectors.question import QuestionSpec, Schema, schema_of

RESUMED = "member.resumed"  # the line of the audit log from which a person's gold answers count anew

# What an answer or gold says: the classes as they are read, a number, or a text.
Value = frozenset[int] | float | str
Values = dict[int, Value]


def gold_values(schema: Schema, items: Collection[int]) -> dict[int, Values]:
    """The truth about these items: item to question id to value. Items without gold are left out."""
    rows = Gold.objects.filter(item__in=items)
    through = Gold.label_classes.through.objects.filter(gold__item__in=items)
    ticked: defaultdict[int, set[int]] = defaultdict(set)
    for gold, class_id in through.values_list("gold_id", "labelclass_id"):
        ticked[gold].add(class_id)
    return _read(
        schema,
        (
            (item, question, [class_id] if class_id else ticked[gold], number, text)
            for gold, item, question, class_id, number, text in rows.values_list(
                "pk", "item_id", "question_id", "label_class_id", "number", "text"
            )
        ),
    )


def said_values(schema: Schema, annotations: QuerySet[Annotation]) -> dict[int, Values]:
    """What these annotations say: annotation to question id to value."""
    rows = Answer.objects.filter(annotation__in=annotations).annotate(read=READ_TEXT)
    ticked: defaultdict[int, set[int]] = defaultdict(set)
    choices = AnswerChoice.objects.filter(answer__annotation__in=annotations)
    if any(question.kind == QuestionKind.MULTIPLE for question in schema.questions):
        for answer, class_id in choices.values_list("answer_id", "label_class_id"):
            ticked[answer].add(class_id)
    return _read(
        schema,
        (
            (annotation, question, [class_id] if class_id else ticked[answer], number, text)
            for answer, annotation, question, class_id, number, text in rows.values_list(
                "pk", "annotation_id", "question_id", "label_class_id", "number", "read"
            )
        ),
    )


def _read(schema: Schema, rows: Iterable[tuple[int, int, Collection[int], Any, Any]]) -> dict[int, Values]:
    questions = {question.id: question for question in schema.questions}
    reads = {question.id: question.reads for question in schema.questions if question.is_choice}
    values: defaultdict[int, Values] = defaultdict(dict)
    for of, question_id, classes, number, text in rows:
        question = questions.get(question_id)
        if question is None:
            continue
        if question.is_choice:
            read = reads[question_id]
            values[of][question_id] = frozenset(read[pk].id for pk in classes if pk in read)
        elif question.kind == QuestionKind.NUMBER:
            values[of][question_id] = float(number)
        else:
            values[of][question_id] = read_text(question, text)
    return dict(values)


def shown_value(question: QuestionSpec, value: Value) -> Any:
    """A value as the API says it: a name, a list of names, a number or a text."""
    if not isinstance(value, frozenset):
        return value
    names = [spec.name for spec in question.classes if spec.id in value]
    return names if question.kind == QuestionKind.MULTIPLE else next(iter(names), None)


@dataclass(slots=True)
class GoldAnswers:
    """Whether somebody was right on gold, in the order of their answers; from ``since`` on, if it is set."""

    member: Membership
    right: list[bool] = field(default_factory=list)
    since: datetime | None = None


def gold_answers(project: Project, members: Iterable[Membership]) -> list[GoldAnswers]:
    """How these people answered their gold passes, in the order of ``members``.

    A person's first answer counts, whatever they corrected later. An answer is right when all of the item's
    gold of choice questions is met; items without such gold do not count, nor answers with a suggestion in sight. Since a lead let somebody go on,
    answers count anew. Six statements, however many people.
    """
    people = {member.pk: GoldAnswers(member) for member in members}
    for pk, since in _resumed(project).items():
        if pk in people:
            people[pk].since = since
    firsts = Annotation.objects.filter(
        annotator__in=people,
        pass_kind=Pass.GOLD,
        revision=1,
        voided=False,
        suggested=False,
        item_version=F("item__version"),
    ).exclude(item__state=ItemState.WITHDRAWN)
    rows = list(firsts.order_by("pk").values_list("pk", "annotator_id", "item_id", "created_at"))
    schema = _choices_only(schema_of(project))
    truth = gold_values(schema, {item for _pk, _member, item, _at in rows})
    said = said_values(schema, firsts)
    for pk, member, item, at in rows:
        one = people[member]
        if item in truth and (one.since is None or at >= one.since):
            one.right.append(all(is_right(truth[item], said.get(pk, {})).values()))
    return list(people.values())


def is_right(truth: Mapping[int, Value], said: Mapping[int, Value]) -> dict[int, bool]:
    """Per question with gold, by its id, whether the answer is the gold one; one that was left open is not."""
    return {question: said.get(question) == value for question, value in truth.items()}


def _choices_only(schema: Schema) -> Schema:
    return Schema(tuple(question for question in schema.questions if question.is_choice))


def _resumed(project: Project) -> dict[int, datetime]:
    """When a lead last let people go on, by the membership's id."""
    lines = Event.objects.filter(project=project, verb=RESUMED).order_by("pk")
    return {data["id"]: at for data, at in lines.values_list("data", "created_at") if "id" in data}
