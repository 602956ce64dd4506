"""Items, answers and gold put straight into the tables, for tests of what is read from them."""

from typing import Any

from django.db.models import Max

from core.choices import AuditPart, QuestionKind
from core.models import Annotation, Answer, AnswerChoice, Batch, Gold, Item, Membership, Project, Question


def make_batch(project: Project, name: str = "first.csv") -> Batch:
    """A batch with the project's next number."""
    last = project.batches.aggregate(last=Max("number"))["last"] or 0
    return Batch.objects.create(project=project, number=last + 1, name=name, file_hash="0" * 64)


def make_items(project: Project, *names: str, batch: Batch | None = None, **fields: Any) -> list[Item]:
    """Items of these ids, wanting three answers each; ``fields`` as of the model."""
    batch = batch or project.batches.first() or make_batch(project)
    start = project.items.count()
    settings: dict[str, Any] = {"target": 3, "free": 3, "audit": AuditPart.NONE, **fields}
    return Item.objects.bulk_create(
        Item(
            project=project,
            batch=batch,
            row=start + place,
            external_id=name,
            data={"text": f"Text of {name}"},
            position=start + place,
            **settings,
        )
        for place, name in enumerate(names, start=1)
    )


def make_answer(member: Membership, item: Item, values: dict[str, Any], **fields: Any) -> Annotation:
    """What somebody answered on an item: question key to class name, list of names, number or text."""
    annotation = Annotation.objects.create(
        item=item,
        annotator=member,
        guideline=fields.pop("guideline", None) or member.project.guidelines.latest("number"),
        item_version=fields.pop("item_version", item.version),
        **fields,
    )
    for key, value in values.items():
        question = Question.objects.get(project=member.project, key=key)
        answer = Answer.objects.create(annotation=annotation, question=question, **_columns(question, value))
        if question.kind == QuestionKind.MULTIPLE:
            ticked = question.classes.filter(name__in=value)
            AnswerChoice.objects.bulk_create(AnswerChoice(answer=answer, label_class=spec) for spec in ticked)
    return annotation


def make_gold(item: Item, key: str, value: Any) -> Gold:
    """The truth about one question of an item."""
    question = Question.objects.get(project=item.project, key=key)
    gold = Gold.objects.create(item=item, question=question, **_columns(question, value))
    if question.kind == QuestionKind.MULTIPLE:
        gold.label_classes.set(question.classes.filter(name__in=value))
    return gold


def _columns(question: Question, value: Any) -> dict[str, Any]:
    if question.kind == QuestionKind.NUMBER:
        return {"number": value}
    if question.kind == QuestionKind.TEXT:
        return {"text": value}
    if question.kind == QuestionKind.MULTIPLE:
        return {}
    return {"label_class": question.classes.get(name=value)}
