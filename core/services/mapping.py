"""Mappings: classes merged or renamed, texts standardised, and taken back. Answers are never rewritten.

What the classes are called and read as is derived from the mappings in force (selectors.mapping.folded) and written
to the classes here and nowhere else. Every change is made under the lock of the project's row.
"""

from collections.abc import Collection, Sequence
from collections.abc import Mapping as Map
from typing import Any

from django.db import transaction
from django.db.models import F, Max
from django.db.models.functions import Now

from core.choices import CHOICE_KINDS, MappingKind, QuestionKind
from core.exceptions import Conflict, Invalid, Missing, Stale
from core.models import LabelClass, Mapping, Membership, Project, Question
from core.selectors.mapping import ClassState, states_of
from core.selectors.question import clean_name, fold, text_rule
from core.services.archive import check_open
from core.services.audit import record
from core.services.standard import MOST_RULES, check_rules, refresh

LONGEST_NOTE = 500
LONGEST_RULE = 20_000
RULE_FIELDS = ({"from", "to"}, {"pattern", "to"})
FEWEST = 2


@transaction.atomic
def apply_merge(
    membership: Membership,
    question_key: str,
    classes: Collection[int],
    into: int,
    *,
    name: str | None = None,
    note: str = "",
    version: int,
) -> Mapping:
    """Read the answers of some classes as those of ``into`` from now on, which may get another name on the way.

    ``classes`` and ``into`` are ids of current classes of the question; whether ``classes`` names ``into`` makes no
    difference. ``version`` is the mapping version that the editor saw.

    Raises Stale; Missing without such a question; Invalid ``not-a-choice``, ``unknown-class``, ``too-few-classes``,
    ``mixed-uncertain``, ``not-neighbours``, ``bad-name``, ``bad-note``; Conflict ``already-merged``,
    ``splits-condition``, ``name-taken``.
    """
    project, question = _locked(membership, question_key, version)
    present = list(question.classes.all())
    group = check_merge(question, present, {*classes, into}, conditions_on(question))
    target = next(spec for spec in group if spec.pk == into)
    document: dict[str, Any] = {"classes": [spec.pk for spec in group], "into": into}
    if name is not None and (wanted := _name(name)) != target.name:
        document["name"] = [target.name, wanted]
    told = f"{question.key}: {' + '.join(spec.name for spec in group)}"
    return _apply(membership, project, question, MappingKind.MERGE, document, note, told)


def conditions_on(question: Question) -> dict[str, set[int]]:
    """The questions that are asked only after some classes of this one: key to the ids of these as they are read."""
    asked = Question.objects.filter(when_question=question).prefetch_related("when_classes")
    return {
        other.key: {spec.merged_into_id or spec.pk for spec in other.when_classes.all()} for other in asked
    }


def check_merge(
    question: Question,
    present: Sequence[LabelClass],
    ids: Collection[int],
    conditions: Map[str, Collection[int]],
) -> list[LabelClass]:
    """The classes of these ids in their order, if they may be merged under these ``conditions_on`` the question.

    Raises as apply_merge.
    """
    if question.kind not in CHOICE_KINDS:
        raise Invalid("not-a-choice", f"The answers to {question.key!r} are not classes.")
    group = [spec for spec in present if spec.pk in ids]
    if len(group) < len(ids):
        raise Invalid("unknown-class", f"Not all of these are classes of {question.key!r}.")
    if len(group) < FEWEST:
        raise Invalid("too-few-classes", "A merger takes two classes at least.")
    for spec in group:
        if spec.merged_into_id is not None:
            raise Conflict("already-merged", f"{spec.name!r} is read as another class already.")
    if len({spec.uncertain for spec in group}) > 1:
        raise Invalid(
            "mixed-uncertain",
            "A class that says “I can't tell” cannot be merged with one that does tell: the answers would lose "
            "their meaning.",
        )
    if question.kind == QuestionKind.SCALE and not _neighbours(
        present, {spec.pk: group[0].pk for spec in group}
    ):
        raise Invalid("not-neighbours", "Only neighbours of a scale can be merged: its order must stay.")
    for key, needed in conditions.items():
        if 0 < len(set(needed) & set(ids)) < len(ids):
            raise Conflict(
                "splits-condition",
                f"{key!r} is asked after some of these classes and not after the others; merged, nobody "
                "could say whether it is.",
            )
    return group


