"""Overlap that adapts: a job looks which finished items need one more answer, and their places are bought here."""

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from core.choices import AuditPart, ItemState, JobKind, Lane, ProjectState
from core.exceptions import Conflict
from core.models import Item, Job, Membership, Outbox, Project, User
from core.selectors.overlap import deciding_question, looking, looks_of, nobody_left
from core.selectors.progress import changes_of, progress_of
from core.services.archive import check_open
from core.services.audit import record
from core.services.job import beat, create_job, finish_job

AT_ONCE = 500  # items raised in one transaction
ENOUGH_CHANGES = 100  # answers after which another look pays at once
LONG_AGO = timedelta(minutes=5)  # and after this time any answer is enough
A_WHILE_AGO = timedelta(seconds=15)


def look(membership: Membership) -> Job:
    """Look now, whatever has changed; the job that waits or runs already when there is one.

    Raises Conflict ``not-adaptive`` where the overlap does not adapt, ``no-choice-question`` where no question
    can decide.
    """
    project = Project.objects.get(pk=membership.project_id)
    check_open(project)
    if project.overlap_most is None:
        raise Conflict("not-adaptive", "The overlap of this project does not adapt: set adaptive first.")
    if deciding_question(project) is None:
        raise Conflict("no-choice-question", "Only answers to a single-choice or scale question can decide.")
    return _start(project, membership.user)


@transaction.atomic
def _start(project: Project, user: User | None) -> Job:
    """One unfinished look per project at most."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    return looking(project) or create_job(project, JobKind.OVERLAP, {}, user)


def start_due() -> int:
    """Look in every project in which enough was answered since the last time; returns in how many."""
    projects = Project.objects.filter(state=ProjectState.ACTIVE, overlap_most__isnull=False).order_by("pk")
    due = [project for project in projects if _is_due(project)]
    for project in due:
        _start(project, None)
    return len(due)


def _is_due(project: Project) -> bool:
    if looking(project) is not None or deciding_question(project) is None:
        return False
    last = looks_of(project).annotate(now=Now()).first()
    if last is None or last.finished_at is None:
        return changes_of(project) > 0
    new = changes_of(project) - (last.result or {}).get("changes", 0)
    since = last.now - last.finished_at
    if new <= 0 or since < A_WHILE_AGO:
        return False
    if new >= ENOUGH_CHANGES or since >= LONG_AGO:
        return True
    progress = progress_of(project.pk)
    return progress.items_done >= progress.items  # people wait


def raise_targets(project: Project, item_ids: Sequence[int], job: Job | None = None) -> int:
    """Buy one more place for each of these items, within the budget; the first of them first.

    Passed over are items that are not finished any more, that somebody has locked just now, that have the most
    people already or have been answered by everybody, and those of the audit slice. Five hundred at a time, all or none of them; with a ``job``
    each step also says that its worker lives (raises LostClaim, JobCancelled). Returns how many were raised.
    """
    raised = 0
    for start in range(0, len(item_ids), AT_ONCE):
        with transaction.atomic():
            if job is not None:
                beat(job, start / len(item_ids))
            raised += _raise_some(project, item_ids[start : start + AT_ONCE])
    return raised


def _raise_some(project: Project, item_ids: Sequence[int]) -> int:
    """Items are locked before their project, as by everybody else; nobody is waited for."""
    finished = Item.objects.filter(project=project, pk__in=item_ids, state=ItemState.OPEN).filter(
        audit=AuditPart.NONE, free=0, leased=0, done__gt=0, done=F("target")
    )
    locked = {
        item.pk: item
        for item in finished.order_by("pk").select_for_update(skip_locked=True, of=("self",), no_key=True)
    }
    now = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if now.overlap_most is None or now.state == ProjectState.ARCHIVED:
        return 0
    in_vain = nobody_left(project, locked.values())
    wanting = [locked[pk] for pk in item_ids if pk in locked and pk not in in_vain]
    chosen = [item for item in wanting if item.target < now.overlap_most]
    if now.overlap_budget is not None:
        chosen = chosen[: max(now.overlap_budget - now.overlap_bought, 0)]
    if not chosen:
        return 0
    for place, item in enumerate(chosen, start=1):
        item.target, item.free = item.target + 1, 1
        item.lane, item.position = Lane.RETURNED, now.returned + place
    Item.objects.bulk_update(chosen, ["target", "free", "lane", "position"])
    Project.objects.filter(pk=project.pk).update(
        returned=F("returned") + len(chosen), overlap_bought=F("overlap_bought") + len(chosen)
    )
    Outbox.objects.create(project=project, items_done=-len(chosen))
    return len(chosen)


@transaction.atomic
def end_look(job: Job, result: dict[str, object]) -> None:
    """Keep what a look found, with its line in the audit log. Raises LostClaim."""
    finish_job(job, result)
    if result.get("raised"):
        record(job.created_by, job.project, "overlap.raised", job.project.slug, n=result["raised"])
