"""Reads of projects: the list of a person's, and the document a project was made from."""

from typing import Any

from django.db.models import QuerySet

from core.choices import QuestionKind
from core.models import Membership, Project, User
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
        "retest": {"after_days": project.retest_after_days, "rate": float(project.retest_rate)},
        "gold_rate": float(project.gold_rate),
        "guideline": project.guideline.text if project.guideline else "",
        "questions": [question_document(spec) for spec in schema_of(project).questions],
        "display": project.display,
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