def _neighbours(present: Sequence[LabelClass], into: dict[int, int]) -> bool:
    """Whether every group of a scale's certain classes stands together, where ``into`` says what is read as what."""
    roots = [into.get(spec.pk, spec.merged_into_id or spec.pk) for spec in present if not spec.uncertain]
    roots = [into.get(root, root) for root in roots]
    runs = [root for place, root in enumerate(roots) if place == 0 or roots[place - 1] != root]
    return len(runs) == len(set(runs))


@transaction.atomic
def apply_rename(
    membership: Membership, question_key: str, class_id: int, name: str, *, note: str = "", version: int
) -> Mapping:
    """Call a current class otherwise. ``version`` is the mapping version that the editor saw.

    Raises Stale, Missing, Invalid ``bad-name``, ``same-name``, ``bad-note``, Conflict ``already-merged``,
    ``name-taken``.
    """
    project, question = _locked(membership, question_key, version)
    return rename_locked(membership, project, question, class_id, name, note=note)


def rename_locked(
    membership: Membership, project: Project, question: Question, class_id: int, name: str, *, note: str = ""
) -> Mapping:
    """As apply_rename, within a transaction that holds the project's lock and has seen to the version."""
    spec = question.classes.filter(pk=class_id).first()
    if spec is None:
        raise Missing
    if spec.merged_into_id is not None:
        raise Conflict("already-merged", f"{spec.name!r} is read as another class; rename that one.")
    wanted = _name(name)
    if wanted == spec.name:
        raise Invalid("same-name", f"The class is called {wanted!r} already.")
    document = {"class": class_id, "name": [spec.name, wanted]}
    return _apply(
        membership, project, question, MappingKind.RENAME, document, note, f"{question.key}: {wanted}"
    )


@transaction.atomic
def apply_standardise(
    membership: Membership,
    question_key: str,
    rules: Sequence[dict[str, str]],
    note: str = "",
    version: int | None = None,
) -> Mapping:
    """Read texts by rules, after those in force: ``{"from": text, "to": text}`` or ``{"pattern": re2, "to": text}``.

    Raises Stale (None: the editor saw no version, and nothing is compared), Missing, Invalid ``not-a-text``,
    ``bad-rules`` with a row per rule that is wrong, ``too-many-rules``, ``too-much-text``, ``bad-note``.
    """
    project, question = _locked(membership, question_key, version)
    if question.kind != QuestionKind.TEXT:
        raise Invalid("not-a-text", f"The answers to {question.key!r} are not texts.")
    document = {"rules": checked_rules(rules)}
    check_rules(question, [text_rule(rule) for rule in document["rules"]])
    return _apply(membership, project, question, MappingKind.STANDARDISE, document, note, question.key)


def checked_rules(rules: Any) -> list[dict[str, str]]:
    """Rules as a mapping's document holds them. Raises Invalid ``bad-rules``."""
    if not isinstance(rules, list) or not 0 < len(rules) <= MOST_RULES:
        raise Invalid("bad-rules", f"rules are a list of 1 to {MOST_RULES}.")
    errors = []
    for number, rule in enumerate(rules):
        wrong = _wrong_with(rule)
        if wrong:
            pointer = f"/rules/{number}"
            errors.append({"field": pointer, "pointer": pointer, "code": "bad-rule", "detail": wrong})
    if errors:
        raise Invalid("bad-rules", f"{errors[0]['pointer']}: {errors[0]['detail']}", errors=errors[:50])
    return [
        {key: " ".join(rule[key].split()) if key != "pattern" else rule[key] for key in rule}
        for rule in rules
    ]


def _wrong_with(rule: Any) -> str:
    """What is wrong with a rule; empty where nothing is."""
    if not isinstance(rule, dict) or set(rule) not in RULE_FIELDS:
        return 'A rule is {"from": text, "to": text} or {"pattern": RE2 pattern, "to": text}.'
    if any(not isinstance(part, str) or "\0" in part or len(part) > LONGEST_RULE for part in rule.values()):
        return f"The parts of a rule are texts of at most {LONGEST_RULE:,} characters."
    if not str(rule.get("from", rule.get("pattern"))).strip():
        return "A rule says which text it is about."
    try:
        text_rule(rule)
    except ValueError as error:
        return f"RE2 does not take the pattern: {error}"
    return ""


