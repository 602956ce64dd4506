"""Projects: made from a document, changed, paused, archived, cloned."""

import hashlib
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Case, F, IntegerField, Q, Sum, Value, When
from django.db.models.functions import Greatest, Least
from django.utils.text import slugify

from core.access import Actor, may_create_projects
from core.choices import AuditPart, Gate, ItemState, ProjectState, Role, Strategy
from core.exceptions import Conflict, Invalid, NotAllowed, Stale
from core.models import Item, Membership, Project, ProjectTotals, User
from core.selectors.project import document_of
from core.selectors.question import read_schema
from core.selectors.selection import learnable, learnable_question
from core.services.archive import check_open
from core.services.audit import record
from core.services.completeness import lock_items
from core.services.guideline import first_version
from core.services.pick import stop_choosing
from core.services.progress import recount
from core.services.question import Problems, create_questions

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
RESERVED_SLUGS = frozenset({"new"})  # /projects/new/ is the page that makes one
DISPLAYS = frozenset({"text", "image", "pair", "table", "hidden"})
FIELDS = frozenset(
    {
        "slug",
        "name",
        "overlap",
        "audit_fraction",
        "audit_overlap",
        "lease_minutes",
        "retest",
        "gold_rate",
        "gold_bound",
        "validation_gate",
        "adaptive",
        "selection",
        "guideline",
        "questions",
        "display",
        "seed",
    }
)
OVERLAPS = frozenset({"overlap", "audit_overlap", "overlap_most"})
MOST_RETEST_RATE = Decimal("0.5")
LEAST_SURE, MOST_SURE = Decimal("0.5"), Decimal("0.999")
LEAST_BOUND, MOST_BOUND = Decimal("0.01"), Decimal("0.99")
CLEARED = frozenset({"overlap_most", "overlap_budget", "gold_bound"})  # settings that can be nothing
SETTINGS = FIELDS - {"slug", "guideline", "questions", "seed"}
SELECTION = frozenset({"on", "strategy", "size", "seed", "question"})
LEAST_SIZE, MOST_SIZE = 5, 500
MOST_SEED = 2**31 - 1


def create_project(user: User, document: Any) -> Project:
    """A project from a project document; its maker becomes the owner.

    Raises Invalid naming every field that is wrong, Conflict when the slug is taken, NotAllowed.
    """
    if not may_create_projects(Actor(user)):
        raise NotAllowed("Only people who lead a project may make another.")
    return found_project(user, document)


def found_project(user: User | None, document: Any, owner: str = "") -> Project:
    """As create_project, by whoever runs the server. Without a user the owner is a name that cannot sign in."""
    try:
        with transaction.atomic():
            return _create(user, document, owner)
    except IntegrityError as error:
        raise Conflict("slug-taken", "There is a project with this slug already.") from error


def _create(user: User | None, document: Any, owner: str) -> Project:
    if not isinstance(document, dict):
        raise Invalid("invalid-document", "A project document is an object")
    problems = Problems()
    problems.unknown("", document, FIELDS)
    name = _name(document, problems)
    slug = document.get("slug") or slugify(name)[:60].strip("-") or "project"
    if not isinstance(slug, str) or not SLUG.fullmatch(slug):
        problems.add("/slug", "bad-slug", "A slug is 1 to 60 lower-case letters, digits and hyphens")
    elif slug in RESERVED_SLUGS:
        problems.add("/slug", "reserved-slug", f"The slug {slug!r} is an address of labelapp's own")
    elif Project.objects.filter(slug=slug).exists():
        raise Conflict("slug-taken", f"There is a project with the slug {slug!r} already.")
    fields = _settings({"overlap": 1, **document}, problems)
    fields.setdefault("audit_overlap", fields.get("overlap", 1))
    _check_most(fields.get("overlap", 1), fields.get("overlap_most"), problems)
    if "seed" in document:
        fields.update(_keyed(document["seed"], str(slug), problems))
    guideline = document.get("guideline", "")
    if not isinstance(guideline, str):
        problems.add("/guideline", "not-a-text", "The guideline is a text, in Markdown")
    if problems.errors:
        # The questions are still looked at, so that everything wrong is told at once.
        fields, slug, guideline = {}, "checked-only", ""
    with transaction.atomic():
        project = Project.objects.create(**{**fields, "slug": slug, "name": name, "created_by": user})
        create_questions(project, document.get("questions"), problems)
        if not problems.errors:
            project.selection_question_id = _selection_question(project, document, problems)
            project.save(update_fields=["selection_question"])
        problems.raise_any()
    ProjectTotals.objects.create(project=project)
    first_version(project, user, guideline)
    Membership.objects.create(project=project, user=user, name=owner or str(user), role=Role.OWNER)
    record(user, project, "project.created", slug)
    return project


