"""Reads of runs: the list, what each says about which question, and its predictions as columns."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Count, QuerySet

from core.choices import RunKind
from core.exceptions import DomainError, Invalid, Missing
from core.models import Prediction, Project, Run, RunModel


class ModelDropped(Missing):
    """The run is there, its model is not any more: 404."""

    def __init__(self) -> None:
        DomainError.__init__(
            self, "model-dropped", "The model of this run is not kept, or it never had one here."
        )


def runs_of(project_id: int) -> QuerySet[Run]:
    """A project's runs, newest first; not those of labeling functions that are still being made."""
    runs = Run.objects.filter(project_id=project_id).exclude(kind=RunKind.WEAK, metrics=None)
    runs = runs.select_related("created_by", "question", "feature_set")
    return runs.defer("feature_set__basis").order_by("-pk")


def run_of(project_id: int, run_id: int) -> Run:
    """One run of a project. Raises Missing."""
    run = runs_of(project_id).filter(pk=run_id).first()
    if run is None:
        raise Missing
    return run


def run_called(project: Project, text: str) -> Run:
    """One run by its name or its number; a name goes first. Raises Invalid ``unknown-run``."""
    runs = runs_of(project.pk)
    run = runs.filter(name=text.strip()).first()
    if run is None and text.isascii() and text.isdigit() and len(text) < 19:  # noqa: PLR2004 -- of the column's kind
        run = runs.filter(pk=int(text)).first()
    if run is None:
        raise Invalid("unknown-run", f"There is no run {text[:60]!r} here.")
    return run


def run_documents(runs: Iterable[Run], *, details: bool = False) -> list[dict[str, Any]]:
    """Runs as the API tells them, each with how many predictions it has for every question.

    The figures by class are in the metrics with ``details`` only: with many classes they are long.
    """
    runs = list(runs)
    kept = set(RunModel.objects.filter(run__in=runs).values_list("run_id", flat=True))
    counts: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    rows = (
        Prediction.objects.filter(run__in=runs)
        .values_list("run_id", "question__key", "question__order")
        .annotate(n=Count("pk"))
        .order_by("run_id", "question__order")
    )
    for run_id, key, _order, n in rows:
        counts[run_id].append({"question": key, "n": n})
    return [
        {
            "id": run.pk,
            "name": run.name,
            "kind": run.kind,
            "question": None if run.question is None else run.question.key,
            "features": None if run.feature_set is None else run.feature_set.number,
            "labels_digest": run.labels_digest,
            "n_labels": run.n_labels,
            "n_uncertain": run.n_uncertain,
            "metrics": run.metrics if details else _headline(run.metrics),
            "has_model": run.pk in kept,
            "code_version": run.code_version,
            "parameters": run.parameters,
            "seed": run.seed,
            "n_predictions": sum(row["n"] for row in counts[run.pk]),
            "questions": counts[run.pk],
            "created_at": run.created_at,
        }
        for run in runs
    ]


def _headline(metrics: dict[str, Any] | None) -> dict[str, Any] | None:
    if metrics is None or "holdout" not in metrics:
        return metrics
    short = {key: value for key, value in metrics["holdout"].items() if key not in {"per_class", "confusion"}}
    return {**metrics, "holdout": short}


def runs_for(project_id: int, question_id: int) -> QuerySet[Run]:
    """The runs that say something about a question, newest first."""
    said = Prediction.objects.filter(question_id=question_id, run__project_id=project_id).order_by()
    return runs_of(project_id).filter(pk__in=said.values("run_id"))


def model_content(run: Run) -> bytes:
    """The bytes of a run's model (numerics.classifier). Raises ModelDropped."""
    found = RunModel.objects.filter(run=run).values_list("content", flat=True).first()
    if found is None:
        raise ModelDropped
    return bytes(found)
