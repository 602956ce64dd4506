"""A project's questions and classes, as plain values that a process may keep in memory."""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from core.choices import CHOICE_KINDS
from core.models import Project, Question


@dataclass(frozen=True, slots=True)
class ClassSpec:
    """One class of a choice question."""

    id: int
    name: str
    definition: str
    colour: int
    key: str
    order: int
    uncertain: bool


@dataclass(frozen=True, slots=True)
class QuestionSpec:
    """One question with its classes in order. ``when`` is (question key, class names) or None."""

    id: int
    key: str
    kind: str
    level: str
    title: str
    required: bool
    minimum: float | None
    maximum: float | None
    when: tuple[str, frozenset[str]] | None
    classes: tuple[ClassSpec, ...]

    @property
    def is_choice(self) -> bool:
        """Whether its answers are classes."""
        return self.kind in CHOICE_KINDS

    def class_named(self, name: str) -> ClassSpec | None:
        """The class of this name, whatever its case or Unicode form."""
        wanted = fold(name)
        return next((spec for spec in self.classes if fold(spec.name) == wanted), None)


@dataclass(frozen=True, slots=True)
class Schema:
    """All questions of a project, in order."""

    questions: tuple[QuestionSpec, ...]

    def question(self, key: str) -> QuestionSpec | None:
        """The question with this key."""
        return next((spec for spec in self.questions if spec.key == key), None)


def fold(name: str) -> str:
    """What makes two class names the same: NFC, blanks collapsed, case folded."""
    return unicodedata.normalize("NFC", " ".join(name.split())).casefold()


def schema_of(project: Project) -> Schema:
    """The questions in force. Kept in memory per process under the project's schema version."""
    return _schema(project.pk, project.schema_version)


@lru_cache(maxsize=256)
def _schema(project_id: int, schema_version: int) -> Schema:  # noqa: ARG001 -- the version is the cache's key
    return read_schema(project_id)


def read_schema(project_id: int) -> Schema:
    """The questions as the database has them; for transactions that change them, which may yet be undone."""
    questions = (
        Question.objects.filter(project_id=project_id)
        .select_related("when_question")
        .prefetch_related("classes", "when_classes")
    )
    return Schema(tuple(_question(question) for question in questions))


def _question(question: Question) -> QuestionSpec:
    when = None
    if question.when_question is not None:
        when = (question.when_question.key, frozenset(spec.name for spec in question.when_classes.all()))
    return QuestionSpec(
        id=question.pk,
        key=question.key,
        kind=question.kind,
        level=question.level,
        title=question.title,
        required=question.required,
        minimum=question.minimum,
        maximum=question.maximum,
        when=when,
        classes=tuple(
            ClassSpec(spec.pk, spec.name, spec.definition, spec.colour, spec.key, spec.order, spec.uncertain)
            for spec in question.classes.all()
        ),
    )
