"""Rounds of selection with their picks, and trained runs, put straight into the tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.utils import timezone

from core.choices import RunKind, Strategy, Stream
from core.models import (
    FeatureSet,
    Item,
    LabelClass,
    Pick,
    Prediction,
    Project,
    Question,
    Run,
    RunModel,
    Selection,
)
from core.numerics.classifier import Classifier

CHANCE = {Stream.SELECTED: 1.0, Stream.AUDIT: 0.25, Stream.HOLDOUT: 0.5, Stream.RANDOM: 0.01}


def make_features(project: Project) -> FeatureSet:
    """The first version of a project's features, of texts."""
    spec = {"kind": "text", "fields": ["text"], "characters": True, "n_hashed": 2**18, "n_dense": 64}
    return FeatureSet.objects.create(
        project=project, number=1, spec=spec, basis=b"", n_items=project.items.count()
    )


def make_trained_run(
    project: Project,
    said: Mapping[Item, str],
    *,
    n_labels: int,
    name: str = "model 1",
    key: str = "answer",
    **more: Any,
) -> Run:
    """A run that was trained here on so many labels, with its model and what it says of these items."""
    question = Question.objects.get(project=project, key=key)
    class_ids = dict(question.classes.values_list("name", "pk"))
    run = Run.objects.create(
        project=project,
        kind=RunKind.TRAINED,
        question=question,
        name=name,
        n_labels=n_labels,
        labels_digest=f"{n_labels:064x}",
        seed=more.pop("seed", 7),
        code_version=more.pop("code_version", "0.4"),
        **more,
    )
    RunModel.objects.create(run=run, content=a_model(len(class_ids)).to_bytes(), sha256="0" * 64)
    Prediction.objects.bulk_create(
        Prediction(
            run=run, item=item, item_version=item.version, question=question, label_class_id=class_ids[label]
        )
        for item, label in said.items()
    )
    return run


def a_model(n_classes: int) -> Classifier:
    """A model of two columns that knows every class."""
    weights = np.linspace(-1, 1, 2 * n_classes, dtype=np.float32).reshape(2, n_classes)
    return Classifier(
        n_classes=n_classes,
        width=2**18,
        columns=np.arange(2),
        weights=weights,
        intercept=np.zeros(n_classes, dtype=np.float32),
        fitted=np.arange(n_classes),
    )


def make_round(
    project: Project, picked: Mapping[Stream, Sequence[Item]], *, run: Run | None = None, **more: Any
) -> Selection:
    """One round that put these items into the queue, in this order, by stream; ``more`` as of the model."""
    question = Question.objects.get(project=project, key=more.pop("key", "answer"))
    first, second = question.classes.filter(uncertain=False).order_by("order")[:2]
    fields = {
        "number": project.selections.count() + 1,
        "strategy": Strategy.HYBRID,
        "used": Strategy.HYBRID if run else "cold_start",
        "size": 50,
        "seed": 7,
        "n_pool": project.items.count(),
        "n_labels": run.n_labels if run else 0,
        "applied_at": timezone.now(),
        "report": a_report(project, picked),
        **more,
    }
    selection = Selection.objects.create(project=project, question=question, run=run, **fields)
    chosen = [(stream, item) for stream, items in picked.items() for item in items]
    Pick.objects.bulk_create(
        Pick(
            selection=selection,
            item=item,
            item_version=item.version,
            order=order,
            stream=stream,
            score=0.97 - order / 1000 if stream == Stream.SELECTED else None,
            inclusion_probability=CHANCE[stream],
            reason=a_reason(first, second) if stream == Stream.SELECTED and run else {},
        )
        for order, (stream, item) in enumerate(chosen)
    )
    return selection


def a_reason(first: LabelClass, second: LabelClass) -> dict[str, Any]:
    """The model hesitates between two classes."""
    return {
        "why": "margin",
        "first": first.name,
        "second": second.name,
        "p_first": 0.48,
        "p_second": 0.45,
        "cluster": 3,
        "cluster_size": 12,
    }


def a_report(project: Project, picked: Mapping[Stream, Sequence[Item]]) -> dict[str, Any]:
    """What a round tells besides its columns."""
    holdout = project.items.filter(audit="holdout")
    return {
        "streams": {stream.value: len(items) for stream, items in picked.items()},
        "stream_left": 40,
        "holdout": {"n": holdout.count(), "labelled": holdout.filter(done__gt=0).count()},
        "n_uncertain": 2,
        "seconds": {"features": 0.2, "train": 0.1, "score": 0.05, "choose": 0.3},
        "parts": 1,
        "subsample": None,
        "classes": [],
        "unseen": [],
        "hard": [],
        "replay": None,
        "stop": None,
    }
