"""The report on selection: the learning curve, what random labels would have cost, what is hard, the books.

Every trained run keeps what it says of each item of the holdout, so the curve is drawn anew from the labels that the
holdout has today. Nothing here trains a model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.choices import FileFormat, Strategy, Stream
from core.exceptions import Missing
from core.formats.writers import write_rows
from core.models import Membership, Pick, Project, Run, Selection
from core.numerics.learning_curve import APART, STEP, Curve, Learning, learning, missing_gain, stop_hint
from core.numerics.metrics import quality
from core.numerics.results import Figure
from core.numerics.table import Ints
from core.pipelines.holdout import Labelled, certain_names, class_document, holdout_labels, said_codes
from core.selectors.moment import database_now, one_moment
from core.selectors.question import QuestionSpec
from core.selectors.selection import learnable_question as chosen_question
from core.selectors.selection import picks_of, rounds_of
from core.selectors.selection_report import (
    held_by,
    trained_runs,
    waiting_by_stream,
)
from core.selectors.training import learnable_question

Json = dict[str, Any]
MOST_POINTS = 30  # models that the curve is drawn through
MOST_ROUNDS = 50
MOST_HARD = 10
LINE_POINTS = 40  # of a fitted line
SEED = 0  # of the bands
FURTHER = 1.15  # the fitted line goes on beyond the last model
TABLES = ("curve", "classes", "rounds")
_SPREAD = ("value", "low", "high", "n_items", "reason")
_ROUND = (
    "number",
    "strategy",
    "used",
    "size",
    "seed",
    "n_pool",
    "n_labels",
    "kappa",
    "pool_digest",
    "run_name",
    "created_at",
    "applied_at",
    "ended_at",
)
_STREAMS = ("selected", "audit", "holdout", "random")


@dataclass(frozen=True, eq=False)
class Scored:
    """Trained runs, fewest labels first, and what each says (runs x items) of the same labelled items."""

    runs: Sequence[Run]
    predicted: Ints
    truth: Ints


def selection_report(project: Project, question_key: str | None = None) -> Json:
    """What waits, how good the model is, how it came there, and every round.

    - ``project``, ``question``, ``as_of``; ``on``, ``chosen_for`` (the question that items are
      chosen for), ``strategy``, ``size``, ``seed``: the settings in force.
    - ``waiting``: picks that still have a place to give, by stream; ``stream_left``: items of the audit stream that
      were never drawn (null before the first round).
    - ``holdout``: ``n`` items, ``labelled`` so far.
    - ``model``: the newest that was trained here (null without one): ``run``, ``name``, ``n_labels``,
      ``n_uncertain``, ``accuracy`` and ``macro_f1`` (figures on the holdout), ``per_class``, ``classes`` and
      ``confusion`` (rows: truth), ``naive`` (accuracy cross-validated on its own labels, which were chosen: a figure
      not to be believed, null where it was not measured).
    - ``curve``: ``points`` (``run``, ``name``, ``n``, ``accuracy``, ``macro_f1``) on the items that all of these
      models were scored on, at most 30; ``fit``: for either measure rows of ``n``, ``value``, ``low``, ``high``
      (empty with fewer than four models or 20 items).
    - ``random``: what labels by chance would have cost, an estimate (see pipelines.training.replay; null before the
      first); ``stop``: ``stable``, ``running``, ``kappas``, ``threshold``, and the ``gain`` per 100 labels.
    - ``hard``: ``classes`` (worst F1 first), ``n_classes``, ``pairs`` between which the last picks lie, ``unseen``.
    - ``rounds``: the last 50, as round_line tells them.

    Raises Invalid ``unknown-question``, Conflict ``no-learnable-question``.
    """
    chosen_for = chosen_question(project)
    key = question_key or (chosen_for.key if chosen_for else None)
    question = learnable_question(project, key)
    with one_moment():
        rounds = list(rounds_of(project).filter(question_id=question.id)[:MOST_ROUNDS])
        labelled = holdout_labels(project, question)
        runs = list(trained_runs(project, question.id))
        newest = max(runs, key=lambda run: run.pk, default=None)
        waiting = waiting_by_stream(project)
        scored, own = _scored(project, question, runs, newest, labelled)
        as_of = database_now(project)
    curve = learning(
        np.array([run.n_labels for run in scored.runs], dtype=np.int64),
        scored.predicted,
        scored.truth,
        len(certain_names(question)),
        seed=SEED,
    )
    told: Json = next((one.report for one in rounds if "streams" in one.report), {})
    model = None if newest is None else _model(question, newest, own)
    return {
        "project": project.slug,
        "question": question.key,
        "as_of": as_of.isoformat(),
        "on": project.selection_on,
        "chosen_for": chosen_for.key if chosen_for else None,
        "strategy": project.selection_strategy,
        "size": project.selection_size,
        "seed": project.selection_seed,
        "waiting": waiting,
        "stream_left": told.get("stream_left"),
        "holdout": {"n": labelled.n_holdout, "labelled": int(labelled.item.size)},
        "model": model,
        "curve": _curve(scored, curve),
        "random": told.get("replay"),
        "stop": None if model is None else _stop(rounds, curve, model),
        "hard": _hard(model, told),
        "rounds": [round_line(one) for one in rounds],
    }


def _scored(
    project: Project, question: QuestionSpec, runs: Sequence[Run], newest: Run | None, labelled: Labelled
) -> tuple[Scored, tuple[Ints, Ints]]:
    """Models for the curve on the items that all of them were scored on; the newest one on all of its own."""
    told = _thinned(runs)
    wanted = {run.pk for run in told} | ({newest.pk} if newest else set())
    said = said_codes(project, question, sorted(wanted), labelled)
    n = labelled.item.size
    covered = [run for run in told if 2 * np.count_nonzero(said[run.pk] >= 0) > n]
    predicted = np.array([said[run.pk] for run in covered], dtype=np.int64).reshape(len(covered), n)
    common = (predicted >= 0).all(axis=0)
    own = said[newest.pk] if newest else np.full(n, -1)
    there = own >= 0
    return (
        Scored(covered, predicted[:, common], labelled.label[common]),
        (labelled.label[there], own[there]),
    )


def _thinned(runs: Sequence[Run]) -> list[Run]:
    """The last run of every number of labels, at most 30 of them, the first and the last among them."""
    last = list({run.n_labels: run for run in runs if run.n_labels}.values())
    if len(last) <= MOST_POINTS:
        return last
    places = np.unique(np.linspace(0, len(last) - 1, MOST_POINTS).round().astype(int))
    return [last[place] for place in places]


def _model(question: QuestionSpec, run: Run, own: tuple[Ints, Ints]) -> Json:
    names = certain_names(question)
    found = quality(*own, len(names))
    return {
        "run": run.pk,
        "name": run.name,
        "n_labels": run.n_labels,
        "n_uncertain": run.n_uncertain,
        "accuracy": found.accuracy.to_dict(),
        "macro_f1": found.macro_f1.to_dict(),
        "per_class": [class_document(names, row) for row in found.per_class],
        "classes": names,
        "confusion": found.confusion.tolist(),
        "naive": getattr(run, "naive", None),
    }


def _curve(scored: Scored, curve: Learning) -> Json:
    points = [
        {
            "run": run.pk,
            "name": run.name,
            "n": run.n_labels,
            "accuracy": point.accuracy.to_dict(),
            "macro_f1": point.macro_f1.to_dict(),
        }
        for run, point in zip(scored.runs, curve.points, strict=True)
    ]
    return {
        "points": points,
        "fit": {"accuracy": _line(curve.accuracy), "macro_f1": _line(curve.macro_f1)},
    }


def _line(curve: Curve | None) -> list[Json]:
    """A fitted curve as points from the fewest labels to a little beyond the most."""
    if curve is None:
        return []
    first, last = max(1.0, float(curve.n.min())), FURTHER * float(curve.n.max())
    n = np.unique(np.geomspace(first, last, LINE_POINTS).round())
    low, high = curve.band(n)
    columns = (n.astype(int).tolist(), *(column.round(5).tolist() for column in (curve.values(n), low, high)))
    return [
        {"n": count, "value": value, "low": under, "high": over}
        for count, value, under, over in zip(*columns, strict=True)
    ]


def _stop(rounds: Sequence[Selection], curve: Learning, model: Json) -> Json:
    """Whether predictions have come to rest, and what 100 more labels would add."""
    apart: list[float | None] = []
    least = float("inf")
    for one in rounds:
        if one.run_id is not None and one.applied_at is not None and one.n_labels <= least - APART:
            apart.append(one.kappa)
            least = one.n_labels
    hint = stop_hint(apart[::-1])
    n = model["n_labels"]

    def gain(found: Curve | None) -> Figure:
        return missing_gain(model["accuracy"]["n_items"]) if found is None else found.gain(n, STEP)

    return {
        "stable": hint.stable,
        "running": hint.running,
        "wanted": hint.wanted,
        "kappas": list(hint.kappas),
        "threshold": hint.threshold,
        "gain": {"accuracy": gain(curve.accuracy).to_dict(), "macro_f1": gain(curve.macro_f1).to_dict()},
    }


def _hard(model: Json | None, told: Json) -> Json:
    rows = (
        []
        if model is None
        else [row for row in model["per_class"] if row["n"] and row["f1"]["value"] is not None]
    )
    worst = sorted(rows, key=lambda row: (row["f1"]["value"], row["class"]))
    return {
        "classes": worst[:MOST_HARD],
        "n_classes": len(rows),
        "pairs": told.get("hard", [])[:MOST_HARD],
        "unseen": told.get("unseen", []),
    }


# --- Rounds ------------------------------------------------------------------------------------------


def round_line(selection: Selection) -> Json:
    """One round as the API tells it in lists."""
    told, job = selection.report, selection.job
    return {
        "number": selection.number,
        "job": None if job is None else str(job.pk),
        "state": None if job is None else job.state,
        "strategy": selection.strategy,
        "used": selection.used,
        "size": selection.size,
        "seed": selection.seed,
        "apply": selection.apply,
        "n_pool": selection.n_pool,
        "n_labels": selection.n_labels,
        "n_uncertain": told.get("n_uncertain", 0),
        "pool_digest": selection.pool_digest,
        "features": selection.feature_set.number if selection.feature_set else None,
        "run": selection.run_id,
        "run_name": selection.run.name if selection.run else None,
        "kappa": selection.kappa,
        "streams": {name: told.get("streams", {}).get(name, 0) for name in _STREAMS},
        "seconds": told.get("seconds", {}),
        "parts": told.get("parts", 1),
        "subsample": told.get("subsample"),
        "created_at": selection.created_at,
        "applied_at": selection.applied_at,
        "ended_at": selection.ended_at,
    }


def round_document(selection: Selection, reader: Membership) -> Json:
    """One round with its ``picks`` in the order of the queue: item, stream, score, probability and reason.

    Reason and score of an item that the reader has in hand are null: they tell what a model thinks of it. The
    probability is null where chance drew within a strategy and nobody can say with which.
    """
    picks = list(picks_of(selection))
    held = held_by(reader, [pick.item_id for pick in picks])
    return {
        **round_line(selection),
        "picks": [
            {
                "item": pick.item.external_id,
                "item_version": pick.item_version,
                "order": pick.order,
                "stream": pick.stream,
                "score": None if pick.item_id in held else pick.score,
                "inclusion_probability": None if _by_unknown_chance(pick) else pick.inclusion_probability,
                "reason": None if pick.item_id in held else pick.reason,
            }
            for pick in picks
        ],
    }


def _by_unknown_chance(pick: Pick) -> bool:
    """Whether k-means++ drew an item (``badge``), or chance within a region of few labels (``region``)."""
    if pick.stream != Stream.SELECTED:
        return False
    why = pick.reason.get("why")
    return bool(
        why == Strategy.BADGE or (why == Strategy.REGION and pick.reason.get("by") == Strategy.RANDOM)
    )


# --- Tables ------------------------------------------------------------------------------------------


def table_csv(report: Json, name: str) -> Iterator[bytes]:
    """One of TABLES as CSV that a spreadsheet cannot run; raises Missing for any other name."""
    columns, rows = _table(report, name)
    return write_rows(rows, columns, FileFormat.CSV)


def _table(report: Json, name: str) -> tuple[tuple[str, ...], list[Json]]:
    if name == "curve":
        rows = [
            {"model": row["name"], "labels": row["n"], **_spread(row, "accuracy"), **_spread(row, "macro_f1")}
            for row in report["curve"]["points"]
        ]
        return ("model", "labels", *_named("accuracy"), *_named("macro_f1")), rows
    if name == "classes":
        measures = ("f1", "precision", "recall")
        model = report["model"] or {"per_class": []}
        rows = [
            {
                "class": row["class"],
                "n": row["n"],
                "n_predicted": row["n_predicted"],
                **{key: value for one in measures for key, value in _spread(row, one).items()},
            }
            for row in model["per_class"]
        ]
        return ("class", "n", "n_predicted", *(key for one in measures for key in _named(one))), rows
    if name == "rounds":
        rows = [
            {**{key: row[key] for key in _ROUND}, **row["streams"], "seconds": sum(row["seconds"].values())}
            for row in report["rounds"]
        ]
        return (*_ROUND, *_STREAMS, "seconds"), rows
    raise Missing


def _spread(row: Json, measure: str) -> Json:
    figure = row[measure]
    low, high = figure["ci"] or (None, None)
    values = (figure["value"], low, high, figure["n_items"], figure["reason"])
    return dict(zip(_named(measure), values, strict=True))


def _named(measure: str) -> tuple[str, ...]:
    return tuple(f"{measure}_{name}" for name in _SPREAD)
