"""Questions and classes: made with the project, and changed later without losing an answer."""

import re
from typing import Any

from django.db import transaction
from django.db.models import F

from core.choices import (
    CHOICE_KINDS,
    FREE_KEYS,
    N_COLOURS,
    RESERVED_KEYS,
    UNCERTAIN_KEYS,
    Level,
    QuestionKind,
)
from core.exceptions import Conflict, Invalid, Missing, Stale
from core.models import LabelClass, Membership, Project, Question
from core.selectors.question import clean_name, fold
from core.services.archive import check_open
from core.services.audit import record
from core.services.completeness import apply_questions, lock_items
from core.services.mapping import rename_locked

KEY_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,59}")
MOST_CLASSES = 1000
MOST_QUESTIONS = 50
QUESTION_FIELDS = frozenset(
    {"key", "kind", "title", "classes", "required", "when", "level", "minimum", "maximum"}
)
CLASS_FIELDS = frozenset({"name", "definition", "colour", "key", "uncertain"})
TOLD = ("name", "definition", "key")  # of a class, before and after a change, in the audit log
LONGEST_TOLD = 500
DEFAULT_LEVELS: dict[str, Level] = {
    QuestionKind.SINGLE: Level.NOMINAL,
    QuestionKind.MULTIPLE: Level.NOMINAL,
    QuestionKind.SCALE: Level.ORDINAL,
    QuestionKind.NUMBER: Level.INTERVAL,
    QuestionKind.TEXT: Level.NOMINAL,
}


class Problems:
    """Collects what is wrong with a document, field by field, so that people mend it in one go."""

    def __init__(self) -> None:
        self.errors: list[dict[str, Any]] = []

    def add(self, pointer: str, code: str, detail: str) -> None:
        """One thing that is wrong, at a JSON pointer."""
        field = pointer.rsplit("/", 1)[-1]
        self.errors.append({"field": field, "pointer": pointer, "code": code, "detail": detail})

    def raise_any(self) -> None:
        """Raise Invalid when anything was added."""
        if self.errors:
            first = self.errors[0]
            raise Invalid("invalid-document", f"{first['pointer']}: {first['detail']}", errors=self.errors)

    def unknown(self, pointer: str, document: dict[str, Any], known: frozenset[str]) -> None:
        """Fields that nobody reads are refused, so that a misspelt one is noticed."""
        for name in sorted(set(document) - known):
            self.add(f"{pointer}/{name}"[:200], "unknown-field", "There is no such field")


def create_questions(project: Project, documents: Any, problems: Problems) -> None:
    """All questions of a new project, from its document. Adds to ``problems`` instead of raising."""
    if not isinstance(documents, list) or not documents:
        problems.add("/questions", "required", "A project needs at least one question")
        return
    if len(documents) > MOST_QUESTIONS:
        problems.add("/questions", "too-many", f"A project has at most {MOST_QUESTIONS} questions")
        return
    made: dict[str, Question] = {}
    for index, document in enumerate(documents):
        question = _create_question(project, document, index, f"/questions/{index}", made, problems)
        if question is not None:
            made[question.key] = question


def _create_question(  # noqa: PLR0917 -- one document, where it stands, and where to tell
    project: Project,
    document: Any,
    order: int,
    pointer: str,
    earlier: dict[str, Question],
    problems: Problems,
) -> Question | None:
    before = len(problems.errors)
    if not isinstance(document, dict):
        problems.add(pointer, "not-an-object", "A question is an object")
        return None
    problems.unknown(pointer, document, QUESTION_FIELDS)
    key = document.get("key")
    if not isinstance(key, str) or not KEY_PATTERN.fullmatch(key):
        problems.add(
            f"{pointer}/key", "bad-key", "A key is lower-case letters, digits and _, and starts with a letter"
        )
    elif key in earlier:
        problems.add(f"{pointer}/key", "duplicate", f"Another question has the key {key!r}")
    kind = document.get("kind")
    if kind not in QuestionKind.values:
        problems.add(f"{pointer}/kind", "unknown-kind", f"A kind is one of {', '.join(QuestionKind.values)}")
    title = document.get("title", key)
    if not isinstance(title, str) or not title.strip() or len(title) > 500 or "\0" in title:  # noqa: PLR2004 -- the column
        problems.add(f"{pointer}/title", "bad-title", "A title is a text of 1 to 500 characters")
    required = document.get("required", True)
    if not isinstance(required, bool):
        problems.add(f"{pointer}/required", "not-a-flag", "required is true or false")
    limits = [_limit(document, name, pointer, problems) for name in ("minimum", "maximum")]
    level = _level(document, kind, pointer, problems)
    classes = _checked_classes(document, kind, pointer, problems)
    condition = _condition(document.get("when"), earlier, pointer, problems)
    if len(problems.errors) > before:
        return None
    question = Question.objects.create(
        project=project,
        key=str(key),
        kind=str(kind),
        level=level,
        title=" ".join(str(title).split()),
        required=required,
        order=order,
        minimum=limits[0],
        maximum=limits[1],
        when_question=condition[0] if condition else None,
    )
    LabelClass.objects.bulk_create(LabelClass(question=question, **fields) for fields in classes)
    if condition:
        question.when_classes.set(condition[1])
    return question


