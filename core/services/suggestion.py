"""Whether annotators are shown what a run says, and of which items."""

from decimal import Decimal
from typing import Any

from django.db import transaction

from core.exceptions import Conflict, Invalid
from core.models import Membership, Project
from core.selectors.run import run_called
from core.selectors.suggestion import runs_to_suggest, tells_known
from core.services.audit import record
from core.services.project import checked_share, locked_settings
from core.services.question import Problems

FIELDS = frozenset({"run", "sure", "withheld"})
MOST_WITHHELD = Decimal("0.9")


@transaction.atomic
def edit_suggestions(membership: Membership, changes: Any, version: int | None = None) -> Project:
    """Change what is suggested to annotators: ``run`` (its number or name; null: nothing), ``sure``, ``withheld``.

    ``version`` is that of the project's settings, which these are part of. What was handed out before stays as it is.
    Raises Invalid ``invalid-document`` with the fields, ``unknown-run``; Conflict ``run-says-nothing``,
    ``run-tells-gold``, ``project-archived``; Stale.
    """
    if not isinstance(changes, dict):
        raise Invalid("not-an-object", 'Suggestions are {"run": 12, "sure": 0.8, "withheld": 0.2}.')
    project = locked_settings(membership, version)
    problems = Problems()
    problems.unknown("", changes, FIELDS)
    fields: dict[str, Any] = {}
    if "sure" in changes:
        fields["suggestion_sure"] = checked_share(changes["sure"], "/sure", problems)
    if "withheld" in changes:
        fields["suggestion_withheld"] = checked_share(
            changes["withheld"], "/withheld", problems, most=MOST_WITHHELD
        )
    problems.raise_any()
    if "run" in changes:
        fields["suggestion_run_id"] = _run(project, changes["run"])
    for name, value in fields.items():
        setattr(project, name, value)
    project.version += 1
    project.save(update_fields=[*fields, "version"])
    record(membership.user, project, "suggestions.changed", project.slug, **_told(project))
    return project


def _run(project: Project, named: Any) -> int | None:
    """The run of this number or name, if it may be suggested."""
    if named is None:
        return None
    if isinstance(named, bool) or not isinstance(named, int | str):
        raise Invalid("unknown-run", "run is the number or the name of a run, or null.")
    run = run_called(project, str(named))
    if not runs_to_suggest(project).filter(pk=run.pk).exists():
        raise Conflict(
            "run-says-nothing",
            "This run has nothing to suggest: it needs predictions of a question with one class as its answer, on items "
            "outside the audit slice, from labeling functions or from outside.",
        )
    if tells_known(run):
        raise Conflict(
            "run-tells-gold",
            "This run says something of few items with answers or gold, and of many others: a suggestion would tell "
            "annotators which is which. Import predictions for all items.",
        )
    return run.pk


def _told(project: Project) -> dict[str, Any]:
    return {
        "run": project.suggestion_run_id,
        "sure": float(project.suggestion_sure),
        "withheld": float(project.suggestion_withheld),
    }
