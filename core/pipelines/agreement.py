"""The agreement report of one question: from the answers in the database to the JSON of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.choices import ItemsChoice, Level, QuestionKind, Uncertain
from core.exceptions import Invalid
from core.models import Project
from core.numerics.aggregation import fractional_accuracy
from core.numerics.agreement import AgreementReport
from core.numerics.agreement import agreement_report as numeric_report
from core.numerics.intervals import wilson_interval
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import LabelTable, factorise
from core.pipelines.label import vote
from core.selectors.agreement import (
    AnswerColumns,
    Scope,
    answer_columns,
    gold_columns,
    has_gold,
    n_left_to_repeats,
    repeated_columns,
)
from core.selectors.moment import database_now, one_moment
from core.selectors.pseudonym import annotator_names
from core.selectors.question import QuestionSpec, schema_of

GROUPINGS = ("guideline", "batch", "month")
MOST_REPEATS = 100
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is asked for, checked."""

    question: QuestionSpec
    level: Level
    uncertain: Uncertain
    scope: Scope


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
    real_names: bool = False,
    readings: bool = False,
) -> Json:
    """The report as the API says it: names in place of codes, every figure in one shape.

    ``by`` adds ``groups``: the coefficients within every guideline version, batch or month. ``readings``
    adds the coefficients under each of the three readings of uncertain answers.
    Raises Invalid: ``unknown-question``, ``question-needed``, ``bad-level``, ``level-not-possible``,
    ``bad-uncertain``, ``bad-items``, ``bad-slice``, ``bad-by``, ``bad-repeat``.
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
    )
    with one_moment():
        as_of = database_now(project)
        columns = answer_columns(project, asked.question, asked.scope)
        n_repeats = n_left_to_repeats(project, asked.question, asked.scope)
        names = annotator_names(project, real=real_names)
        intra = _intra(project, asked, columns)
        against_gold = _against_gold(project, asked, columns)
    coded = _coded(columns, asked)
    report = _numeric(coded, asked, asked.uncertain)
    body = {
        "project": project.slug,
        "question": asked.question.key,
        "level": asked.level.value,
        "uncertain": asked.uncertain.value,
        "items": asked.scope.items,
        "slice": slice,
        "by": by,
        "repeat": repeat,
        "as_of": as_of.isoformat(),
        **_counts(report),
        "dropped": {
            "one_annotation": report.dropped_one_annotation,
            "repeat_pass": n_repeats,
            "uncertain": report.dropped_uncertain,
        },
        **_coefficients(report),
        "per_class": _per_class(report, columns.names),
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
        },
        "warnings": _warnings(report),
    }
    if asked.scope.by is not None:
        body["groups"] = _groups(columns, asked)
    if readings:
        body["readings"] = {
            reading.value: _reading(report if reading == asked.uncertain else _numeric(coded, asked, reading))
            for reading in Uncertain
        }
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
) -> Asked:
    """The request, if it can be answered; raises Invalid as agreement_report."""
    question = _question(project, question_key)
    if uncertain not in Uncertain.values:
        raise Invalid("bad-uncertain", "uncertain must be class, missing or disagree.")
    if items not in ItemsChoice.values:
        raise Invalid("bad-items", "items must be all, audit or selected.")
    if by is not None and by not in GROUPINGS:
        raise Invalid("bad-by", "by must be guideline, batch or month.")
    if not 1 <= repeat <= MOST_REPEATS:
        raise Invalid("bad-repeat", f"repeat must be from 1 to {MOST_REPEATS}.")
    return Asked(
        question,
        _level(question, level),
        Uncertain(uncertain),
        Scope(repeat=repeat, items=items, slice=_slice(slice), by=by),  # type: ignore[arg-type]
    )


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


def _slice(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    if text.startswith("tag:"):
        raise Invalid("slice-not-available", "Slices by tag are not available: items carry no tags yet.")
    key, separator, value = text.removeprefix("meta.").partition(":")
    if not text.startswith("meta.") or not separator or not key:
        raise Invalid("bad-slice", "slice must read meta.<key>:<value>.")
    return key, value


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


def _numeric(coded: Coded, asked: Asked, uncertain: Uncertain) -> AgreementReport:
    return numeric_report(
        coded.table, level=asked.level.value, uncertain=uncertain.value, uncertain_classes=coded.unsure
    )


def _counts(report: AgreementReport) -> Json:
    return {
        "n_items": report.n_items,
        "n_items_used": report.n_items_used,
        "n_annotations": report.n_annotations,
        "n_annotators": report.n_annotators,
    }


def _coefficients(report: AgreementReport) -> Json:
    verdict = report.verdict
    return {
        "coefficients": {name: figure.to_dict() for name, figure in report.coefficients.items()},
        "verdict": None
        if verdict is None
        else {
            "scale": verdict.scale,
            "level": verdict.level,
            "probability": verdict.probability,
            "coefficient": verdict.coefficient,
        },
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
    }


def _reading(report: AgreementReport) -> Json:
    return {
        **_counts(report),
        "dropped": {"uncertain": report.dropped_uncertain},
        "percent_agreement": report.coefficients["percent_agreement"].to_dict(),
        "krippendorff_alpha": report.coefficients["krippendorff_alpha"].to_dict(),
    }


def _warnings(report: AgreementReport) -> list[str]:
    """Beyond the nominal level alpha and AC1 measure different things, so their distance warns of nothing."""
    return list(report.warnings) if report.level.value == Level.NOMINAL else []


def _groups(columns: AnswerColumns, asked: Asked) -> list[Json]:
    """The coefficients within each group; pairs of answers from different groups belong to none."""
    group = columns.group
    if group is None:
        return []
    groups = []
    for number, name in sorted(columns.group_names.items()):
        report = _numeric(_coded(columns.keep(group == number), asked), asked, asked.uncertain)
        groups.append(
            {
                "group": name,
                **_counts(report),
                **_coefficients(report),
                "per_class": _per_class(report, columns.names),
                "warnings": _warnings(report),
            }
        )
    return groups


def _intra(project: Project, asked: Asked, columns: AnswerColumns) -> dict[int | str, Figure]:
    """How often people gave the same answer to the same item the second time: by annotator, and in all."""
    again = repeated_columns(project, asked.question, asked.scope)
    if len(again) == 0:
        return {"all": Figure.missing(Reason.NO_OVERLAP)}
    first = columns
    if asked.scope.repeat != 1:
        first = answer_columns(
            project, asked.question, Scope(items=asked.scope.items, slice=asked.scope.slice)
        )
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