@transaction.atomic
def revert(membership: Membership, mapping_id: int, version: int) -> Mapping:
    """Take a mapping back: what it read otherwise is read by the others in force, as if it had never been.

    Raises Stale, Missing, Conflict ``already-reverted``, ``name-taken``, ``not-neighbours``.
    """
    project = _lock(membership, version)
    mapping = Mapping.objects.select_related("question").filter(pk=mapping_id, project=project).first()
    if mapping is None:
        raise Missing
    if mapping.reverted_at is not None:
        raise Conflict("already-reverted", "This mapping was reverted before.")
    mapping.reverted_by = membership.user
    mapping.reverted_at = Now()
    mapping.save(update_fields=["reverted_by", "reverted_at"])
    _carry_out(project, mapping)
    record(
        membership.user,
        project,
        "mapping.reverted",
        f"{mapping.question.key}: {mapping}",
        mapping=mapping.number,
    )
    mapping.refresh_from_db()
    return mapping


def _lock(membership: Membership, version: int | None) -> Project:
    project = Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    check_open(project)
    if version is not None and version != project.mapping_version:
        raise Stale(
            "stale",
            "Somebody else changed how classes or texts are read since you looked.",
            version=project.mapping_version,
        )
    return project


def _locked(membership: Membership, question_key: str, version: int | None) -> tuple[Project, Question]:
    project = _lock(membership, version)
    question = project.questions.filter(key=question_key).first()
    if question is None:
        raise Missing
    return project, question


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise Invalid("bad-name", "A name is a text.")
    try:
        return clean_name(name)
    except ValueError as error:
        raise Invalid("bad-name", f"The name {error}.") from None


def _apply(  # noqa: PLR0917 -- what is done, to what, and how it is told
    membership: Membership,
    project: Project,
    question: Question,
    kind: MappingKind,
    document: dict[str, Any],
    note: Any,
    told: str,
) -> Mapping:
    if not isinstance(note, str) or len(note) > LONGEST_NOTE or "\0" in note:
        raise Invalid("bad-note", f"A note is a text of at most {LONGEST_NOTE} characters.")
    last = Mapping.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0
    mapping = Mapping.objects.create(
        project=project,
        number=last + 1,
        kind=kind,
        question=question,
        document=document,
        note=note,
        created_by=membership.user,
    )
    _carry_out(project, mapping)
    record(membership.user, project, "mapping.applied", told, mapping=mapping.number, kind=kind.value)
    mapping.refresh_from_db()
    return mapping


def _carry_out(project: Project, mapping: Mapping) -> None:
    """Bring the classes, or how texts are read, to what the mappings in force make of them."""
    if mapping.kind == MappingKind.STANDARDISE:
        refresh(mapping.question)
    else:
        _derive(mapping.question)
    Project.objects.filter(pk=project.pk).update(
        version=F("version") + 1,
        schema_version=F("schema_version") + 1,
        mapping_version=F("mapping_version") + 1,
    )


def _way_out(one: ClassState, other: ClassState) -> str:
    if one.into is None and other.into is None:
        return "Call one of them otherwise first, or revert the renaming that gave it this name."
    return "Merged classes keep their names: to call the result so, merge into the class of that name."


def _derive(question: Question) -> None:
    states = states_of(question)
    present = list(question.classes.all())
    named: dict[str, ClassState] = {}
    for state in states.values():
        other = named.setdefault(fold(state.name), state)
        if other is not state:
            raise Conflict(
                "name-taken", f"Two classes would be called {state.name!r}. {_way_out(other, state)}"
            )
    into = {pk: state.into or pk for pk, state in states.items()}
    if question.kind == QuestionKind.SCALE and not _neighbours(present, into):
        raise Conflict(
            "not-neighbours", "Classes that are merged would not be neighbours on the scale any more."
        )
    for spec in present:
        state = states[spec.pk]
        if (spec.name, spec.merged_into_id) != (state.name, state.into):
            LabelClass.objects.filter(pk=spec.pk).update(
                name=state.name, name_key=fold(state.name), merged_into=state.into
            )