def _limit(document: dict[str, Any], name: str, pointer: str, problems: Problems) -> float | None:
    value = document.get(name)
    if value is None:
        return None
    if (
        document.get("kind") != QuestionKind.NUMBER
        or isinstance(value, bool)
        or not isinstance(value, int | float)
    ):
        problems.add(f"{pointer}/{name}", "not-a-number", f"{name} is a number, for questions of kind number")
        return None
    return float(value)


def _level(document: dict[str, Any], kind: Any, pointer: str, problems: Problems) -> str:
    level = document.get("level")
    if level is None:
        return DEFAULT_LEVELS.get(kind, Level.NOMINAL)
    if kind != QuestionKind.NUMBER or level not in {Level.INTERVAL, Level.RATIO}:
        problems.add(
            f"{pointer}/level", "bad-level", "level is interval or ratio, for questions of kind number"
        )
    return str(level)


def _checked_classes(
    document: dict[str, Any], kind: Any, pointer: str, problems: Problems
) -> list[dict[str, Any]]:
    given = document.get("classes")
    if kind not in CHOICE_KINDS:
        if given:
            problems.add(f"{pointer}/classes", "not-a-choice", "Only choice questions have classes")
        return []
    if not isinstance(given, list) or not given or len(given) > MOST_CLASSES:
        problems.add(f"{pointer}/classes", "required", f"A choice question has 1 to {MOST_CLASSES} classes")
        return []
    rows = [
        _checked_class(spec, index, f"{pointer}/classes/{index}", problems)
        for index, spec in enumerate(given)
    ]
    classes = [row for row in rows if row is not None]
    _refuse_twins(classes, pointer, problems)
    _give_keys(classes)
    return classes


def _checked_class(document: Any, order: int, pointer: str, problems: Problems) -> dict[str, Any] | None:
    if isinstance(document, str):
        document = {"name": document}
    if not isinstance(document, dict):
        problems.add(pointer, "not-an-object", "A class is an object or a name")
        return None
    problems.unknown(pointer, document, CLASS_FIELDS)
    name = document.get("name")
    if not isinstance(name, str):
        problems.add(f"{pointer}/name", "required", "A class has a name")
        return None
    try:
        name = clean_name(name)
    except ValueError as error:
        problems.add(f"{pointer}/name", "bad-name", f"The name {error}")
        return None
    definition, uncertain = document.get("definition", ""), document.get("uncertain", False)
    if not isinstance(definition, str) or len(definition) > 10_000 or "\0" in definition:  # noqa: PLR2004 -- plenty
        problems.add(
            f"{pointer}/definition", "bad-definition", "A definition is a text of at most 10,000 characters"
        )
    if not isinstance(uncertain, bool):
        problems.add(f"{pointer}/uncertain", "not-a-flag", "uncertain is true or false")
    colour = document.get("colour", order % N_COLOURS)
    if isinstance(colour, bool) or not isinstance(colour, int) or not 0 <= colour < N_COLOURS:
        problems.add(f"{pointer}/colour", "bad-colour", f"A colour is a number from 0 to {N_COLOURS - 1}")
        colour = 0
    return {
        "name": name,
        "name_key": fold(name),
        "definition": definition,
        "colour": colour,
        "key": _checked_key(document.get("key", ""), pointer, problems),
        "order": order,
        "uncertain": uncertain,
    }


def _checked_key(key: Any, pointer: str, problems: Problems) -> str:
    if key in {"", None}:
        return ""
    if not isinstance(key, str) or len(key) != 1 or not key.isprintable() or key.isspace():
        problems.add(f"{pointer}/key", "bad-key", "A key is one printable character")
        return ""
    if key.lower() in RESERVED_KEYS:
        problems.add(f"{pointer}/key", "reserved-key", f"The key {key!r} belongs to the label page itself")
        return ""
    return key.lower()


