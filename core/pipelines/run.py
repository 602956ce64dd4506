"""Runs by request: one that comes with its predictions, checked as the rows of a file are; one to be trained here;
and a model as a file.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, cast

from core.exceptions import Invalid
from core.formats.errors import RowError
from core.formats.rows import PredictionRow, prediction_rows
from core.formats.table import Row
from core.models import FeatureSet, Job, Membership, Run
from core.pipelines.importing import AnswerChecker
from core.selectors.run import model_content
from core.services.run import create_run, start_training
from core.services.staging import NewAnswer

MOST_PREDICTIONS = 10_000
MOST_ERRORS = 50
FIELDS = frozenset({"name", "code_version", "parameters", "seed", "predictions"})


def register_run(membership: Membership, body: Mapping[str, Any]) -> Run:
    """A run of an outside model: ``name``, ``code_version``, ``parameters``, ``seed``, ``predictions``.

    Raises Invalid ``unknown-field``, ``bad-predictions`` (with the rows that are wrong), and what
    services.run.create_run raises.
    """
    unknown = [name for name in body if name not in FIELDS]
    if unknown:
        raise Invalid("unknown-field", f"There is no field {unknown[0][:60]!r} here.")
    rows = body.get("predictions") or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Invalid("bad-predictions", "predictions is a list of objects.")
    if len(rows) > MOST_PREDICTIONS:
        raise Invalid(
            "too-many-predictions",
            f"A request takes {MOST_PREDICTIONS:,} predictions; import a file of more.",
        )
    return create_run(
        membership,
        body.get("name"),
        code_version=body.get("code_version", ""),
        parameters=body.get("parameters"),
        seed=body.get("seed"),
        predictions=_checked(membership, rows),
    )


def _checked(membership: Membership, rows: list[dict[str, object]]) -> list[NewAnswer]:
    numbers = count(1)
    typed: list[PredictionRow | RowError] = list(
        prediction_rows(Row(number, number, row) for number, row in zip(numbers, rows, strict=False))
    )
    chunk = AnswerChecker(membership.project).chunk(typed)
    wrong = [(row.row, row.column, row.code, row.detail) for row in chunk.refused]
    accepted: list[NewAnswer] = []
    seen: set[tuple[int, int]] = set()
    for row in cast("Sequence[NewAnswer]", chunk.accepted):
        if (row.item_id, row.question_id) in seen:
            detail = "An earlier row is about this item and question."
            wrong.append((row.row, "item_id", "duplicate-prediction", detail))
        seen.add((row.item_id, row.question_id))
        accepted.append(row)
    if wrong:
        errors = [
            {
                "row": number,
                "pointer": f"/predictions/{number - 1}/{column}",
                "code": code,
                "detail": detail,
            }
            for number, column, code, detail in sorted(wrong)[:MOST_ERRORS]
        ]
        sentence = f"{len(wrong):,} of the predictions are wrong; nothing was saved."
        raise Invalid("bad-predictions", sentence, errors=errors)
    return accepted


def train_run(membership: Membership, body: Mapping[str, Any]) -> Job:
    """The job that trains what ``train`` asks for. Raises Invalid ``unknown-field``, and what start_training raises."""
    other = [name for name in body if name != "train"]
    if other:
        raise Invalid("unknown-field", f"Beside train there is no field {other[0][:60]!r}.")
    return start_training(membership, body["train"])


def model_archive(run: Run) -> bytes:
    """A zip file with the model and all that scoring takes; the same run always gives the same bytes.

    ``model.npz``: the arrays of numerics.classifier; ``features.json`` and ``basis.npz``: how items become rows
    (numerics.features); ``model.json``: the run, its classes and metrics. Raises ModelDropped.
    """
    told = {
        "run": run.pk,
        "name": run.name,
        "code_version": run.code_version,
        "question": None if run.question is None else run.question.key,
        "classes": (run.metrics or {}).get("classes", []),
        "labels_digest": run.labels_digest,
        "n_labels": run.n_labels,
        "seed": run.seed,
        "parameters": run.parameters,
        "metrics": run.metrics,
        "created_at": run.created_at.isoformat(),
    }
    parts = {"model.json": json.dumps(told, indent=2).encode(), "model.npz": model_content(run)}
    if run.feature_set_id is not None:
        features = FeatureSet.objects.get(pk=run.feature_set_id)
        parts["features.json"] = json.dumps(features.spec, indent=2).encode()
        parts["basis.npz"] = bytes(features.basis)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()
