"""The agreement report of one question: from the answers in the database to the JSON of the API."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from core.choices import ItemsChoice, Level, QuestionKind, Uncertain
from core.exceptions import Invalid
from core.models import Project
from core.numerics.aggregation import fractional_accuracy
from core.numerics.agreement import AgreementReport, Interval
from core.numerics.agreement import agreement_report as numeric_report
from core.numerics.chance import AgainstChance
from core.numerics.changes import change
from core.numerics.intervals import wilson_interval
from core.numerics.planning import PlanRow, Precision
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Bools, Floats, LabelTable, factorise
from core.numerics.verdicts import Verdict
from core.numerics.weights import MOST_CLASSES, WeightName
from core.pipelines.label import vote
from core.selectors.agreement import (
    AnswerColumns,
    ItemGroups,
    Scope,
    answer_columns,
    gold_columns,
    has_gold,
    meta_groups,
    n_left_to_repeats,
    n_suggested,
    repeated_columns,
    tag_groups,
    tag_named,
)
from core.selectors.moment import database_now, one_moment
from core.selectors.pseudonym import annotator_names
from core.selectors.question import QuestionSpec, schema_of

GROUPINGS = ("guideline", "batch", "month")
BY_TAG = "tag"
META = "meta."
MOST_REPEATS = 100
MOST_GROUPS = 50
CUSTOM = "custom"
IDENTITY = "identity"
INTERVALS = tuple(name.value for name in Interval)
WEIGHTS = (IDENTITY, *(name.value for name in WeightName))
DEFAULT_WEIGHTS = {
    Level.ORDINAL: WeightName.ORDINAL,
    Level.INTERVAL: WeightName.QUADRATIC,
    Level.RATIO: WeightName.RATIO,
}
TOO_MANY_VALUES = "too_many_values"
MOST_PAIRS = 5000
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is asked for, checked. ``table`` is a table of weights of one's own, class by class."""

    question: QuestionSpec
    level: Level
    uncertain: Uncertain
    scope: Scope
    by: str | None = None
    weights: str | None = None
    weights_asked: bool = False
    table: Floats | None = None
    interval: Interval = Interval.ITEMS


@dataclass(frozen=True)
class Coded:
    """Answers as codes without gaps, and what the codes stand for."""

    columns: AnswerColumns
    table: LabelTable
    items: list[int]
    annotators: list[int]
    unsure: frozenset[int]