def _refuse_twins(classes: list[dict[str, Any]], pointer: str, problems: Problems) -> None:
    names: set[str] = set()
    keys: set[str] = set()
    for fields in classes:
        if fields["name_key"] in names:
            problems.add(
                f"{pointer}/classes/{fields['order']}/name",
                "duplicate",
                f"Another class is called {fields['name']!r} (case and Unicode form do not tell classes apart)",
            )
        if fields["key"] and fields["key"] in keys:
            problems.add(
                f"{pointer}/classes/{fields['order']}/key",
                "duplicate",
                f"Another class has the key {fields['key']!r}",
            )
        names.add(fields["name_key"])
        keys.add(fields["key"])


def _give_keys(classes: list[dict[str, Any]]) -> None:
    taken = {fields["key"] for fields in classes}
    for fields in classes:
        if not fields["key"]:
            choice = UNCERTAIN_KEYS if fields["uncertain"] else FREE_KEYS
            fields["key"] = next((key for key in choice if key not in taken), "")
            taken.add(fields["key"])


def _condition(
    when: Any, earlier: dict[str, Question], pointer: str, problems: Problems
) -> tuple[Question, list[LabelClass]] | None:
    if when is None:
        return None
    if (
        not isinstance(when, dict)
        or set(when) != {"question", "classes"}
        or not isinstance(when["classes"], list)
    ):
        problems.add(f"{pointer}/when", "bad-condition", 'when is {"question": key, "classes": [names]}')
        return None
    question = earlier.get(when["question"]) if isinstance(when["question"], str) else None
    if question is None or question.kind not in CHOICE_KINDS:
        problems.add(
            f"{pointer}/when/question", "unknown-question", "The condition names an earlier choice question"
        )
        return None
    wanted = {fold(name) for name in when["classes"] if isinstance(name, str)}
    every = list(question.classes.all())
    named = [spec for spec in every if spec.name_key in wanted]
    if not named or len(named) < len(when["classes"]):
        problems.add(
            f"{pointer}/when/classes", "unknown-class", f"Not all of these are classes of {question.key!r}"
        )
        return None
    # A class stands for all that are read as it, so that the condition stays what it is when they are taken apart.
    read_as = {spec.merged_into_id or spec.pk for spec in named}
    return question, [spec for spec in every if (spec.merged_into_id or spec.pk) in read_as]


@transaction.atomic
def add_question(membership: Membership, document: dict[str, Any]) -> Question:
    """A further question. When it is required, finished items are open again. Raises Invalid."""
    lock_items(membership.project_id)
    project = _lock_project(membership)
    problems = Problems()
    earlier = {question.key: question for question in project.questions.all()}
    if len(earlier) >= MOST_QUESTIONS:
        raise Invalid("too-many", f"A project has at most {MOST_QUESTIONS} questions")
    question = _create_question(project, document, len(earlier), "", earlier, problems)
    problems.raise_any()
    if question is None:
        raise Invalid("invalid-document", "The question could not be made")
    if question.required:
        apply_questions(project)
    _changed(membership, project, "question.added", question.key)
    return question


@transaction.atomic
def edit_question(membership: Membership, key: str, changes: dict[str, Any], version: int) -> Question:
    """Change a question's title, or stop requiring it. Its kind stays: answers depend on it.

    ``version`` is the project's version that the editor saw. Raises Stale when it is not the present one, Missing,
    Invalid.
    """
    if "required" in changes:
        lock_items(membership.project_id)
    project = _lock_project(membership, version)
    question = _question(project, key)
    problems = Problems()
    problems.unknown("", changes, frozenset({"title", "required"}))
    title, required = changes.get("title", question.title), changes.get("required", question.required)
    if not isinstance(title, str) or not title.strip() or len(title) > 500 or "\0" in title:  # noqa: PLR2004 -- the column
        problems.add("/title", "bad-title", "A title is a text of 1 to 500 characters")
    if not isinstance(required, bool):
        problems.add("/required", "not-a-flag", "required is true or false")
    problems.raise_any()
    before = {"title": question.title, "required": question.required}
    question.title, question.required = " ".join(title.split()), required
    question.save(update_fields=["title", "required"])
    if required != before["required"]:
        apply_questions(project)
    after = {"title": question.title, "required": question.required}
    _changed(membership, project, "question.edited", key, before=before, after=after)
    return question


