"""Choosing what to label next: labels and features in, picks with their books out.

A round has three stages, each of which can be done again without harm: a model is trained and kept with the round;
every part of the pool is scored with it and comes to a few candidates; these are merged, and what is chosen of them
goes into the queue. Up to 200,000 items one worker does all of it. Above, the parts are jobs of their own, which any
workers do; the picks are the same, because no candidate depends on how the pool was cut.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple, Self
from uuid import UUID

import numpy as np
import numpy.typing as npt

from core.choices import JobKind, Strategy, Stream
from core.exceptions import Conflict
from core.models import Job, Project, Run, Selection
from core.numerics import selection as numerics
from core.numerics.classifier import Classifier
from core.numerics.learning_curve import APART, prediction_kappa
from core.numerics.strategies.base import WHOLE, Candidates, Labelled, Part, State, hashed, pack, unpack
from core.numerics.strategies.label_again import among
from core.numerics.table import Ints
from core.pipelines.features import Features, features_in_force, ready_features
from core.pipelines.training import TrainingSet, replay, train_and_record, training_set
from core.selectors.progress import changes_of
from core.selectors.question import QuestionSpec, schema_of
from core.selectors.run import ModelDropped, model_content
from core.selectors.selection import (
    HOLDOUT,
    STREAM,
    Stretch,
    learnable,
    places_in,
    plan_of,
    pool_size,
    rounds_before,
    scored_parts,
    selection_of,
    stretches_of,
)
from core.services.job import beat, kept_alive, split_job
from core.services.pick import Books, NewPick, end_round
from core.services.selection import keep_model, keep_part, note_changes

ALONE = 200_000  # items that one worker scores by itself
BY_CHANCE = 0.2  # of a batch come from the audit stream; beside the batch up to as many from the holdout
WATCHED = 2_000  # items whose predictions are compared from round to round
REPLAY_EVERY = 5  # rounds
VERSIONS = 1 << 15  # the code of an item holds its version, so that a pick knows which one was scored
DRAW = np.dtype([("hash", "u8"), ("item", "i8"), ("tie", "u8")])

UInts64 = npt.NDArray[np.uint64]
Draws = npt.NDArray[np.void]
Json = dict[str, Any]


def run_selection(job: Job) -> None:
    """One round, from where it stands. The result tells its number, how many picks there are, and if they were applied.

    ``report`` of the round holds: ``streams`` (picks by stream), ``stream_left`` (of the audit stream, before the
    draw), ``holdout`` (``n``, ``labelled``), ``n_uncertain``, ``seconds`` by stage, ``parts``, ``subsample`` (items
    that a strategy which looks at the whole pool saw; null: all), ``classes`` with their labels, ``unseen`` ones,
    ``hard`` (pairs of classes between which the picks hesitate), ``replay`` (see pipelines.training, with the
    ``round`` it was made in), ``watched`` (a hash of the items whose
    predictions are compared). Fails with ``no-items``, ``no-learnable-question``.
    """
    with kept_alive(job):
        _run_selection(job)


def _run_selection(job: Job) -> None:
    selection = selection_of(job)
    plan = _kept_plan(selection)
    if plan is None:
        plan = _prepare(job, selection)
        selection = selection_of(job)
    parts = scored_parts(selection)
    missing = [number for number in range(len(plan.stretches)) if number + 1 not in parts]
    if plan.is_split and missing:
        split_job(job, JobKind.SCORE, [{"selection": selection.pk, "number": number} for number in missing])
        return
    if plan.is_split:
        scored = [_Scored.from_bytes(parts[number]) for number in sorted(parts)]
    else:
        scored = list(_scored_here(job, selection, plan))
    _finish(job, selection, plan, _together(scored, selection.size))


def _scored_here(job: Job, selection: Selection, plan: "_Plan") -> Iterator["_Scored"]:
    features = _features_of(selection)
    for number in range(len(plan.stretches)):
        beat(job, 0.3 + 0.5 * number / len(plan.stretches))
        yield _score(job, selection, plan, features, number)


def run_score(job: Job) -> None:
    """One part of a round: its items are scored with the model that is kept with the round."""
    selection = selection_of(job)
    number = int(job.arguments["number"])
    with kept_alive(job):
        plan, features = _at_hand(selection.job_id)
        scored = _score(job, selection, plan, features, number)
    keep_part(job, selection, number + 1, scored.to_bytes())


@lru_cache(maxsize=1)
def _at_hand(job_id: UUID) -> tuple["_Plan", Features]:
    """What every part of a round is scored with, by the round's job: it does not change, and is read once per worker."""
    selection = Selection.objects.select_related("feature_set__project", "run").get(job=job_id)
    plan = _kept_plan(selection)
    if plan is None:
        raise Conflict("round-dropped", "What this round was to be scored with is not kept any more.")
    return plan, _features_of(selection)


