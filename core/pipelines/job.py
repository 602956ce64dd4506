"""Run one job, whatever its kind: claim it, do it, and leave it in a state that says how it ended."""

import logging
from collections.abc import Callable, Mapping
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError

from core.choices import JobKind
from core.exceptions import DomainError
from core.models import Job
from core.pipelines.features import run_features
from core.pipelines.function import run_weak
from core.pipelines.importing import run_import
from core.pipelines.label_error import run_errors
from core.pipelines.overlap import run_overlap
from core.pipelines.report import run_report
from core.pipelines.selection import run_score, run_selection
from core.pipelines.spreading import run_spread
from core.pipelines.training import run_predict, run_train
from core.pipelines.validation import run_validate
from core.pipelines.void import run_void, run_void_undo
from core.services.job import JobCancelled, LostClaim, claim_job, end_cancelled, fail_job

logger = logging.getLogger("labelapp.jobs")

PIPELINES: Mapping[str, Callable[[Job], None]] = {
    JobKind.ERRORS: run_errors,
    JobKind.FEATURES: run_features,
    JobKind.IMPORT: run_import,
    JobKind.OVERLAP: run_overlap,
    JobKind.PREDICT: run_predict,
    JobKind.REPORT: run_report,
    JobKind.SCORE: run_score,
    JobKind.SELECT: run_selection,
    JobKind.SPREAD: run_spread,
    JobKind.TRAIN: run_train,
    JobKind.VALIDATE: run_validate,
    JobKind.VOID: run_void,
    JobKind.VOID_UNDO: run_void_undo,
    JobKind.WEAK: run_weak,
}


def run_job(job_id: UUID) -> None:
    """Claim the job and do it; nothing when somebody else has it or it has ended.

    A database that goes away in the midst of it leaves the job to be taken back and done again.
    """
    try:
        job = claim_job(job_id)
        if job is not None:
            _run(job)
    except LostClaim:
        logger.warning("job %s was taken over by another worker", job_id)
    except (OperationalError, InterfaceError) as error:
        logger.warning("job %s stopped, to be taken back: %s", job_id, type(error).__name__)


def _run(job: Job) -> None:
    try:
        PIPELINES[job.kind](job)
    except (LostClaim, OperationalError, InterfaceError):
        raise
    except JobCancelled:
        end_cancelled(job)
    except DomainError as error:
        fail_job(job, error.code, error.detail)
    except SoftTimeLimitExceeded:
        fail_job(job, "too-slow", "The job took longer than a job may.")
    except Exception:
        logger.exception("job %s failed", job.pk)
        fail_job(job, "internal-error", "Something went wrong here, not with what was sent.")