@transaction.atomic
def add_class(membership: Membership, key: str, document: dict[str, Any]) -> LabelClass:
    """A further class. Finished items stay finished. Raises Invalid on a name or key that is taken."""
    project = _lock_project(membership)
    question = _question(project, key)
    if question.kind not in CHOICE_KINDS:
        raise Invalid("not-a-choice", "Only choice questions have classes")
    present = list(question.classes.all())
    if len(present) >= MOST_CLASSES:
        raise Invalid("too-many", f"A question has at most {MOST_CLASSES} classes")
    problems = Problems()
    order = max((spec.order for spec in present), default=-1) + 1
    fields = _checked_class(document, order, "", problems)
    if fields:
        _check_free(fields, present, problems)
    problems.raise_any()
    if not fields:
        raise Invalid("invalid-document", "The class could not be made")
    if not fields["key"]:
        taken = {spec.key for spec in present}
        choice = UNCERTAIN_KEYS if fields["uncertain"] else FREE_KEYS
        fields["key"] = next((free for free in choice if free not in taken), "")
    made = LabelClass.objects.create(question=question, **fields)
    _changed(membership, project, "class.added", f"{key}: {made.name}")
    return made


@transaction.atomic
def edit_class(
    membership: Membership, key: str, class_id: int, changes: dict[str, Any], version: int
) -> LabelClass:
    """Change a class's definition, colour, key or uncertainty, or its name. Answers point at its id.

    Another name is a mapping of its own, which can be taken back (services.mapping). ``version`` is the project's
    version that the editor saw. Raises Stale when it is not the present one, Missing, Invalid, and Conflict
    ``already-merged`` for a class that is read as another, ``has-merged`` where a class that others are read as would
    say "I can't tell" or stop to.
    """
    project = _lock_project(membership, version)
    question = _question(project, key)
    spec = question.classes.filter(pk=class_id).first()
    if spec is None:
        raise Missing
    if spec.merged_into_id is not None:
        raise Conflict("already-merged", f"{spec.name!r} is read as another class; revert the merger first.")
    now: dict[str, Any] = {
        "name": spec.name,
        "definition": spec.definition,
        "colour": spec.colour,
        "key": spec.key,
        "uncertain": spec.uncertain,
    }
    problems = Problems()
    fields = _checked_class({**now, **changes}, spec.order, "", problems)
    if fields:
        _check_free(fields, [other for other in question.classes.all() if other.pk != spec.pk], problems)
    problems.raise_any()
    if fields is None:
        raise Invalid("invalid-document", "The class could not be changed")
    if fields["uncertain"] != spec.uncertain and spec.merged.exists():
        raise Conflict("has-merged", f"Other classes are read as {spec.name!r}; revert the merger first.")
    name = fields["name"]
    kept = {field: fields[field] for field in ("definition", "colour", "key", "uncertain")}
    changed = any(getattr(spec, field) != value for field, value in kept.items())
    if changed:
        LabelClass.objects.filter(pk=spec.pk).update(**kept)
    if name != spec.name:
        rename_locked(membership, project, question, spec.pk, name)
    if changed or name == spec.name:
        before, after = ({part: row[part][:LONGEST_TOLD] for part in TOLD} for row in (now, fields))
        _changed(membership, project, "class.edited", f"{key}: {name}", before=before, after=after)
    spec.refresh_from_db()
    return spec


def _check_free(fields: dict[str, Any], others: list[LabelClass], problems: Problems) -> None:
    if any(other.name_key == fields["name_key"] for other in others):
        problems.add("/name", "duplicate", f"Another class is called {fields['name']!r}")
    if fields["key"] and any(other.key == fields["key"] for other in others):
        problems.add("/key", "duplicate", f"Another class has the key {fields['key']!r}")


def _lock_project(membership: Membership, version: int | None = None) -> Project:
    project = Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    check_open(project)
    if version is not None and version != project.version:
        raise Stale(
            "stale",
            "Somebody else changed the project's questions or settings since you read them.",
            version=project.version,
        )
    return project


def _question(project: Project, key: str) -> Question:
    question = project.questions.filter(key=key).first()
    if question is None:
        raise Missing
    return question


def _changed(membership: Membership, project: Project, verb: str, thing: str, **data: Any) -> None:
    Project.objects.filter(pk=project.pk).update(
        version=F("version") + 1, schema_version=F("schema_version") + 1
    )
    record(membership.user, project, verb, thing, **data)
