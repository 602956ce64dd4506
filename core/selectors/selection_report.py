"""Reads behind the report on selection: what waits in the queue, the trained runs, what they say of the holdout."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import Count, F, QuerySet

from core.choices import AuditPart, ItemState, JobKind, Lane, RunKind, Stream
from core.models import Item, Job, Membership, Pick, Prediction, Project, Run
from core.selectors.job import jobs_of
from core.selectors.lease import in_hand
from core.selectors.selection import in_queue

SAID = np.dtype([("run", "i8"), ("item", "i8"), ("label", "i8")])


def holdout_of(project: Project) -> QuerySet[Item]:
    """The items on which models are measured."""
    return Item.objects.filter(project=project, audit=AuditPart.HOLDOUT).exclude(state=ItemState.WITHDRAWN)


def waiting_by_stream(project: Project) -> dict[str, int]:
    """How many picks still have a place to give, by stream."""
    waiting = Pick.objects.filter(selection__in=in_queue(project.pk), item__state=ItemState.OPEN)
    waiting = waiting.filter(item__lane=Lane.PICKED, item__free__gt=0)
    counted = dict(waiting.order_by().values_list("stream").annotate(n=Count("pk")))
    return {stream.value: counted.get(stream.value, 0) for stream in Stream}


def trained_runs(project: Project, question_id: int) -> QuerySet[Run]:
    """The runs that were trained here for a question by people's labels alone, fewest labels first.

    What learnt from the labels of another run besides says nothing of what so many labels are worth.
    Of their metrics only ``naive`` is read: the accuracy cross-validated on their own labels (a figure, or null).
    """
    runs = Run.objects.filter(project=project, question_id=question_id, kind=RunKind.TRAINED)
    runs = runs.exclude(parameters__has_key="weak_run")
    runs = runs.annotate(naive=F("metrics__selected_cv__accuracy"))
    return runs.defer("metrics", "parameters").order_by("n_labels", "pk")


def said_of_holdout(project: Project, question_id: int, run_ids: Sequence[int]) -> npt.NDArray[Any]:
    """What these runs say of the holdout as it is today: a row (run, item, class id) each, by run and item."""
    said = Prediction.objects.filter(
        run__in=run_ids,
        question_id=question_id,
        item__in=holdout_of(project).order_by(),
        item_version=F("item__version"),
        label_class__isnull=False,
    )
    rows = said.order_by("run_id", "item_id").values_list("run_id", "item_id", "label_class_id")
    return np.fromiter(rows.iterator(10_000), dtype=SAID)


def held_by(reader: Membership, item_ids: Collection[int]) -> set[int]:
    """Those of the items that the reader has in hand."""
    return set(in_hand(reader).filter(item__in=item_ids).values_list("item_id", flat=True))


def latest_job(project: Project, kind: JobKind) -> Job | None:
    """The newest job of a kind."""
    return jobs_of(project.pk).filter(kind=kind).first()
