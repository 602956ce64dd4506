"""A project's questions and classes, as plain values that a process may keep in memory."""

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Mapping as Map
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

from core.choices import CHOICE_KINDS, MappingKind
from core.models import Mapping, Project, Question

LONGEST_NAME = 200
# Joiners that emoji, Indic and Persian spelling need; every other invisible character is refused.
JOINERS = frozenset("\u200c\u200d")
_READ_BY = "_read_by"


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
class MergedClass:
    """A class whose answers are read as another's, by the mappings in force."""

    id: int
    name: str
    into: int


@dataclass(frozen=True, slots=True)
class TextRule:
    """A standardisation rule in force: a text, or the whole of what an RE2 pattern matches, is read as another."""

    to: str
    text: str | None = None
    pattern: Any = None

    def applies(self, text: str) -> bool:
        """Whether a text (blanks collapsed) is read by this rule."""
        return text == self.text if self.pattern is None else self.pattern.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class QuestionSpec:
    """One question with its classes in order. ``when`` is (question key, class names) or None.

    ``classes`` are those that people can choose; ``merged`` those that are read as one of them, ``rules`` how texts
    are read. ``former`` are names that classes had, folded, with the class's id, where only one class had them.
    """

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
    merged: tuple[MergedClass, ...] = ()
    rules: tuple[TextRule, ...] = ()
    former: tuple[tuple[str, int], ...] = ()

    @property
    def reads(self) -> dict[int, ClassSpec]:
        """What every class id that an answer may hold is read as."""
        current = {spec.id: spec for spec in self.classes}
        return current | {one.id: current[one.into] for one in self.merged}

    @property
    def places(self) -> dict[int, int]:
        """The place in ``classes`` of what every class id that an answer may hold is read as."""
        current = {spec.id: place for place, spec in enumerate(self.classes)}
        return current | {one.id: current[one.into] for one in self.merged}

    def read_shares(self, shares: Map[str, float]) -> dict[int, float]:
        """Probabilities by class id (as text) as they are read: those of merged classes are added up."""
        if not self.merged:
            return {int(pk): share for pk, share in shares.items()}
        reads = self.reads
        read: dict[int, float] = {}
        for pk, share in shares.items():
            to = reads[int(pk)].id if int(pk) in reads else int(pk)
            read[to] = read.get(to, 0.0) + share
        return read

    def standard_form(self, text: str) -> str | None:
        """What a text is read as by the rules in force, each on what the ones before it made; None: as it is."""
        read = " ".join(text.split())
        for rule in self.rules:
            if rule.applies(read):
                read = rule.to
        return read if self.rules and read != " ".join(text.split()) else None

    @property
    def is_choice(self) -> bool:
        """Whether its answers are classes."""
        return self.kind in CHOICE_KINDS

    def class_named(self, name: str) -> ClassSpec | None:
        """The class of this name, whatever its case or Unicode form.

        A merged class may still be named, by a page or a file from before: it keeps its own id and is called as it
        is read. So may a class by a name that it had, unless another has it now.
        """
        wanted = fold(name)
        found = next((spec for spec in self.classes if fold(spec.name) == wanted), None)
        if found is not None:
            return found
        earlier = (*((fold(one.name), one.id) for one in self.merged), *self.former)
        return next((self.class_numbered(pk) for known, pk in earlier if known == wanted), None)

    def class_numbered(self, class_id: int) -> ClassSpec | None:
        """The class with this id; a merged one keeps its own and is called as it is read."""
        read = self.reads.get(class_id)
        return None if read is None else replace(read, id=class_id)


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


def clean_name(name: str) -> str:
    """A class name as it is stored: NFC, without surrounding or doubled blanks. Raises ValueError.

    The empty name is one; a name of nothing but blanks is none.
    """
    if any(
        unicodedata.category(character) in {"Cc", "Cf", "Cs"} and character not in JOINERS
        for character in name
    ):
        raise ValueError("holds an invisible character")
    cleaned = unicodedata.normalize("NFC", " ".join(name.split()))
    if name and not cleaned:
        raise ValueError("consists of blanks")
    if len(cleaned) > LONGEST_NAME:
        raise ValueError(f"is longer than {LONGEST_NAME} characters")
    return cleaned


