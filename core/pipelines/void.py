"""Take a person's answers out of the counts, or put them back, where they are too many for a request."""

from datetime import datetime

from core.access import Action, Actor, get_membership_by_project
from core.exceptions import Missing
from core.models import Job, Membership
from core.selectors.void import Span
from core.services.job import kept_alive
from core.services.void import undo_void, void_annotations


def run_void(job: Job) -> None:
    """Take out the answers of ``member`` from ``since`` to ``until`` for a ``reason``, in one transaction with the job's end.

    Fails with what void_annotations raises, and with ``not-found`` or ``not-allowed`` where whoever asked for it may no
    longer.
    """
    asked = job.arguments
    span = Span(_read(asked["since"]), _read(asked["until"]))
    with kept_alive(job):
        void_annotations(_asker(job), asked["member"], asked["reason"], span, job)


def run_void_undo(job: Job) -> None:
    """Put the answers of a ``void`` back, in one transaction with the job's end. Fails as run_void does."""
    with kept_alive(job):
        undo_void(_asker(job), job.arguments["void"], job)


def _asker(job: Job) -> Membership:
    if job.created_by is None:
        raise Missing
    return get_membership_by_project(Actor(job.created_by), job.project_id, Action.MEMBERS_EDIT)


def _read(time: str | None) -> datetime | None:
    return None if time is None else datetime.fromisoformat(time)