def _kept_plan(selection: Selection) -> "_Plan | None":
    """What the round's parts are scored with; None while it is not known yet."""
    content = plan_of(selection)
    if content is None:
        return None
    plan = _Plan.from_bytes(content)
    if not plan.model_is_runs:
        return plan
    if selection.run is None:
        raise ModelDropped
    model = Classifier.from_bytes(model_content(selection.run))
    return replace(plan, state=replace(plan.state, models=(model, *plan.state.models)))


def _features_of(selection: Selection) -> Features:
    if selection.feature_set is None:
        raise Conflict("features-dropped", "The features of this round are not kept any more.")
    return Features(selection.feature_set)


# --- Before the parts: the model --------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Plan:
    """What every part of a round needs: the state to score with, and which items are whose.

    With ``model_is_runs`` the classifier is not written with the rest: it is the one that the round's run keeps.
    """

    state: State
    stretches: list[Stretch]
    is_split: bool
    model_is_runs: bool

    def to_bytes(self) -> bytes:
        models = self.state.models[1:] if self.model_is_runs else self.state.models
        return pack(
            {
                "state": np.frombuffer(replace(self.state, models=models).to_bytes(), np.uint8),
                "stretches": np.array(self.stretches, dtype=np.int64),
                "flags": np.array([self.is_split, self.model_is_runs]),
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        arrays = unpack(content)
        stretches = [Stretch(*row) for row in arrays["stretches"].tolist()]
        return cls(State.from_bytes(arrays["state"].tobytes()), stretches, *arrays["flags"].tolist())


def _prepare(job: Job, selection: Selection) -> _Plan:
    project = Project.objects.get(pk=selection.project_id)
    question = _question(selection)
    note_changes(job, selection, changes_of(project))
    stretches = stretches_of(project)
    n_items = sum(one.n for one in stretches)
    is_split = n_items > ALONE
    clock = _Clock()
    features = features_in_force(project, n_items, job) if is_split else ready_features(project, job)
    if not stretches or features is None:
        raise Conflict("no-items", "There are no items to choose from.")
    seconds = {"features": clock.lap()}
    training = training_set(project, question)
    run, model = _model(job, selection, features, training)
    beat(job, 0.2)
    state = numerics.fit_state(
        selection.strategy,
        _labelled(training, features),
        selection.seed,
        model=model,
        n_pool=_n_pool(selection, model),
    )
    plan = _Plan(state, stretches, is_split, model is not None and state.models[:1] == (model,))
    told = _replayed(job, selection, training, features, (run, model))
    seconds["train"] = clock.lap()
    counts = np.bincount(training.target.argmax(axis=1), minlength=training.n_classes).tolist()
    pairs = list(zip(training.classes, counts, strict=True))
    report = {
        "n_uncertain": training.n_uncertain,
        "seconds": seconds,
        "parts": len(stretches) if is_split else 1,
        "subsample": numerics.SAMPLE if state.below < WHOLE else None,
        "classes": [{"class": name, "n": n} for name, n in pairs],
        "unseen": [name for name, n in pairs if n == 0],
        "replay": told,
    }
    keep_model(
        job,
        selection,
        run=run,
        feature_set=features.feature_set,
        used=numerics.used(selection.strategy, state),
        n_labels=len(training),
        report=report,
        content=plan.to_bytes(),
    )
    return plan


def _question(selection: Selection) -> QuestionSpec:
    specs = schema_of(selection.project).questions
    question = next((spec for spec in specs if spec.id == selection.question_id), None)
    if question is None or not learnable(question):
        raise Conflict("no-learnable-question", "The question cannot be learnt any more.")
    return question


def _names(selection: Selection) -> list[str]:
    """The classes as the model numbers them."""
    return [spec.name for spec in _question(selection).classes if not spec.uncertain]


def _model(
    job: Job, selection: Selection, features: Features, training: TrainingSet
) -> tuple[Run | None, Classifier | None]:
    """The round's run with its model: the one of an attempt that was broken off, else a new one."""
    if selection.run is not None:
        return selection.run, Classifier.from_bytes(model_content(selection.run))
    found = train_and_record(
        selection.project,
        training.question,
        features,
        seed=selection.seed,
        user=selection.created_by,
        job=job,
        training=training,
        selection=selection,
    )
    return found or (None, None)


def _n_pool(selection: Selection, model: Classifier | None) -> int:
    """The size of the pool where the strategy, or the cold start, may take a sample of it; else 0, and not counted."""
    if model is not None and not numerics.STRATEGIES[selection.strategy].whole_pool:
        return 0
    return pool_size(selection.project, again=selection.strategy == Strategy.LABEL_AGAIN)


def _labelled(training: TrainingSet, features: Features) -> Labelled:
    rows = features.rows(training.item, training.version)
    return Labelled(rows.sparse, rows.dense, training.target, training.tie, training.answers)


def _replayed(
    job: Job,
    selection: Selection,
    training: TrainingSet,
    features: Features,
    found: tuple[Run | None, Classifier | None],
) -> Json | None:
    """What chance would have cost: from an earlier round while the model is about as good as it was then."""
    run, model = found
    if run is None:
        return None
    accuracy = (run.metrics or {})["holdout"]["accuracy"]
    before = rounds_before(selection, 1)
    kept: Json | None = before[0].report.get("replay") if before else None
    if kept is not None and selection.number - kept["round"] < REPLAY_EVERY:
        low, high = kept["ci"] or (1.0, 0.0)
        if accuracy["value"] is None or low <= accuracy["value"] <= high:
            return kept
    ci = accuracy["ci"]
    told = replay(training, features, seed=selection.seed, model=model, job=job)
    return {**told, "round": selection.number, "ci": ci}


# --- A part -----------------------------------------------------------------------------------------


class _Counts(NamedTuple):
    """Sums over parts. ``ties`` adds up the hashes of the pool's ids: the same pool, the same sum."""

    pool: int
    rest: int
    stream: int
    holdout_left: int
    holdout: int
    holdout_labelled: int
    ties: int


@dataclass(frozen=True, eq=False)
class _Scored:
    """What a part of the pool comes to: candidates of the strategy, the first of each random draw, counts.

    ``watched`` are the part's items with the smallest hashes, and what the model says of them.
    """

    candidates: Candidates
    rest: Draws
    stream: Draws
    holdout: Draws
    watched: UInts64
    predicted: npt.NDArray[np.uint16]
    counts: _Counts
    seconds: float

    def to_bytes(self) -> bytes:
        return pack(
            {
                "candidates": np.frombuffer(self.candidates.to_bytes(), np.uint8),
                "rest": self.rest,
                "stream": self.stream,
                "holdout": self.holdout,
                "watched": self.watched,
                "predicted": self.predicted,
                "counts": np.array(self.counts, dtype=np.uint64),
                "seconds": np.array([self.seconds]),
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        arrays = unpack(content)
        candidates = Candidates.from_bytes(arrays.pop("candidates").tobytes())
        counts = _Counts(*arrays.pop("counts").tolist())
        seconds = float(arrays.pop("seconds")[0])
        return cls(candidates=candidates, counts=counts, seconds=seconds, **arrays)


def _score(job: Job, selection: Selection, plan: _Plan, features: Features, number: int) -> _Scored:
    clock = _Clock()
    low, high, _n = plan.stretches[number]
    places = places_in(selection.project, selection.question_id, low, high)
    fresh, part = places["untouched"], places["part"]
    rest = fresh & (part == 0)
    pool = rest
    if selection.used == Strategy.LABEL_AGAIN:
        learnt, _where = among(places["tie"], plan.state.arrays["tie"])
        pool = rest | (places["answered"] & (part == 0) & learnt)
    stream, held = fresh & (part == STREAM), part == HOLDOUT
    n_watched = WATCHED if plan.state.models else 0
    watched = np.argsort(places["tie"], kind="stable")[:n_watched]
    wanted = pool.copy()
    wanted[watched] = True
    features.ensure(places["item"][wanted], places["version"][wanted].astype(np.int64), job)
    count, seed = _wanted_of_strategy(selection.size), selection.seed
    return _Scored(
        candidates=numerics.score_part(selection.strategy, plan.state, _part(features, places[pool]), count),
        rest=_first(places[rest], selection.size, _salted(seed, "rest")),
        stream=_first(places[stream], selection.size, _salted(seed, "stream")),
        holdout=_first(places[fresh & held], selection.size, _salted(seed, "holdout")),
        watched=places["tie"][watched],
        predicted=_predicted(plan.state, features, places[watched]),
        counts=_Counts(
            pool=int(np.count_nonzero(pool)),
            rest=int(np.count_nonzero(rest)),
            stream=int(np.count_nonzero(stream)),
            holdout_left=int(np.count_nonzero(fresh & held)),
            holdout=int(np.count_nonzero(held)),
            holdout_labelled=int(np.count_nonzero(held & places["known"])),
            ties=_wrapped(places["tie"][pool]),
        ),
        seconds=clock.lap(),
    )


def _part(features: Features, places: Draws) -> Part:
    rows = features.rows(places["item"].astype(np.intp), places["version"].astype(np.intp))
    return Part(_codes(places), places["tie"], rows.sparse, rows.dense)


def _codes(places: Draws) -> Ints:
    return np.asarray(places["item"] * VERSIONS + places["version"], np.intp)


def _predicted(state: State, features: Features, places: Draws) -> npt.NDArray[np.uint16]:
    if not places.size:
        return np.empty(0, np.uint16)
    rows = features.rows(places["item"].astype(np.intp), places["version"].astype(np.intp))
    return np.asarray(state.model.probabilities(rows.sparse).argmax(axis=1), np.uint16)


def _first(places: Draws, count: int, seed: int) -> Draws:
    """The first items in a random order that the seed and their ids determine."""
    draws = np.empty(places.size, DRAW)
    draws["hash"], draws["item"], draws["tie"] = hashed(places["tie"], seed), _codes(places), places["tie"]
    return _lowest(draws, count)


def _lowest(draws: Draws, count: int) -> Draws:
    return draws[np.lexsort((draws["tie"], draws["hash"]))[:count]]


def _salted(seed: int, purpose: str) -> int:
    """A seed for each purpose, so that no two draws of a round are in the same order."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {purpose}".encode(), digest_size=7).digest(), "big")


def _wrapped(ties: UInts64) -> int:
    return int(np.add.reduce(ties, dtype=np.uint64)) if ties.size else 0


def _together(parts: Sequence[_Scored], size: int) -> _Scored:
    """All parts as one: no figure depends on how the pool was cut."""
    watched = np.concatenate([one.watched for one in parts])
    lowest = np.argsort(watched, kind="stable")[:WATCHED]
    sums = np.array([one.counts for one in parts], dtype=np.uint64).sum(axis=0, dtype=np.uint64)
    return _Scored(
        candidates=numerics.merge([one.candidates for one in parts]),
        rest=_lowest(np.concatenate([one.rest for one in parts]), size),
        stream=_lowest(np.concatenate([one.stream for one in parts]), size),
        holdout=_lowest(np.concatenate([one.holdout for one in parts]), size),
        watched=watched[lowest],
        predicted=np.concatenate([one.predicted for one in parts])[lowest],
        counts=_Counts(*sums.tolist()),
        seconds=round(sum(one.seconds for one in parts), 3),
    )


# --- After the parts: the picks ---------------------------------------------------------------------


def _finish(job: Job, selection: Selection, plan: _Plan, scored: _Scored) -> None:
    clock = _Clock()
    beat(job, 0.85)
    picks = _picks(selection, plan, scored)
    counts, predicted = scored.counts, scored.predicted
    watched = hashlib.sha256(scored.watched.astype("<u8").tobytes()).hexdigest()
    kappa = _kappa(rounds_before(selection, 1, fewer=APART), watched, predicted)
    streams = Counter(pick.stream for pick in picks)
    report = selection.report | {
        "streams": {stream.value: streams[stream] for stream in Stream},
        "stream_left": counts.stream,
        "holdout": {"n": counts.holdout, "labelled": counts.holdout_labelled},
        "hard": _hard(picks),
        "watched": watched,
        "seconds": {**selection.report["seconds"], "score": scored.seconds, "choose": clock.lap()},
    }
    digest = hashlib.sha256(f"{counts.pool} {counts.ties:016x}".encode()).hexdigest()
    books = Books(
        n_pool=counts.pool,
        pool_digest=digest,
        kappa=kappa,
        predicted=predicted.astype("<u2").tobytes() if predicted.size else None,
        report=report,
    )
    end_round(job, selection, picks, books)


def _wanted_of_strategy(size: int) -> int:
    return size - round(BY_CHANCE * size)


def _picks(selection: Selection, plan: _Plan, scored: _Scored) -> list[NewPick]:
    """The batch and what is drawn from the holdout beside it, in an order that tells nobody which is which."""
    counts, size, names = scored.counts, selection.size, _names(selection)
    chosen = numerics.choose(
        selection.strategy, plan.state, scored.candidates, _wanted_of_strategy(size), selection.seed
    )
    tie = dict(zip(scored.candidates.item.tolist(), scored.candidates.tie.tolist(), strict=True))
    found: dict[int, NewPick] = {}
    by_chance = selection.used == Strategy.RANDOM
    for code, score, reason in zip(chosen.item.tolist(), chosen.score.tolist(), chosen.reason, strict=True):
        stream = Stream.RANDOM if by_chance else Stream.SELECTED
        probability = len(chosen) / counts.pool if by_chance else _chance(reason)
        found[code] = _pick(code, stream, probability, score, _in_words(reason, names))
    n_stream = min(size - len(found), counts.stream)
    rest = scored.rest[~np.isin(scored.rest["item"], list(found))]
    n_rest = min(size - len(found) - n_stream, rest.size)
    n_holdout = min(round(BY_CHANCE * size), counts.holdout_left)
    left = counts.rest - sum(not pick.again for pick in found.values())
    for stream, draws, n, n_there in (
        (Stream.AUDIT, scored.stream, n_stream, counts.stream),
        (Stream.RANDOM, rest, n_rest, left),
        (Stream.HOLDOUT, scored.holdout, n_holdout, counts.holdout_left),
    ):
        for code, hash_of_id in draws[["item", "tie"]][:n].tolist():
            found[code] = _pick(code, stream, n / n_there)
            tie[code] = hash_of_id
    ties = np.array([tie[code] for code in found], dtype=np.uint64)
    order = np.lexsort((ties, hashed(ties, _salted(selection.seed, "order"))))
    picks = list(found.values())
    return [picks[place] for place in order.tolist()]


def _chance(reason: Json) -> float:
    """With which probability a strategy picks an item: 1, or that of the draw within the item's cluster.

    Where ``cluster`` found fewer clusters than picks, the next best items have no cluster in their reason: 1. It is 1 as
    well where nobody can say (``badge``, chance within ``region``), see pipelines.selection_report.
    """
    size = reason.get("cluster_size") if reason["why"] == Strategy.CLUSTER else None
    return 1 / int(size) if size else 1.0


def _pick(
    code: int, stream: Stream, probability: float, score: float | None = None, reason: Json | None = None
) -> NewPick:
    item, version = divmod(code, VERSIONS)
    reason = reason or {}
    return NewPick(item, version, stream, score, probability, reason, again=bool(reason.get("again")))


def _in_words(reason: Json, names: Sequence[str]) -> Json:
    """With the classes' names for their codes: classes may be added later."""
    return {
        key: names[int(value)] if key in {"first", "second"} else value
        for key, value in reason.items()
        if key not in {"first", "second"} or 0 <= int(value) < len(names)
    }


def _hard(picks: Sequence[NewPick]) -> list[Json]:
    """The pairs of classes between which the model hesitates, the most frequent first."""
    pairs = Counter(
        tuple(sorted((pick.reason["first"], pick.reason["second"])))
        for pick in picks
        if "first" in pick.reason and "second" in pick.reason
    )
    ranked = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"a": a, "b": b, "n": n} for (a, b), n in ranked]


def _kappa(rounds: Sequence[Selection], watched: str, predicted: npt.NDArray[np.uint16]) -> float | None:
    """How far the predictions agree with an earlier round's; None where that one watched other items."""
    if not rounds or rounds[0].predicted is None or rounds[0].report.get("watched") != watched:
        return None
    before = np.frombuffer(bytes(rounds[0].predicted), "<u2")
    if before.size != predicted.size:
        return None
    return prediction_kappa(before.astype(np.intp), predicted.astype(np.intp))


class _Clock:
    """Seconds since the last look."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def lap(self) -> float:
        now = time.monotonic()
        passed, self._since = now - self._since, now
        return round(passed, 3)
