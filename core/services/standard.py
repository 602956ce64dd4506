"""What texts are read as: kept beside every answer, by the rules in force. Raw texts are never touched."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from django.db import connection
from django.db.models import Case, Count, QuerySet, TextField, Value, When

from core.exceptions import Invalid
from core.models import Answer, Import, Project, Question
from core.selectors.question import QuestionSpec, Schema, TextRule, read_schema, schema_of

AT_ONCE = 300  # different texts in a statement, each named up to three times: SQLite may take 999 values only
MOST_RULES = 1000
LONGEST_TEXT = 20_000
# RE2 at its slowest takes some 4 ns for every instruction of a pattern and character; so do these for asking at all.
MOST_STEPS = 500_000_000
PER_PATTERN, PER_TEXT = 500, 50


def held_schema(project: Project) -> Schema:
    """The questions with the rules in force now, which nobody changes until this transaction ends."""
    with connection.cursor() as cursor:
        lock = " FOR SHARE" if connection.vendor == "postgresql" else ""
        cursor.execute(f"SELECT schema_version FROM core_project WHERE id = %s{lock}", [project.pk])  # noqa: S608
        (version,) = cursor.fetchone()
    return schema_of(project) if version == project.schema_version else read_schema(project.pk)


def check_rules(question: Question, more: Sequence[TextRule]) -> None:
    """Refuse what check_work refuses, of the rules in force and ``more`` on all answers to a question."""
    spec = read_schema(question.project_id).question(question.key)
    texts = Answer.objects.filter(question=question, text__isnull=False).order_by()
    rules = (*(() if spec is None else spec.rules), *more)
    check_work(rules, [text or "" for text in texts.values_list("text", flat=True).distinct()])


def check_work(rules: Sequence[TextRule], texts: Collection[str]) -> None:
    """Refuse more rules, or more rules on more text, than a request has time for (two seconds at worst).

    A text is as long as the longest that a rule makes of it, and one of 20,000 characters may come at any time.
    Raises Invalid ``too-many-rules``, ``too-much-text``.
    """
    if len(rules) > MOST_RULES:
        raise Invalid(
            "too-many-rules",
            f"{len(rules):,} rules would be in force for this question; it has at most {MOST_RULES:,}.",
        )
    patterns = [rule.pattern for rule in rules if rule.pattern is not None]
    longest = max((len(rule.to) for rule in rules), default=0)
    n = sum(max(len(text), longest) for text in texts)
    size = sum(pattern.programsize for pattern in patterns)
    tries = PER_PATTERN * len(patterns) + PER_TEXT * (len(rules) - len(patterns))
    steps = size * (n + LONGEST_TEXT) + tries * len(texts)
    if steps > MOST_STEPS:
        raise Invalid(
            "too-much-text",
            f"{len(rules):,} rules, {len(patterns):,} of them patterns, on {len(texts):,} different texts of {n:,} "
            f"characters take up to {steps:,} steps; at most {MOST_STEPS:,} are done at once. Take fewer or "
            "shorter patterns, or texts in their place.",
        )


def refresh(question: Question) -> int:
    """Set ``standard`` of all answers to a question by the rules in force; returns how many changed.

    Call it within the transaction that changes the rules.
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
    """Each different text is read once, and all answers with it are written at once, some hundreds of texts together.

    Texts of the same form stand side by side, so that a statement names few forms.
    """
    forms: dict[str, str | None] = {}
    changed: set[str] = set()
    n = 0
    rows = answers.filter(text__isnull=False).order_by().values_list("text", "standard")
    for kept, standard, count in rows.annotate(n=Count("pk")):
        text = kept or ""
        if text not in forms:
            forms[text] = question.standard_form(text)
        if forms[text] != standard:
            changed.add(text)
            n += count
    texts = sorted(changed, key=lambda text: (forms[text] or "", text))
    for start in range(0, len(texts), AT_ONCE):
        part = texts[start : start + AT_ONCE]
        answers.filter(text__in=part).update(standard=_form_of({text: forms[text] for text in part}))
    return n


def _form_of(forms: Mapping[str, str | None]) -> Case:
    """The form of whichever of these texts an answer has; null where that is read as it is."""
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for text, form in forms.items():
        if form is not None:
            texts[form].append(text)
    whens = [When(text__in=same, then=Value(form)) for form, same in texts.items()]
    return Case(*whens, output_field=TextField())