def schema_of(project: Project) -> Schema:
    """The questions in force, or those that the project is read by (see read_by).

    Kept in memory per process under the project's schema version.
    """
    supposed: Schema | None = project.__dict__.get(_READ_BY)
    return _schema(project.pk, project.schema_version) if supposed is None else supposed


def read_by(project: Project, schema: Schema) -> Project:
    """The project as somebody holds it in memory who reads its answers by other questions: for what-ifs.

    Whatever reads classes and names through schema_of sees it as if its mappings were other ones; nothing is written.
    """
    supposed = copy(project)
    supposed.__dict__[_READ_BY] = schema
    return supposed


def merged(
    question: QuestionSpec, classes: Collection[int], into: int, name: str | None = None
) -> QuestionSpec:
    """The question as it would be after a merger of current classes, which may give the result another name."""
    gone = set(classes) - {into}
    earlier = tuple(replace(one, into=into if one.into in gone else one.into) for one in question.merged)
    return replace(
        question,
        classes=tuple(
            replace(spec, name=name) if name is not None and spec.id == into else spec
            for spec in question.classes
            if spec.id not in gone
        ),
        merged=earlier
        + tuple(MergedClass(one.id, one.name, into) for one in question.classes if one.id in gone),
    )


@lru_cache(maxsize=256)
def _schema(project_id: int, schema_version: int) -> Schema:  # noqa: ARG001 -- the version is the cache's key
    return read_schema(project_id)


def read_schema(project_id: int) -> Schema:
    """The questions as the database has them; for transactions that change them, which may yet be undone."""
    questions = (
        Question.objects.filter(project_id=project_id)
        .select_related("when_question")
        .prefetch_related("classes", "when_classes__merged_into")
    )
    steps: dict[int, list[Mapping]] = {}
    for step in Mapping.objects.filter(project_id=project_id).order_by("number"):
        steps.setdefault(step.question_id, []).append(step)
    return Schema(tuple(_question(question, steps.get(question.pk, ())) for question in questions))


def _text_rules(steps: Iterable[Mapping]) -> tuple[TextRule, ...]:
    standard = (one for one in steps if one.kind == MappingKind.STANDARDISE and one.reverted_at is None)
    return tuple(text_rule(rule) for one in standard for rule in one.document["rules"])


def _former_names(steps: Iterable[Mapping]) -> tuple[tuple[str, int], ...]:
    """Names that steps gave or took, in force or reverted: pages and files from then still say them."""
    had: dict[str, set[int]] = {}
    for step in steps:
        class_id = step.document.get("class", step.document.get("into"))
        for name in step.document.get("name", ()):
            had.setdefault(fold(name), set()).add(class_id)
    return tuple((name, ids.pop()) for name, ids in had.items() if len(ids) == 1)


def _options() -> Any:
    """A pattern that is wrong is told by an exception, not on standard error; memory is bounded."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    return options


def text_rule(document: Map[str, str]) -> TextRule:
    """A rule of a mapping's document. Raises ValueError for a pattern that RE2 does not take."""
    if "pattern" not in document:
        return TextRule(document["to"], text=" ".join(document["from"].split()))
    try:
        return TextRule(document["to"], pattern=re2.compile(document["pattern"], _options()))
    except re2.error as error:
        raise ValueError(str(error)) from None


def _question(question: Question, steps: Sequence[Mapping]) -> QuestionSpec:
    when = None
    if question.when_question is not None:
        names = (spec.merged_into or spec for spec in question.when_classes.all())
        when = (question.when_question.key, frozenset(spec.name for spec in names))
    classes = list(question.classes.all())
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
            for spec in classes
            if spec.merged_into_id is None
        ),
        merged=tuple(
            MergedClass(spec.pk, spec.name, spec.merged_into_id) for spec in classes if spec.merged_into_id
        ),
        rules=_text_rules(steps),
        former=_former_names(steps),
    )