def agreement_report(
    project: Project,
    question_key: str | None = None,
    *,
    level: str | None = None,
    uncertain: str = Uncertain.CLASS,
    items: str = ItemsChoice.ALL,
    slice: str | None = None,  # noqa: A002 -- the word of the outer contract
    by: str | None = None,
    repeat: int = 1,
    weights: str | None = None,
    interval: str | None = None,
    real_names: bool = False,
    readings: bool = False,
    most_pairs: int = MOST_PAIRS,
    details: bool = True,
) -> Json:
    """The report as the API says it: names in place of codes, every figure in one shape.

    ``slice`` is ``meta.<key>:<value>`` or ``tag:<name>``. ``by`` adds ``groups``: the coefficients within every
    guideline version, batch, month, tag, or value of ``meta.<key>``, at most MOST_GROUPS of them, those with most
    answers; by guideline also ``changes``, from each version to the next. ``weights`` is one of WEIGHTS or a JSON
    table of numbers from 0 to 1 in the order of the classes; the default goes by the level. ``readings`` adds
    some coefficients under each of the three readings of uncertain answers, and how much alpha leans on it.
    ``interval`` is one of INTERVALS, that of the coefficients but Conger's kappa: ``items`` (the default; these
    labelers and other items, corrected for skewness), ``linearised`` (not corrected), ``item_bootstrap``, or ``two_way``
    (other labelers too; with fewer than three people these figures are null, ``too_few_annotators``).
    ``most_pairs`` limits the pairs of people; without ``details`` there are no people, pairs and confusions.

    ``planning``, where one of a few classes is chosen and the level is nominal, else null:
    ``{"wanted_half_width", "wanted_consensus", "labels_needed", "rows", "reason"}``. A row is what so many labels on
    every item give: ``labels_per_item``; ``half_width_now``, ``items_needed`` and ``answers_needed`` of alpha (the half
    width of its interval with the present items; items and answers for the wanted one; null for a single
    label); ``percent``, the same three of percent agreement; ``answers_now``, the answers that the present items
    take; ``consensus``, the probability that most labels are for the class most people would choose; ``support``, that
    one more person chooses it. ``labels_needed`` reach the wanted consensus (null: more than the rows). Without alpha
    there are no rows, for ``reason``.

    Raises Invalid: ``unknown-question``, ``question-needed``, ``bad-level``, ``level-not-possible``,
    ``bad-uncertain``, ``bad-items``, ``bad-slice``, ``unknown-tag``, ``bad-by``, ``bad-repeat``, ``bad-weights``,
    ``bad-interval``, ``too-many-values``.
    """
    asked = check_asked(
        project,
        question_key,
        level=level,
        uncertain=uncertain,
        items=items,
        slice=slice,
        by=by,
        repeat=repeat,
        weights=weights,
        interval=interval,
    )
    with one_moment():
        as_of = database_now(project)
        columns = answer_columns(project, asked.question, asked.scope)
        n_repeats = n_left_to_repeats(project, asked.question, asked.scope)
        n_shown = n_suggested(project, asked.question, asked.scope)
        names = annotator_names(project, real=real_names)
        intra = _intra(project, asked, columns)
        against_gold = _against_gold(project, asked, columns)
        groups = _item_groups(project, asked)
    asked, too_many = _weights_for(asked, len(columns.names))
    coded = _coded(columns, asked)
    report = _numeric(coded, asked, details=details, most_pairs=most_pairs)
    things = _things(columns, asked.question)
    parts, groups_cut = _parts(columns, groups)
    body = {
        "project": project.slug,
        "question": asked.question.key,
        "level": asked.level.value,
        "uncertain": asked.uncertain.value,
        "items": asked.scope.items,
        "slice": slice,
        "by": by,
        "repeat": repeat,
        "weights": asked.weights,
        "interval": asked.interval.value,
        "as_of": as_of.isoformat(),
        **_counts(report),
        "dropped": {
            "one_annotation": report.dropped_one_annotation,
            "repeat_pass": n_repeats,
            "suggested": n_shown,
            "uncertain": report.dropped_uncertain,
        },
        **_coefficients(report),
        "against_chance": None
        if report.chance is None
        else {"coefficient": "fleiss_kappa", **_chance(report.chance)},
        "verdicts": [_verdict(verdict) for verdict in report.verdicts],
        "weighted": _figures(report.weighted),
        "sets": _figures(report.sets),
        "texts": _figures(report.texts),
        "intraclass": _figures(report.intraclass),
        "mean_absolute_difference": None
        if report.mean_absolute_difference is None
        else {**report.mean_absolute_difference.to_dict(), "needed": None},  # ±0.05 of what unit?
        "planning": _planning(report),
        "per_class": _per_class(report, things),
        "pairs": _pairs(report, coded, names),
        "annotators": _annotators(report, coded, names, intra),
        "confusions": _confusions(report, columns.names),
        "uncertainty": _uncertainty(report, columns.names),
        "intra": intra["all"].to_dict(),
        "against_gold": against_gold,
        "cut": {
            "per_class": report.classes_cut,
            "pairs": report.pairs_cut,
            "confusions": report.confusions_cut,
            "groups": groups_cut,
        },
        "warnings": _warnings(report) + ([TOO_MANY_VALUES] if too_many else []),
    }
    if asked.by is not None:
        of_groups = [(name, _numeric(_coded(part, asked), asked, details=False)) for name, part in parts]
        body["groups"] = [_group(name, found, columns.names, things) for name, found in of_groups]
        if asked.by == "guideline":
            body["changes"] = _changes(of_groups)
    if readings:
        of_readings = {
            reading: report
            if reading == asked.uncertain
            else _numeric(coded, replace(asked, uncertain=reading), details=False)
            for reading in Uncertain
        }
        body["readings"] = {reading.value: _reading(found) for reading, found in of_readings.items()}
        body["headline_leans_on"] = _leans_on(of_readings, asked.uncertain)
    return body


