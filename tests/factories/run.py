"""Runs with their predictions, and whole columns of answers beside them, put straight into the tables."""

from collections.abc import Sequence
from typing import Any

from core.choices import QuestionKind
from core.models import Annotation, Answer, Item, Membership, Prediction, Project, Question, Run


def make_run(project: Project, said: dict[str, Any], name: str = "tiny", key: str = "answer") -> Run:
    """A run that says something of these items: item id to class name, list of names, number or text."""
    run = Run.objects.create(project=project, name=name)
    question = Question.objects.get(project=project, key=key)
    class_ids = dict(question.classes.values_list("name", "pk"))
    items = {item.external_id: item for item in Item.objects.filter(project=project, external_id__in=said)}
    Prediction.objects.bulk_create(
        Prediction(
            run=run,
            item=items[item],
            item_version=items[item].version,
            question=question,
            **_columns(question.kind, value, class_ids),
        )
        for item, value in said.items()
    )
    return run


def _columns(kind: str, value: Any, class_ids: dict[str, int]) -> dict[str, Any]:
    if kind == QuestionKind.MULTIPLE:
        return {"classes": [class_ids[name] for name in value]}
    if kind == QuestionKind.NUMBER:
        return {"number": value}
    return {"text": value} if kind == QuestionKind.TEXT else {"label_class_id": class_ids[value]}


def label_all(people: Sequence[Membership], items: list[Item], said: Sequence[Sequence[str]]) -> None:
    """What people said about all of these items, one list of classes of the question "answer" per person."""
    project = people[0].project
    question = Question.objects.get(project=project, key="answer")
    class_ids = dict(question.classes.values_list("name", "pk"))
    for member, answers in zip(people, said, strict=True):
        made = Annotation.objects.bulk_create(
            Annotation(item=item, annotator=member, guideline=project.guidelines.get(), item_version=1)
            for item in items
        )
        Answer.objects.bulk_create(
            Answer(annotation=annotation, question=question, label_class_id=class_ids[answer])
            for annotation, answer in zip(made, answers, strict=True)
        )
