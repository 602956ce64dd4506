"""Looks for labels that are likely wrong: begun by a lead, kept by the worker that did it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db import transaction

from core.choices import Doubt, JobKind, RelabelFor
from core.exceptions import Invalid
from core.models import ErrorSearch, Job, LabelError, Membership, Relabel
from core.selectors.label_error import errors_of, last_search
from core.selectors.question import QuestionSpec
from core.selectors.training import learnable_question
from core.services.archive import check_open
from core.services.job import beat, finish_job, start_once
from core.services.relabel import Order, Sent, send_again

SEARCHES_KEPT = 5


class NewError(NamedTuple):
    """A doubt as the worker found it; classes and items by their keys, ``likely`` and ``other`` may be None."""

    item_id: int
    score: float
    given_id: int
    likely_id: int | None
    other_id: int | None


def start_search(membership: Membership, question: str | None = None) -> Job:
    """Look for wrong labels of a question, or of the first that a model can learn; the look under way where there is one.

    Raises Invalid ``unknown-question``; Conflict ``no-learnable-question``, ``project-archived``; TooMany.
    """
    check_open(membership.project)
    spec = learnable_question(membership.project, question)
    return start_once(membership, JobKind.ERRORS, spec.key, "errors.looked_for")


@transaction.atomic
def keep_search(
    job: Job,
    question: QuestionSpec,
    *,
    changes: int,
    report: dict[str, Any],
    found: Mapping[Doubt, Sequence[NewError]],
) -> ErrorSearch:
    """Keep what a look found, each list by rank, and end its job. The newest five looks are kept.

    Raises LostClaim, JobCancelled.
    """
    beat(job)
    search = ErrorSearch.objects.create(
        project=job.project,
        question_id=question.id,
        job=job,
        changes=changes,
        report=report,
        created_by=job.created_by,
    )
    LabelError.objects.bulk_create(
        (
            LabelError(search=search, doubt=doubt, rank=rank, **one._asdict())
            for doubt, errors in found.items()
            for rank, one in enumerate(errors, start=1)
        ),
        batch_size=1000,
    )
    kept = ErrorSearch.objects.filter(project=job.project).order_by("-pk").values_list("pk", flat=True)
    ErrorSearch.objects.filter(pk__in=list(kept[SEARCHES_KEPT:])).delete()
    finish_job(job, {"search": search.pk, **{str(doubt): len(errors) for doubt, errors in found.items()}})
    return search


def send_errors(
    membership: Membership, doubt: Doubt, item_ids: Sequence[int], reason: str, *, words: Mapping[int, str]
) -> Sent:
    """Send items of the last look back to be labeled again; ``words`` tell of single items why.

    Raises what send_again raises, and Invalid ``no-search`` where nobody has looked yet.
    """
    search = last_search(membership.project)
    if search is None:
        raise Invalid("no-search", "Nobody has looked for wrong labels yet.")
    with transaction.atomic():
        order = Order(source=RelabelFor.ERRORS)
        sent = send_again(membership, item_ids, reason, reasons=words, order=order)
        if sent.relabel is not None:
            _mark(search, doubt, sent.sent, sent.relabel)
    return sent


def _mark(search: ErrorSearch, doubt: Doubt, item_ids: Sequence[int], relabel: Relabel) -> None:
    rows = errors_of(search, doubt).filter(item__in=item_ids)
    LabelError.objects.filter(pk__in=list(rows.values_list("pk", flat=True))).update(relabel=relabel)
