"""Choosing what to label next: switched on and off by a lead, begun when enough labels are new, kept with its books."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max

from core.choices import JobKind, ProjectState
from core.exceptions import Conflict
from core.models import FeatureSet, Job, Membership, Project, Run, Selection, SelectionPart, User
from core.selectors.progress import changes_of
from core.selectors.selection import attempts_of, choosing, has_pool, learnable_question, queue_left
from core.services.archive import check_open
from core.services.audit import record
from core.services.job import beat, create_job, finish_job, request_cancel
from core.services.project import checked_seed, checked_size, checked_strategy, edit_project

ENOUGH_LABELS, ENOUGH_SHARE = 10, 0.05  # new answers after which the picks are made anew
LONG_AGO = timedelta(seconds=60).total_seconds()  # and after this time any new answer is enough
PATIENCE = 5  # a round begins after so many times the last one's duration at the earliest
LONGEST_PAUSE = timedelta(hours=1).total_seconds()


@transaction.atomic
def switch(
    membership: Membership,
    *,
    on: bool | None = None,
    strategy: str | None = None,
    size: int | None = None,
    seed: int | None = None,
    **question: str | None,
) -> Project:
    """Change how a project chooses; only what is given (``question=None`` is the first that can be learnt).

    Switched on, the first round begins at once. Raises what edit_project raises, and its errors name the field:
    ``bad-strategy``, ``bad-size``, ``bad-seed``, ``no-learnable-question``.
    """
    given = {"on": on, "strategy": strategy, "size": size, "seed": seed}
    wanted: dict[str, Any] = {name: value for name, value in given.items() if value is not None} | question
    project = edit_project(membership, {"selection": wanted})
    if on and project.state == ProjectState.ACTIVE and _is_due(project):
        _begin(project, membership.user, by_itself=True)
    return project


def choose_now(
    membership: Membership,
    strategy: str | None = None,
    size: int | None = None,
    seed: int | None = None,
    *,
    apply: bool = True,
    send: bool = True,
) -> Selection:
    """Begin a round now, whatever has changed; what is not given is as the project has it.

    ``apply=False`` only looks: the picks are kept, the queue stays. ``send=False``: the caller runs the job itself. A
    round of the same kind that waits or runs already is returned. Raises Conflict ``no-learnable-question``,
    ``already-choosing`` (another kind of round is under way), ``project-archived``; Invalid ``bad-strategy``,
    ``bad-size``, ``bad-seed``.
    """
    project = Project.objects.get(pk=membership.project_id)
    check_open(project)
    return _begin(
        project,
        membership.user,
        strategy=None if strategy is None else checked_strategy(strategy),
        size=None if size is None else checked_size(size),
        seed=None if seed is None else checked_seed(seed),
        apply=apply,
        send=send,
    )


@transaction.atomic
def _begin(
    project: Project,
    user: User | None,
    *,
    strategy: str | None = None,
    size: int | None = None,
    seed: int | None = None,
    apply: bool = True,
    send: bool = True,
    by_itself: bool = False,
) -> Selection:
    """One unfinished round per project at most. A round that begins by itself ends when selection is switched off."""
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if by_itself and not project.selection_on:
        raise Conflict("selection-off", "Selection was switched off.")
    question = learnable_question(project)
    if question is None:
        raise Conflict(
            "no-learnable-question", "There is no question of kind single or scale with two classes."
        )
    told: dict[str, Any] = {
        "strategy": strategy or project.selection_strategy,
        "size": size or project.selection_size,
        "seed": project.selection_seed if seed is None else seed,
        "apply": apply,
    }
    running = choosing(project)
    if running is not None:
        current = Selection.objects.filter(job=running).first()
        if current is not None and all(getattr(current, name) == value for name, value in told.items()):
            return current
        raise Conflict("already-choosing", "Another round is under way. Wait for its end, or cancel it.")
    SelectionPart.objects.filter(selection__project=project).delete()  # of rounds that were broken off
    last = Selection.objects.filter(project=project).aggregate(n=Max("number"))["n"] or 0
    selection = Selection.objects.create(
        project=project,
        number=last + 1,
        question_id=question.id,
        changes=changes_of(project),
        created_by=None if by_itself else user,
        **told,
    )
    selection.job = create_job(project, JobKind.SELECT, {"selection": selection.pk}, user, send=send)
    selection.save(update_fields=["job"])
    if not by_itself:
        record(
            user, project, "selection.started", str(selection.number), strategy=told["strategy"], apply=apply
        )
    return selection


def cancel(membership: Membership) -> Job | None:
    """Cancel the round that waits or runs; None when there is none. The queue stays as it is."""
    job = choosing(membership.project)
    return request_cancel(job.pk) if job is not None else None


# --- By itself --------------------------------------------------------------------------------------


def start_due() -> int:
    """Begin a round in every project in which it pays; returns in how many."""
    projects = Project.objects.filter(state=ProjectState.ACTIVE, selection_on=True).order_by("pk")
    begun = 0
    for project in projects:
        if _is_due(project):
            with suppress(Conflict):  # switched off, or begun by somebody, in between
                _begin(project, None, by_itself=True)
                begun += 1
    return begun


def _is_due(project: Project) -> bool:
    """Whether enough is new since the last round; after failures later and later.

    Enough: ten labels or a twentieth of those that were learnt from; any at all when less than half a batch waits or
    a minute has passed. Where a round takes long, the next one waits five times as long.
    """
    if choosing(project) is not None or learnable_question(project) is None:
        return False
    before = attempts_of(project)
    last = before.last
    if last is None or last.ended_at is not None:
        return has_pool(project)  # the first round since it was switched on
    new = changes_of(project) - last.changes
    pause = PATIENCE * before.seconds if before.failures == 0 else LONG_AGO * 2**before.failures
    if new <= 0 or before.age < min(pause, LONGEST_PAUSE) or not has_pool(project):
        return False
    return (
        new >= max(ENOUGH_LABELS, ENOUGH_SHARE * last.n_labels)
        or before.age >= LONG_AGO
        or queue_left(project) < last.size / 2
    )


# --- The stages of a round --------------------------------------------------------------------------


@transaction.atomic
def note_changes(job: Job, selection: Selection, changes: int) -> None:
    """Keep which state of the project a round sees. Raises LostClaim, JobCancelled."""
    beat(job, 0.02)
    Selection.objects.filter(pk=selection.pk).update(changes=changes)


@transaction.atomic
def keep_model(
    job: Job,
    selection: Selection,
    *,
    run: Run | None,
    feature_set: FeatureSet,
    used: str,
    n_labels: int,
    report: dict[str, Any],
    content: bytes,
) -> None:
    """What every part is to be scored with: from here on the round does not look at labels again.

    Raises LostClaim, JobCancelled.
    """
    beat(job, 0.3)
    Selection.objects.filter(pk=selection.pk).update(
        run=run, feature_set=feature_set, used=used, n_labels=n_labels, report=report
    )
    SelectionPart.objects.update_or_create(selection=selection, number=0, defaults={"content": content})


@transaction.atomic
def keep_part(job: Job, selection: Selection, number: int, content: bytes) -> None:
    """What one part came to, with the end of its job: both or neither. Raises LostClaim."""
    finish_job(job, {"part": number})  # first: whoever ends the round locks the jobs before the parts
    SelectionPart.objects.update_or_create(selection=selection, number=number, defaults={"content": content})