def _name(document: dict[str, Any], problems: Problems) -> str:
    name = document.get("name") or document.get("slug")
    if not isinstance(name, str) or not name.strip() or len(name) > 200 or "\0" in name:  # noqa: PLR2004 -- the column
        problems.add("/name", "bad-name", "A name is a text of 1 to 200 characters")
        return "unnamed"
    return " ".join(name.split())


def _settings(document: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """The columns that a document's settings become; only those that it names."""
    fields: dict[str, Any] = {}
    for name, least, most in (("overlap", 1, 100), ("audit_overlap", 1, 100), ("lease_minutes", 1, 1440)):
        if name in document:
            fields[name] = _whole(document[name], least, most, f"/{name}", problems)
    for name in ("audit_fraction", "gold_rate"):
        if name in document:
            fields[name] = checked_share(document[name], f"/{name}", problems)
    if "gold_bound" in document:
        bound = document["gold_bound"]
        fields["gold_bound"] = (
            None if bound is None else checked_share(bound, "/gold_bound", problems, LEAST_BOUND, MOST_BOUND)
        )
    if "validation_gate" in document:
        fields["validation_gate"] = _gate(document["validation_gate"], problems)
    if "retest" in document:
        fields.update(_retest(document["retest"], problems))
    if "adaptive" in document:
        fields.update(_adaptive(document["adaptive"], problems))
    if "selection" in document:
        fields.update(_selection(document["selection"], problems))
    if "display" in document:
        fields["display"] = _display(document["display"], problems)
    return {name: value for name, value in fields.items() if value is not None or name in CLEARED}


def _whole(value: Any, least: int, most: int, pointer: str, problems: Problems) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        problems.add(pointer, "out-of-range", f"This is a whole number from {least} to {most}")
        return None
    return value


def checked_share(
    value: Any, pointer: str, problems: Problems, least: Decimal = Decimal(0), most: Decimal = Decimal(1)
) -> Decimal | None:
    """A share as it is kept, to three digits; None, and a problem more, for anything else."""
    try:
        share = Decimal(str(value)) if not isinstance(value, bool) else Decimal(-1)
    except InvalidOperation:
        share = Decimal(-1)
    if not share.is_finite() or not least <= share <= most:
        problems.add(pointer, "out-of-range", f"This is a number from {least} to {most}")
        return None
    return round(share, 3)


def _gate(value: Any, problems: Problems) -> str | None:
    if not isinstance(value, str) or value not in Gate.values:
        problems.add("/validation_gate", "bad-gate", f"validation_gate is one of {', '.join(Gate.values)}")
        return None
    return value


def _retest(value: Any, problems: Problems) -> dict[str, Any]:
    if not isinstance(value, dict):
        example = '{"after_days": 14, "rate": 0.03, "per_person_minimum": 30}'
        problems.add("/retest", "not-an-object", f"retest is {example}")
        return {}
    problems.unknown("/retest", value, frozenset({"after_days", "rate", "per_person_minimum"}))
    minimum = value.get("per_person_minimum", 0)
    return {
        "retest_after_days": _whole(value.get("after_days", 14), 1, 3650, "/retest/after_days", problems),
        "retest_rate": checked_share(value.get("rate", 0), "/retest/rate", problems, most=MOST_RETEST_RATE),
        "retest_minimum": _whole(minimum, 0, 10_000, "/retest/per_person_minimum", problems),
    }


def _adaptive(value: Any, problems: Problems) -> dict[str, Any]:
    """Overlap that adapts; null, or null as ``most``, ends it."""
    value = {} if value is None else value
    if not isinstance(value, dict):
        problems.add(
            "/adaptive", "not-an-object", 'adaptive is {"most": 5, "sure": 0.98, "budget": 1000} or null'
        )
        return {}
    problems.unknown("/adaptive", value, frozenset({"most", "sure", "budget"}))
    most, budget = value.get("most"), value.get("budget")
    sure = value.get("sure", "0.98")
    return {
        "overlap_most": None if most is None else _whole(most, 1, 100, "/adaptive/most", problems),
        "overlap_sure": checked_share(sure, "/adaptive/sure", problems, LEAST_SURE, MOST_SURE),
        "overlap_budget": None
        if budget is None
        else _whole(budget, 0, 2**31 - 1, "/adaptive/budget", problems),
    }


def _selection(value: Any, problems: Problems) -> dict[str, Any]:
    """How to choose what to label next; only what is named. Its question is looked up by ``_selection_question``."""
    if not isinstance(value, dict):
        example = '{"on": true, "strategy": "hybrid", "size": 50, "seed": 0, "question": null}'
        problems.add("/selection", "not-an-object", f"selection is {example}")
        return {}
    problems.unknown("/selection", value, SELECTION)
    fields: dict[str, Any] = {}
    if "on" in value:
        if not isinstance(value["on"], bool):
            problems.add("/selection/on", "not-a-flag", "on is true or false")
        fields["selection_on"] = value["on"] is True
    if "strategy" in value:
        fields["selection_strategy"] = _checked(checked_strategy, value, "strategy", problems)
    if "size" in value:
        fields["selection_size"] = _checked(checked_size, value, "size", problems)
    if "seed" in value:
        fields["selection_seed"] = _checked(checked_seed, value, "seed", problems)
    return fields


def _checked(check: Callable[[Any], Any], value: dict[str, Any], name: str, problems: Problems) -> Any:
    try:
        return check(value[name])
    except Invalid as refusal:
        problems.add(f"/selection/{name}", refusal.code, refusal.detail)
        return None


def checked_strategy(value: Any) -> str:
    """Raises Invalid ``bad-strategy``."""
    if value not in Strategy.values:
        raise Invalid("bad-strategy", f"A strategy is one of {', '.join(Strategy.values)}")
    return str(value)


def checked_size(value: Any) -> int:
    """Raises Invalid ``bad-size``."""
    if isinstance(value, bool) or not isinstance(value, int) or not LEAST_SIZE <= value <= MOST_SIZE:
        raise Invalid("bad-size", f"A size is a whole number from {LEAST_SIZE} to {MOST_SIZE}")
    return value


def checked_seed(value: Any) -> int:
    """Raises Invalid ``bad-seed``."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_SEED:
        raise Invalid("bad-seed", f"A seed is a whole number from 0 to {MOST_SEED}")
    return value


def _selection_question(project: Project, document: dict[str, Any], problems: Problems) -> int | None:
    """The id of the question to choose for, as the document or else the project has it; None: the first one.

    Where selection is on there must be one that can be learnt.
    """
    selection = document.get("selection")
    wanted = selection if isinstance(selection, dict) else {}
    question_id = project.selection_question_id
    schema = read_schema(project.pk)
    if "question" in wanted:
        key = wanted["question"]
        spec = schema.question(key) if isinstance(key, str) else None
        question_id = spec.id if spec else None
        if key is not None and (spec is None or not learnable(spec)):
            problems.add(
                "/selection/question",
                "no-learnable-question",
                "Only questions of kind single or scale with two classes can be learnt",
            )
    project.selection_question_id = question_id
    if project.selection_on and "on" in wanted and learnable_question(project, schema) is None:
        problems.add(
            "/selection/on",
            "no-learnable-question",
            "There is no question of kind single or scale with two classes to learn",
        )
    return question_id


def _keyed(seed: Any, slug: str, problems: Problems) -> dict[str, str]:
    """The key of the audit slice from a seed, so that the same document and items make the same slice elsewhere.

    Whoever knows the seed can then tell beforehand which items and passes are whose; without it nobody can.
    """
    try:
        seed = checked_seed(seed)
    except Invalid as refusal:
        problems.add("/seed", refusal.code, refusal.detail)
    return {"audit_key": hashlib.sha256(f"labelapp audit {seed} {slug}".encode()).hexdigest()}


def _check_most(overlap: int, most: int | None, problems: Problems) -> None:
    if most is not None and most < overlap:
        problems.add("/adaptive/most", "out-of-range", f"This is at least the overlap, which is {overlap}")


def _display(value: Any, problems: Problems) -> dict[str, str] | None:
    if not isinstance(value, dict) or not all(
        isinstance(field, str) and isinstance(kind, str) and kind in DISPLAYS for field, kind in value.items()
    ):
        problems.add("/display", "bad-display", f"display maps data fields to {', '.join(sorted(DISPLAYS))}")
        return None
    return value


@transaction.atomic
def edit_project(membership: Membership, changes: dict[str, Any], version: int | None = None) -> Project:
    """Change settings. ``version`` is the one that the editor saw (If-Match): Stale when it is not the present one.

    Raising the overlap opens finished items again; lowering it closes open ones and loses nothing. Places that
    adaptive overlap bought stay up to its new ``most``; what nobody has taken of the others can be bought again.
    """
    wanted = changes.get("selection")
    if isinstance(wanted, dict) and wanted.get("on") is False:
        stop_choosing(membership.project_id)
    if {"overlap", "audit_overlap", "adaptive"} & set(changes):
        lock_items(membership.project_id)
    project = locked_settings(membership, version)
    problems = Problems()
    problems.unknown("", changes, SETTINGS)
    fields = _settings(changes, problems)
    if "name" in changes:
        fields["name"] = _name(changes, problems)
    if isinstance(wanted, dict):
        project.selection_on = fields.get("selection_on", project.selection_on)
        fields["selection_question_id"] = _selection_question(project, changes, problems)
    _check_most(
        fields.get("overlap", project.overlap), fields.get("overlap_most", project.overlap_most), problems
    )
    problems.raise_any()
    if "overlap" in fields and project.audit_overlap == project.overlap:
        fields.setdefault("audit_overlap", fields["overlap"])  # it was never set apart
    before = (project.overlap, project.overlap_most)
    for name, value in fields.items():
        setattr(project, name, value)
    project.version += 1
    project.save(update_fields=[*fields, "version"])
    if OVERLAPS & set(fields):
        _apply_overlap(project, *before)
    record(membership.user, project, "project.edited", project.slug, fields=sorted(fields))
    return project


def locked_settings(membership: Membership, version: int | None) -> Project:
    """The project, locked, if ``version`` is that of its settings (None: whatever it is).

    Raises Stale; Conflict ``project-archived``.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    check_open(project)
    if version is not None and version != project.version:
        raise Stale(
            "stale", "Somebody else changed these settings since you read them.", version=project.version
        )
    return project


def _apply_overlap(project: Project, overlap: int, most: int | None) -> None:
    """Give every item its new target: never below the people who have answered or hold it.

    ``overlap`` and ``most`` are the settings that its present target comes from.
    """
    busy, usual = F("done") + F("leased"), F("target") - F("extra")
    bought = Q(audit=AuditPart.NONE, target__gt=overlap + F("extra"), target__lte=(most or 0) + F("extra"))
    kept = Greatest(Least(usual, Value(project.overlap_most or 0)), Value(project.overlap))
    wanted = Case(
        When(bought, then=kept),
        When(audit=AuditPart.NONE, then=Value(project.overlap)),
        default=Value(project.audit_overlap),
        output_field=IntegerField(),
    )
    target = Greatest(wanted + F("extra"), busy)
    items = Item.objects.filter(project=project)
    closed = items.filter(bought).aggregate(n=Sum(Greatest(F("target") - target, Value(0)), default=0))["n"]
    if closed:
        Project.objects.filter(pk=project.pk).update(
            overlap_bought=Greatest(F("overlap_bought") - closed, Value(0))
        )
        project.refresh_from_db(fields=["overlap_bought"])
    items.filter(state=ItemState.OPEN).update(target=target, free=target - busy)
    items.exclude(state=ItemState.OPEN).update(target=target)
    recount(project.pk)


@transaction.atomic
def set_state(membership: Membership, state: ProjectState) -> Project:
    """Pause, resume or archive. What people hold may still be submitted, except into an archive.

    Only an owner reopens an archive. Raises NotAllowed.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    if project.state == ProjectState.ARCHIVED and membership.role != Role.OWNER:
        raise NotAllowed("This project is archived; an owner can reopen it.")
    project.state = state
    project.version += 1
    project.save(update_fields=["state", "version"])
    record(membership.user, project, f"project.{state}", project.slug)
    return project


def clone_project(membership: Membership, slug: str, name: str = "") -> Project:
    """A new project with the same questions, classes, guideline and settings; no items and no people."""
    if membership.user is None:
        raise NotAllowed
    document = document_of(membership.project)
    return create_project(membership.user, {**document, "slug": slug, "name": name or document["name"]})
