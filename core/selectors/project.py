"""Reads of projects: the list of a person's, and the document a project was made from."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Now

from core.choices import ImportState, ItemState, QuestionKind
from core.models import Flag, Import, Invitation, Item, Membership, Project, User
from core.selectors.question import QuestionSpec, schema_of


def memberships_of(user: User) -> QuerySet[Membership]:
    """A person's memberships with their projects, by project name."""
    return (
        Membership.objects.filter(user=user, active=True)
        .select_related("project")
        .order_by("project__name", "project_id")
    )


def document_of(project: Project) -> dict[str, Any]:
    """The project document (api.md): what makes the same project again."""
    return {
        "slug": project.slug,
        "name": project.name,
        "overlap": project.overlap,
        "audit_fraction": float(project.audit_fraction),
        "audit_overlap": project.audit_overlap,
        "lease_minutes": project.lease_minutes,
        "retest": {
            "after_days": project.retest_after_days,
            "rate": float(project.retest_rate),
            "per_person_minimum": project.retest_minimum,
        },
        "gold_rate": float(project.gold_rate),
        "gold_bound": None if project.gold_bound is None else float(project.gold_bound),
        "validation_gate": project.validation_gate,
        "adaptive": {
            "most": project.overlap_most,
            "sure": float(project.overlap_sure),
            "budget": project.overlap_budget,
        },
        "selection": selection_document(project),
        "guideline": project.guideline.text if project.guideline else "",
        "questions": [question_document(spec) for spec in schema_of(project).questions],
        "display": project.display,
    }


def selection_document(project: Project) -> dict[str, Any]:
    """How the project chooses what to label next, as its document says it."""
    specs = schema_of(project).questions
    return {
        "on": project.selection_on,
        "strategy": project.selection_strategy,
        "size": project.selection_size,
        "seed": project.selection_seed,
        "question": next((one.key for one in specs if one.id == project.selection_question_id), None),
    }


def question_document(spec: QuestionSpec) -> dict[str, Any]:
    """One question as the project document says it."""
    document: dict[str, Any] = {
        "key": spec.key,
        "kind": spec.kind,
        "title": spec.title,
        "required": spec.required,
    }
    if spec.kind == QuestionKind.NUMBER:
        document["level"] = spec.level
        document |= {
            name: limit
            for name, limit in (("minimum", spec.minimum), ("maximum", spec.maximum))
            if limit is not None
        }
    if spec.when:
        document["when"] = {"question": spec.when[0], "classes": sorted(spec.when[1])}
    if spec.is_choice:
        document["classes"] = [
            {
                "name": one.name,
                "definition": one.definition,
                "colour": one.colour,
                "key": one.key,
                "uncertain": one.uncertain,
            }
            for one in spec.classes
        ]
    return document


@dataclass(frozen=True, slots=True)
class Attention:
    """What a lead should look at: counts of things that wait for somebody's decision."""

    with_lead: int
    flags: int
    held_imports: int
    people: int
    invitations: int
    held_items: int


def attention_of(project: Project) -> Attention:
    """What waits in a project. ``people`` are those who can sign in; ``held_items`` are in people's hands."""
    people = Membership.objects.filter(project=project, active=True, user__isnull=False)
    counted = people.aggregate(n=Count("pk"), held=Sum("held", default=0))
    return Attention(
        with_lead=Item.objects.filter(project=project, state=ItemState.WITH_LEAD).count(),
        flags=Flag.objects.filter(item__project=project, resolved_at=None).count(),
        held_imports=Import.objects.filter(project=project, state=ImportState.HELD).count(),
        people=counted["n"],
        invitations=Invitation.objects.filter(project=project, used_at=None, expires_at__gt=Now()).count(),
        held_items=counted["held"],
    )


def data_fields(project: Project, sample: int = 20) -> list[str]:
    """The data fields of a project's first items, in the order in which they come; and those of its display."""
    first = Item.objects.filter(project=project).order_by("pk").values_list("data", flat=True)[:sample]
    return list(dict.fromkeys([*project.display, *(field for data in first for field in data)]))


def overlap_effect(project: Project, overlap: int, *, audit: bool = False) -> tuple[int, int]:
    """What another overlap would do: how many finished items open again, and how many open ones close."""
    items = Item.objects.filter(project=project, state=ItemState.OPEN)
    items = items.exclude(audit="") if audit else items.filter(audit="")
    opened = items.filter(done__lt=overlap, free=0, leased=0).count()
    closed = items.filter(done__gte=overlap, free__gt=0).count()
    return opened, closed
