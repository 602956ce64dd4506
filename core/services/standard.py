"""What texts are read as: kept beside every answer, by the rules in force. Raw texts are never touched."""

from django.db import connection
from django.db.models import QuerySet

from core.models import Answer, Import, Project, Question
from core.selectors.question import QuestionSpec, Schema, read_schema, schema_of

AT_ONCE = 500


def held_schema(project: Project) -> Schema:
    """The questions with the rules in force now, which nobody changes until this transaction ends."""
    with connection.cursor() as cursor:
        lock = " FOR SHARE" if connection.vendor == "postgresql" else ""
        cursor.execute(f"SELECT schema_version FROM core_project WHERE id = %s{lock}", [project.pk])  # noqa: S608
        (version,) = cursor.fetchone()
    return schema_of(project) if version == project.schema_version else read_schema(project.pk)


def refresh(question: Question) -> int:
    """Set ``standard`` of all answers to a question by the rules in force; returns how many changed.

    Call it within the transaction that changes the rules. Each different text is read once.
    """
    spec = read_schema(question.project_id).question(question.key)
    return 0 if spec is None else _refresh(spec, Answer.objects.filter(question=question))


def refresh_imported(source: Import, schema: Schema) -> int:
    """The same for the answers that a file has brought in, within the transaction that publishes them."""
    ruled = [question for question in schema.questions if question.rules]
    return sum(
        _refresh(question, Answer.objects.filter(question_id=question.id, annotation__source=source))
        for question in ruled
    )


def _refresh(question: QuestionSpec, answers: QuerySet[Answer]) -> int:
    """Each different text is read once; rows are written by key, some hundreds at a time."""
    forms: dict[str, str | None] = {}
    changed: list[Answer] = []
    n = 0
    rows = answers.filter(text__isnull=False).order_by("pk").values_list("pk", "text", "standard")
    for pk, kept, standard in list(rows):
        text = kept or ""
        if text not in forms:
            forms[text] = question.standard_form(text)
        if forms[text] != standard:
            changed.append(Answer(pk=pk, standard=forms[text]))
        if len(changed) == AT_ONCE:
            n += Answer.objects.bulk_update(changed, ["standard"])
            changed = []
    return n + (Answer.objects.bulk_update(changed, ["standard"]) if changed else 0)
