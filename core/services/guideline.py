"""The written instruction: each edit is a new version."""

from django.db import transaction

from core.exceptions import Invalid
from core.models import GuidelineVersion, Membership, Project, User
from core.services.archive import check_open
from core.services.audit import record

LONGEST_GUIDELINE = 200_000
LONGEST_NOTE = 500


def first_version(project: Project, user: User | None, text: str) -> GuidelineVersion:
    """Version 1 of a new project. Call it inside the transaction that makes the project."""
    version = GuidelineVersion.objects.create(project=project, number=1, text=_checked(text), created_by=user)
    project.guideline = version
    project.save(update_fields=["guideline"])
    return version


@transaction.atomic
def publish_guideline(membership: Membership, text: str, note: str = "") -> GuidelineVersion:
    """Put a new version in force; annotations made from now on carry it. Raises Invalid."""
    project = (
        Project.objects.select_for_update(no_key=True, of=("self",))
        .select_related("guideline")
        .get(pk=membership.project_id)
    )
    check_open(project)
    number = project.guideline.number + 1 if project.guideline else 1
    version = GuidelineVersion.objects.create(
        project=project,
        number=number,
        text=_checked(text),
        note=note[:LONGEST_NOTE],
        created_by=membership.user,
    )
    project.guideline = version
    project.save(update_fields=["guideline"])
    record(membership.user, project, "guideline.published", f"version {number}")
    return version


def mark_read(membership: Membership, number: int) -> None:
    """Note that somebody has read the guideline up to this version; never back to an earlier one."""
    newest = Membership.objects.filter(pk=membership.pk, project__guideline__number__gte=number)
    newest.filter(guideline_read__lt=number).update(guideline_read=number)


def in_force(project: Project) -> int:
    """The id of the version that annotations made now carry (a project has one from its first moment)."""
    if project.guideline_id is None:
        raise Invalid("no-guideline", "This project has no guideline version.")
    return project.guideline_id


def _checked(text: str) -> str:
    if len(text) > LONGEST_GUIDELINE:
        raise Invalid("guideline-too-long", f"A guideline has at most {LONGEST_GUIDELINE:,} characters")
    if "\0" in text:
        raise Invalid("bad-character", "A guideline cannot hold the character U+0000")
    return text