def check_asked(
    project: Project,
    question_key: str | None,
    *,
    level: str | None,
    uncertain: str,
    items: str,
    slice: str | None,  # noqa: A002
    by: str | None,
    repeat: int,
    weights: str | None = None,
    interval: str | None = None,
) -> Asked:
    """The request, if it can be answered; raises Invalid as agreement_report."""
    question = _question(project, question_key)
    if uncertain not in Uncertain.values:
        raise Invalid("bad-uncertain", "uncertain must be class, missing or disagree.")
    if items not in ItemsChoice.values:
        raise Invalid("bad-items", "items must be all, audit or selected.")
    if by is not None and by not in {*GROUPINGS, BY_TAG} and not (by.startswith(META) and by != META):
        raise Invalid("bad-by", "by must be guideline, batch, month, tag or meta.<key>.")
    if not 1 <= repeat <= MOST_REPEATS:
        raise Invalid("bad-repeat", f"repeat must be from 1 to {MOST_REPEATS}.")
    if interval is not None and interval not in INTERVALS:
        raise Invalid("bad-interval", f"interval must be one of {', '.join(INTERVALS)}.")
    read_as = _level(question, level)
    name, table = _weights(question, read_as, weights)
    scope = Scope(repeat=repeat, items=items, by=by if by in GROUPINGS else None)  # type: ignore[arg-type]
    return Asked(
        question,
        read_as,
        Uncertain(uncertain),
        _sliced(project, scope, slice),
        by=by,
        weights=name,
        weights_asked=weights is not None,
        table=table,
        interval=Interval(interval or Interval.ITEMS),
    )


def _weights(question: QuestionSpec, level: Level, text: str | None) -> tuple[str | None, Floats | None]:
    """The weights' name, and their table where it is one's own."""
    if text == IDENTITY:
        return None, None
    ordered = question.kind in {QuestionKind.SINGLE, QuestionKind.SCALE, QuestionKind.NUMBER}
    if text is None:
        found = DEFAULT_WEIGHTS.get(level)
        return (found.value if found is not None and ordered else None), None
    if not ordered:
        raise Invalid("bad-weights", f"The answers to {question.key!r} have no order to weigh them by.")
    if text in WEIGHTS:
        return text, None
    if question.kind == QuestionKind.NUMBER:
        raise Invalid("bad-weights", f"weights must be one of {', '.join(WEIGHTS)}.")
    return CUSTOM, _weight_table(text, len(question.classes))


def _weight_table(text: str, n_classes: int) -> Floats:
    wrong = Invalid(
        "bad-weights",
        f"weights must be one of {', '.join(WEIGHTS)}, or a JSON table of {n_classes} x {n_classes} numbers "
        "from 0 to 1 in the order of the classes, 1 from each class to itself.",
    )
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        raise wrong from None
    if n_classes > MOST_CLASSES or not _is_list(rows, n_classes):
        raise wrong
    if not all(_is_list(row, n_classes) and all(map(_is_weight, row)) for row in rows):
        raise wrong
    table = np.array(rows, dtype=np.float64)
    if not (table.diagonal() == 1).all():
        raise wrong
    return table


def _is_list(value: object, length: int) -> bool:
    return isinstance(value, list) and len(value) == length


