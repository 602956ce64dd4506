"""Choose what to label next: one round of selection, made here and now, without a worker."""

import argparse
import json
import time
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from core.choices import JobState, Strategy
from core.exceptions import DomainError
from core.models import Job, Selection
from core.pipelines.job import run_job
from core.selectors.imports import owner_of
from core.selectors.job import UNFINISHED, job_by_id, parts_of
from core.selectors.selection import picks_of, round_of
from core.services.selection import choose_now

PAUSE_SECONDS = 0.5


class Command(BaseCommand):
    """With ``--json`` one JSON document on standard output and nothing else."""

    help = "Choose what to label next in the project SLUG, and put it into the queue."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """What the API takes, as options; what is left out is as the project has it."""
        parser.add_argument("slug")
        parser.add_argument("--strategy", choices=Strategy.values)
        parser.add_argument("--size", type=int, help="how many items in a batch, from 5 to 500")
        parser.add_argument("--seed", type=int)
        parser.add_argument("--dry", action="store_true", help="only look: the queue stays as it is")
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exit status 1 with one line on standard error when it is refused or fails."""
        member = owner_of(options["slug"])
        if member is None:
            raise CommandError(f"There is no project {options['slug']!r}.")
        try:
            selection = choose_now(
                member,
                options["strategy"],
                options["size"],
                options["seed"],
                apply=not options["dry"],
                send=False,
            )
        except DomainError as error:
            raise CommandError(f"{error.detail} ({error.code})") from None
        job = _run(selection.job_id)
        if job.state != JobState.DONE:
            told = job.error or {"code": job.state, "detail": f"The round was {job.state}."}
            raise CommandError(f"{told['detail']} ({told['code']})")
        selection = round_of(member.project, selection.number)
        document = _document(selection)
        if options["json"]:
            self.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False))
            return
        head = f"round {selection.number}: {len(document['picks'])} of {document['pool']:,} items, {document['used']}"
        self.stdout.write(head)
        for pick in document["picks"]:
            score = "" if pick["score"] is None else f"{pick['score']:.4f}"
            self.stdout.write(
                f"{pick['order']:4} {pick['stream']:9} {score:>7} {pick['inclusion_probability']:.4g}\t{pick['item']}"
            )


def _run(job_id: UUID | None) -> Job:
    """Do a job and its parts here, beside any worker, until it has ended."""
    if job_id is None:
        raise CommandError("The round has no job.")
    while (job := job_by_id(job_id)).state in UNFINISHED:
        for part in parts_of(job):
            run_job(part)
        run_job(job_id)
        if job_by_id(job_id).state in UNFINISHED and not parts_of(job):  # the rest is in other processes
            time.sleep(PAUSE_SECONDS)
    return job


def _document(selection: Selection) -> dict[str, Any]:
    """All that the same labels and the same seed determine: no times, no row ids."""
    return {
        "strategy": selection.strategy,
        "used": selection.used,
        "size": selection.size,
        "seed": selection.seed,
        "applied": selection.applied_at is not None,
        "pool": selection.n_pool,
        "pool_digest": selection.pool_digest,
        "labels": selection.n_labels,
        "labels_digest": selection.run.labels_digest if selection.run else None,
        "picks": [
            {
                "item": pick.item.external_id,
                "order": pick.order,
                "stream": pick.stream,
                "score": pick.score,
                "inclusion_probability": pick.inclusion_probability,
                "reason": pick.reason,
            }
            for pick in picks_of(selection)
        ],
    }
