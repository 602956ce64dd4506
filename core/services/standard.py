"""What texts are read as: kept beside every answer, by the rules in force. Raw texts are never touched."""

from collections import defaultdict

from django.db.models import QuerySet

from core.models import Answer, Import, Question
from core.selectors.question import QuestionSpec, Schema, read_schema

AT_ONCE = 500


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
    texts = answers.filter(text__isnull=False).order_by()
    wanted: defaultdict[str | None, list[str]] = defaultdict(list)
    for text, standard in texts.values_list("text", "standard").distinct():
        read = question.standard_form(text or "")
        if read != standard:
            wanted[read].append(text or "")
    n = 0
    for read, raw in wanted.items():
        for begin in range(0, len(raw), AT_ONCE):
            n += texts.filter(text__in=raw[begin : begin + AT_ONCE]).update(standard=read)
    return n