def _is_weight(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _weights_for(asked: Asked, n_values: int) -> tuple[Asked, bool]:
    """The same without default weights where there are too many values, and whether that was so."""
    if asked.weights in {None, WeightName.QUADRATIC.value} or n_values <= MOST_CLASSES:
        return asked, False
    if asked.weights_asked:
        raise Invalid(
            "too-many-values",
            f"There are {n_values} different answers; beyond {MOST_CLASSES} only quadratic weights are possible.",
        )
    return replace(asked, weights=None), True


def _question(project: Project, key: str | None) -> QuestionSpec:
    schema = schema_of(project)
    if key is None:
        if len(schema.questions) == 1:
            return schema.questions[0]
        keys = ", ".join(spec.key for spec in schema.questions)
        raise Invalid("question-needed", f"Name the question: {keys}.")
    question = schema.question(key)
    if question is None:
        raise Invalid("unknown-question", f"There is no question {key[:60]!r} here.")
    return question


def levels_of(question: QuestionSpec) -> tuple[Level, ...]:
    """The levels of measurement at which the answers to a question can be read."""
    if question.kind == QuestionKind.NUMBER:
        return tuple(Level)
    if question.kind not in {QuestionKind.SINGLE, QuestionKind.SCALE}:
        return (Level.NOMINAL,)
    numbers = [_as_number(spec.name) for spec in question.classes if not spec.uncertain]
    if any(number is None for number in numbers):
        return (Level.NOMINAL, Level.ORDINAL)
    return tuple(Level)


def _as_number(name: str) -> float | None:
    try:
        number = float(name)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _level(question: QuestionSpec, level: str | None) -> Level:
    possible = levels_of(question)
    if level is None:
        default = Level(question.level)
        return default if default in possible else Level.NOMINAL
    if level not in Level.values:
        raise Invalid("bad-level", "level must be nominal, ordinal, interval or ratio.")
    if level not in possible:
        raise Invalid(
            "level-not-possible",
            f"The answers to {question.key!r} can be read as {', '.join(possible)}, not as {level}.",
        )
    return Level(level)


def _sliced(project: Project, scope: Scope, text: str | None) -> Scope:
    if text is None:
        return scope
    if text.startswith("tag:"):
        tag = tag_named(project, text.removeprefix("tag:"))
        if tag is None:
            raise Invalid("unknown-tag", f"There is no tag {text.removeprefix('tag:')[:80]!r} here.")
        return replace(scope, tag=tag)
    key, separator, value = text.removeprefix(META).partition(":")
    if not text.startswith(META) or not separator or not key:
        raise Invalid("bad-slice", "slice must read meta.<key>:<value> or tag:<name>.")
    return replace(scope, slice=(key, value))


def _coded(columns: AnswerColumns, asked: Asked) -> Coded:
    item, items = factorise(columns.item)
    annotator, annotators = factorise(columns.annotator)
    table = LabelTable(item, annotator, columns.label, len(columns.names), _numbers(columns, asked))
    unsure = frozenset(np.flatnonzero(columns.uncertain).tolist())
    return Coded(columns, table, items, annotators, unsure)


def _numbers(columns: AnswerColumns, asked: Asked) -> Any:
    """A number per label: those of a number question, or of classes that are named by numbers."""
    if columns.values is not None or asked.level not in {Level.INTERVAL, Level.RATIO}:
        return columns.values  # without numbers the order of the classes ranks them
    return np.array([_as_number(name) or 0.0 for name in columns.names])


def _numeric(
    coded: Coded, asked: Asked, *, details: bool = True, most_pairs: int = MOST_PAIRS
) -> AgreementReport:
    columns = coded.columns
    return numeric_report(
        coded.table,
        level=asked.level.value,
        uncertain=asked.uncertain.value,
        uncertain_classes=coded.unsure,
        weights=asked.weights if asked.table is None else asked.table,
        members=_members(columns, len(asked.question.classes)),
        texts=columns.names if asked.question.kind == QuestionKind.TEXT else None,
        interval=asked.interval,
        planned=details and _is_choice(asked),
        details=details,
        max_pairs=most_pairs,
    )


def _is_choice(asked: Asked) -> bool:
    """Whether one of a few classes is chosen, read as classes without order."""
    return asked.level == Level.NOMINAL and asked.question.kind in {QuestionKind.SINGLE, QuestionKind.SCALE}


def _members(columns: AnswerColumns, n_classes: int) -> Bools | None:
    """Sets x classes, true where the set holds the class."""
    if columns.sets is None:
        return None
    members = np.zeros((len(columns.sets), n_classes), dtype=np.bool_)
    for number, chosen in enumerate(columns.sets):
        members[number, list(chosen)] = True
    return members


def _things(columns: AnswerColumns, question: QuestionSpec) -> tuple[str, ...]:
    """What the rows of ``per_class`` stand for: the labels, or where several are ticked the classes."""
    return columns.names if columns.sets is None else tuple(spec.name for spec in question.classes)


def _counts(report: AgreementReport) -> Json:
    return {
        "n_items": report.n_items,
        "n_items_used": report.n_items_used,
        "n_annotations": report.n_annotations,
        "n_annotators": report.n_annotators,
    }


def _coefficients(report: AgreementReport) -> Json:
    return {
        "coefficients": _figures(report.coefficients),
        "verdict": None if report.verdict is None else _verdict(report.verdict),
    }


def _figures(figures: Mapping[str, Figure] | None) -> Json | None:
    return None if figures is None else {name: figure.to_dict() for name, figure in figures.items()}


def _planning(report: AgreementReport) -> Json | None:
    plan = report.plan
    if plan is None:
        return None
    reason = plan.percent.reason or plan.alpha.reason
    return {
        "wanted_half_width": plan.wanted_half_width,
        "wanted_consensus": plan.wanted_consensus,
        "labels_needed": plan.labels,
        "rows": [_plan_row(row) for row in plan.rows],
        "reason": None if reason is None else reason.value,
    }


def _plan_row(row: PlanRow) -> Json:
    return {
        "labels_per_item": row.labels,
        **_precision(row.alpha),
        "percent": _precision(row.percent),
        "answers_now": row.answers,
        "consensus": row.consensus,
        "support": row.support,
    }


def _precision(found: Precision | None) -> Json:
    return {
        "half_width_now": None if found is None else found.half_width,
        "items_needed": None if found is None else found.items,
        "answers_needed": None if found is None else found.answers,
    }


def _chance(test: AgainstChance) -> Json:
    return {"se": test.se, "z": test.z, "p": test.p}


def _verdict(verdict: Verdict) -> Json:
    return {
        "scale": verdict.scale,
        "level": verdict.level,
        "probability": verdict.probability,
        "coefficient": verdict.coefficient,
    }


def _per_class(report: AgreementReport, names: tuple[str, ...]) -> list[Json]:
    return [
        {
            "class": names[row.label],
            "specific_agreement": row.specific_agreement.to_dict(),
            "alpha": row.alpha.to_dict(),
            "n": row.n,
        }
        for row in report.per_class
    ]


def _pairs(report: AgreementReport, coded: Coded, names: Mapping[int, str]) -> list[Json]:
    called = [names[pk] for pk in coded.annotators]
    return [
        {
            "a": called[pair.a],
            "b": called[pair.b],
            "n_items": pair.n_items,
            "percent": pair.percent.to_dict(),
            "cohen_kappa": pair.cohen_kappa.to_dict(),
            "against_chance": None if pair.chance is None else _chance(pair.chance),
            "bangdiwala_b": pair.bangdiwala_b.value,
            **({} if pair.weighted_kappa is None else {"weighted_kappa": pair.weighted_kappa.to_dict()}),
        }
        for pair in report.pairs
    ]


def _annotators(
    report: AgreementReport, coded: Coded, names: Mapping[int, str], intra: Mapping[int | str, Figure]
) -> list[Json]:
    none = Figure.missing(Reason.NO_OVERLAP).to_dict()
    rows = []
    for row in report.annotators:
        pk = coded.annotators[row.annotator]
        rows.append(
            {
                "id": names[pk],
                "n": row.n,
                "leave_one_out": row.leave_one_out.to_dict(),
                "abstention_rate": row.abstention_rate.to_dict(),
                "intra": intra[pk].to_dict() if pk in intra else none,
            }
        )
    return rows


def _confusions(report: AgreementReport, names: tuple[str, ...]) -> list[Json]:
    return [
        {"a": names[row.a], "b": names[row.b], "n": row.n, "share": row.share} for row in report.confusions
    ]


def _uncertainty(report: AgreementReport, names: tuple[str, ...]) -> Json:
    uncertainty = report.uncertainty
    return {
        "rate": uncertainty.rate.to_dict(),
        "alpha_on_abstaining": uncertainty.alpha_on_abstaining.to_dict(),
        "by_class": [
            {"class": names[row.label], "n": row.n, "rate": row.rate.to_dict()}
            for row in uncertainty.by_class
        ],
        "by_majority": [
            {"class": names[row.label], "n_items": row.n, "rate": row.rate.to_dict()}
            for row in uncertainty.by_majority
        ],
    }


def _reading(report: AgreementReport) -> Json:
    return {
        **_counts(report),
        "dropped": {"uncertain": report.dropped_uncertain},
        "percent_agreement": report.coefficients["percent_agreement"].to_dict(),
        "krippendorff_alpha": report.coefficients["krippendorff_alpha"].to_dict(),
        "gwet_ac1": report.coefficients["gwet_ac1"].to_dict(),
    }


def _leans_on(readings: Mapping[Uncertain, AgreementReport], shown: Uncertain) -> Json | None:
    """The other reading under which alpha differs most from the one shown, and by how much."""
    alphas = {
        reading: report.coefficients["krippendorff_alpha"].value for reading, report in readings.items()
    }
    here = alphas.pop(shown)
    if here is None:
        return None
    differences = {reading: alpha - here for reading, alpha in alphas.items() if alpha is not None}
    if not differences:
        return None
    furthest = max(differences, key=lambda reading: abs(differences[reading]))
    return {"reading": furthest.value, "difference": differences[furthest]}


def _warnings(report: AgreementReport) -> list[str]:
    """Beyond the nominal level alpha and AC1 measure different things, so their distance warns of nothing."""
    return list(report.warnings) if report.level.value == Level.NOMINAL else []


def _item_groups(project: Project, asked: Asked) -> ItemGroups | None:
    """The groups that items are in, where the report is by something that belongs to items."""
    if asked.by == BY_TAG:
        return tag_groups(project)
    if asked.by is not None and asked.by.startswith(META):
        return meta_groups(project, asked.by.removeprefix(META))
    return None


def _parts(
    columns: AnswerColumns, groups: ItemGroups | None
) -> tuple[Iterator[tuple[str, AnswerColumns]], int]:
    """The answers of each group, and how many groups were left out: those with fewest answers.

    Guideline versions, batches and months stand in their order, tags and values by their number of answers.
    Pairs of answers from different groups belong to none.
    """
    if groups is not None:
        found, times = np.unique(columns.item, return_counts=True)
        place = np.searchsorted(found, groups.item)
        place[place == found.size] = 0
        here = found[place] == groups.item if found.size else np.zeros(groups.item.size, dtype=np.bool_)
        answers = np.bincount(groups.group[here], weights=times[place[here]], minlength=len(groups.names))
        order = np.argsort(-answers, kind="stable")
        order = order[answers[order] > 0]
        items = {code: groups.item[groups.group == code] for code in order[:MOST_GROUPS].tolist()}
        parts = (
            (groups.names[code], columns.keep(np.isin(columns.item, pks))) for code, pks in items.items()
        )
        return parts, max(0, order.size - MOST_GROUPS)
    group = columns.group
    if group is None:
        return iter(()), 0
    codes, times = np.unique(group, return_counts=True)
    kept = np.sort(codes[np.argsort(-times, kind="stable")[:MOST_GROUPS]])
    names = columns.group_names
    return ((names[code], columns.keep(group == code)) for code in kept.tolist()), int(codes.size - kept.size)


def _group(name: str, report: AgreementReport, names: tuple[str, ...], things: tuple[str, ...]) -> Json:
    uncertainty = _uncertainty(report, names)
    return {
        "group": name,
        **_counts(report),
        **_coefficients(report),
        "per_class": _per_class(report, things),
        "uncertainty": {key: uncertainty[key] for key in ("rate", "alpha_on_abstaining")},
        "warnings": _warnings(report),
    }


def _changes(groups: list[tuple[str, AgreementReport]]) -> list[Json]:
    """From each guideline version to the next; see core.numerics.changes for what is assumed."""
    rows = []
    for (old, before), (new, after) in pairwise(groups):
        row: Json = {"from": old, "to": new}
        for name in ("percent_agreement", "krippendorff_alpha"):
            found = change(before.coefficients[name], after.coefficients[name])
            row[name] = {"difference": found.difference.to_dict(), "p": found.p}
        rows.append(row)
    return rows


def _intra(project: Project, asked: Asked, columns: AnswerColumns) -> dict[int | str, Figure]:
    """How often people gave the same answer to the same item the second time: by annotator, and in all."""
    again = repeated_columns(project, asked.question, asked.scope)
    if len(again) == 0:
        return {"all": Figure.missing(Reason.NO_OVERLAP)}
    first = columns
    if asked.scope.repeat != 1:
        first = answer_columns(project, asked.question, replace(asked.scope, repeat=1, by=None))
    first = first.keep(np.isin(first.item, again.item))
    code = {name: number for number, name in enumerate(first.names)}
    label = np.array([code.get(name, -1) for name in again.names], dtype=np.int64)[again.label]
    both, of_first, of_again = np.intersect1d(
        _visits(first), _visits(again), assume_unique=True, return_indices=True
    )
    if both.size == 0:
        return {"all": Figure.missing(Reason.NO_OVERLAP)}
    same = first.label[of_first] == label[of_again]
    person, people = factorise(first.annotator[of_first])
    n = np.bincount(person)
    shares = np.bincount(person, weights=same) / n
    figures: dict[int | str, Figure] = {
        pk: _share(share, count) for pk, share, count in zip(people, shares.tolist(), n.tolist(), strict=True)
    }
    figures["all"] = _share(float(same.mean()), int(both.size))
    return figures


def _visits(columns: AnswerColumns) -> Any:
    """One value per annotator and item."""
    dtype = np.dtype([("annotator", np.int64), ("item", np.int64)])
    visits = np.empty(len(columns), dtype=dtype)
    visits["annotator"], visits["item"] = columns.annotator, columns.item
    return visits


def _share(share: float, n: int) -> Figure:
    return Figure.estimate(
        share,
        se=np.sqrt(share * (1 - share) / n),
        ci=wilson_interval(share, n),
        method=Method.WILSON,
        n_items=n,
        n_pairs=n,
    )


_ONE_VALUE = frozenset({QuestionKind.SINGLE, QuestionKind.SCALE, QuestionKind.TEXT})


def _against_gold(project: Project, asked: Asked, columns: AnswerColumns) -> Json | None:
    """The labels that the answers come to, against gold; a tie scores the share of gold among the tied."""
    question = asked.question
    if question.kind not in _ONE_VALUE or not has_gold(project, question):
        return None
    gold = gold_columns(project, question, asked.scope, columns.names)
    item, items = factorise(columns.item)
    table = LabelTable(item, np.zeros_like(item), columns.label, len(columns.names))
    truth = dict(zip(gold.item.tolist(), gold.label.tolist(), strict=True))
    of_item = np.array([truth.get(pk, -1) for pk in items], dtype=np.intp)
    figure = fractional_accuracy(vote(table, columns.uncertain), of_item)
    return {"majority_accuracy_fractional_ties": figure.to_dict(), "n_items": figure.n_items}
