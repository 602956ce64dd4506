"""Projects with their questions, classes, people and guideline, without the services under test."""

from hashlib import sha256
from typing import Any

from core.choices import Level, QuestionKind, Role
from core.models import (
    GuidelineVersion,
    LabelClass,
    Membership,
    Project,
    ProjectTotals,
    Question,
    User,
)
from core.selectors.question import fold

YES_NO = ("yes", "no")


def make_project(slug: str = "birds", *, owner: User | None = None, **settings: Any) -> Project:
    """A project with a guideline, one single-choice question (yes, no, cannot tell) and its owner.

    Its draws are the same in every run of the tests.
    """
    project = Project.objects.create(
        slug=slug,
        name=settings.pop("name", slug.capitalize()),
        audit_key=sha256(slug.encode()).hexdigest(),
        created_by=owner,
        **settings,
    )
    ProjectTotals.objects.create(project=project)
    project.guideline = GuidelineVersion.objects.create(
        project=project, number=1, text="Look closely.", created_by=owner
    )
    project.save(update_fields=["guideline"])
    make_question(project, "answer", [*YES_NO, "cannot tell"], uncertain={"cannot tell"})
    if owner is not None:
        add_member(project, owner, Role.OWNER)
    return project


def make_question(
    project: Project,
    key: str,
    classes: list[str],
    *,
    kind: str = QuestionKind.SINGLE,
    uncertain: set[str] | None = None,
    **more: Any,
) -> Question:
    """One more question; its classes get the keys 1, 2, … and the uncertain ones 0, -, ..."""
    question = Question.objects.create(
        project=project,
        key=key,
        kind=kind,
        level=more.pop("level", Level.NOMINAL),
        title=more.pop("title", f"{key}?"),
        order=project.questions.count(),
        **more,
    )
    certain_keys, uncertain_keys = iter("123456789"), iter("0-=")
    for order, name in enumerate(classes):
        unsure = name in (uncertain or set())
        LabelClass.objects.create(
            question=question,
            name=name,
            name_key=fold(name),
            colour=order % 8,
            key=next(uncertain_keys if unsure else certain_keys, ""),
            order=order,
            uncertain=unsure,
        )
    return question


def add_member(project: Project, user: User | None, role: str = Role.ANNOTATOR, **more: Any) -> Membership:
    """Somebody in a project; without a user an imported annotator."""
    name = more.pop("name", None) or (user.username if user else "w001")
    return Membership.objects.create(project=project, user=user, name=name, role=role, **more)
