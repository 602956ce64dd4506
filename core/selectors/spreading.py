"""Labels spread to near neighbours: the last time that it was done, and the run that came of it."""

from core.choices import JobKind, JobState
from core.models import Job, Project
from core.selectors.job import unfinished_jobs


def spreading_now(project: Project) -> Job | None:
    """The spreading that waits or runs."""
    return unfinished_jobs(project.pk).filter(kind=JobKind.SPREAD).first()


def last_spreading(project: Project) -> Job | None:
    """The newest spreading that came to an end; its result is as pipelines.spreading.run_spread tells."""
    done = Job.objects.filter(project=project, kind=JobKind.SPREAD, state=JobState.DONE)
    return done.order_by("-finished_at", "-pk").first()
