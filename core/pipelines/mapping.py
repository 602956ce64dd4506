"""What a merger of classes would do before it is done, and which pairs of classes people cannot tell apart.

A what-if writes nothing. Its reports are made by the same functions as ever, on the project as it would be read
(selectors.question.read_by), so they are what a project reads whose answers were given in the merged classes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from core.choices import CHOICE_KINDS, ItemsChoice, QuestionKind, RunKind, Uncertain
from core.exceptions import Conflict, Invalid, Missing
from core.models import LabelClass, Project, Question, Run
from core.numerics.means import one_group
from core.numerics.merging import (
    Likeness,
    Reading,
    differences,
    entropy_lost,
    information,
    likenesses,
    model_quality,
)
from core.numerics.results import Figure, Reason
from core.numerics.table import (
    Bools,
    Floats,
    Ints,
    LabelTable,
    PatternIndex,
    factorise,
    find_patterns,
    totals,
)
from core.pipelines.agreement import Asked, agreement_report, check_asked
from core.pipelines.hlp import KINDS as HLP_KINDS
from core.pipelines.hlp import hlp_report
from core.pipelines.label import vote
from core.selectors.agreement import AnswerColumns, answer_columns, gold_columns, n_suggested
from core.selectors.mapping import OutsideAnswers, outside_answers
from core.selectors.moment import one_moment
from core.selectors.question import QuestionSpec, Schema, clean_name, fold, merged, read_by, schema_of
from core.selectors.run import runs_of
from core.services.mapping import check_merge, conditions_on

MOST_MERGES = 20
MOST_SUGGESTED = 100
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Merge:
    """Classes by id that are to be read as one of them, and what that one is to be called then (None: as before)."""

    classes: tuple[int, ...]
    into: int
    name: str | None = None


@dataclass(frozen=True, eq=False)
class _Answers:
    """The answers of one question as the report reads them, and the patterns of the items."""

    columns: AnswerColumns
    table: LabelTable
    items: list[int]
    index: PatternIndex
    reading: Reading

    @classmethod
    def of(cls, columns: AnswerColumns, asked: Asked) -> "_Answers":
        unsure = columns.uncertain
        if asked.uncertain == Uncertain.MISSING and unsure.any():
            columns = columns.keep(~unsure[columns.label])
        item, items = factorise(columns.item)
        annotator, _people = factorise(columns.annotator)
        table = LabelTable(item, annotator, columns.label, len(columns.names))
        index = find_patterns(table)
        reading = Reading.of(
            index.patterns,
            ordinal=asked.question.kind == QuestionKind.SCALE,
            unsure=unsure,
            apart=asked.uncertain == Uncertain.DISAGREE,
        )
        return cls(columns, table, items, index, reading)


def preview(
    project: Project,
    question_key: str | None,
    merges: Sequence[Merge],
    *,
    uncertain: str = Uncertain.CLASS,
    items: str = ItemsChoice.ALL,
    real_names: bool = False,
) -> Json:
    """What mergers, one after the other, would do to a question: reports before and after, and what differs.

    ``agreement`` and ``hlp`` (null for kinds that have none) hold ``before`` and ``after``, whole reports, and
    ``difference``: figures of after minus before on the same items. ``model`` is the macro-F1 of the newest run that
    was trained for the question and judged on the holdout: its kept confusion, merged; it is not trained anew.
    ``rows`` counts what would be read otherwise. ``labels`` are the votes' results: how many, and how many of them
    tie. ``information`` is what the answers tell, in bits (numerics.merging.Information).

    Raises Invalid ``no-merges``, ``bad-name``, what services.mapping.check_merge and agreement_report raise, and
    Conflict ``name-taken``.
    """
    schema = schema_of(project)
    question = _question(schema, question_key)
    after_spec = _supposed(question, merges)
    moved = _moved(question, after_spec)
    supposed = read_by(
        project, Schema(tuple(after_spec if one.id == question.id else one for one in schema.questions))
    )
    how: Json = {"uncertain": uncertain, "items": items, "real_names": real_names}
    with one_moment():
        asked = check_asked(
            project, question.key, level=None, slice=None, by=None, repeat=1, uncertain=uncertain, items=items
        )
        agreement = [agreement_report(one, question.key, **how) for one in (project, supposed)]
        hlp = None
        if question.kind in HLP_KINDS:
            hlp = [hlp_report(one, question.key, **how) for one in (project, supposed)]
        columns = answer_columns(project, asked.question, asked.scope)
        whole = _with_suggested(project, asked, columns)
        gold = gold_columns(project, asked.question, asked.scope, columns.names) if hlp else None
        run = _last_trained(project, question)
        outside = outside_answers(question, moved)
    answers = _Answers.of(columns, asked)
    labelled = answers if whole is columns else _Answers.of(whole, asked)
    code, n_after = _recoding(columns, question, after_spec)
    change = differences(answers.reading, answers.reading.merged(code, n_after))
    body: Json = {
        "project": project.slug,
        "question": question.key,
        "uncertain": uncertain,
        "items": items,
        "mapping_version": project.mapping_version,
        "merges": [_merge_document(question, merge) for merge in merges],
        "classes": [spec.name for spec in after_spec.classes],
        "rows": _rows(labelled, outside, moved, question),
        "labels": _labels(labelled, code, n_after),
        "agreement": {"before": agreement[0], "after": agreement[1], "difference": _figures(change)},
        "hlp": None,
        "model": None if run is None else _model(run, question, after_spec),
        "information": _information(answers, code, n_after),
    }
    if hlp is not None and gold is not None:
        right = _right(answers, gold.item, gold.label, code, asked)
        body["hlp"] = {
            "before": hlp[0],
            "after": hlp[1],
            "difference": {
                "between_humans": change["percent_agreement"].to_dict(),
                "gold": right.to_dict(),
            },
        }
    return body


def _with_suggested(project: Project, asked: Asked, columns: AnswerColumns) -> AnswerColumns:
    """The answers with those that had a suggestion in sight: they are labels, and would be read otherwise like any."""
    if not n_suggested(project, asked.question, asked.scope):
        return columns
    return answer_columns(project, asked.question, replace(asked.scope, suggested=True))


def suggest(project: Project, question_key: str | None, *, uncertain: str = Uncertain.CLASS) -> Json:
    """Pairs of classes that were said of one item, those that people cannot tell apart first; at most 100 of them.

    Each with how well people tell the two apart (numerics.merging.told_apart), what the agreement would be, the bits
    of entropy that a merger loses and how many answers it touches; all from the counted answers of one reading.
    ``refused`` is the code for which a pair cannot be merged, else null. Raises as preview.
    """
    schema = schema_of(project)
    question = _question(schema, question_key)
    with one_moment():
        asked = check_asked(
            project,
            question.key,
            level=None,
            slice=None,
            by=None,
            repeat=1,
            uncertain=uncertain,
            items=ItemsChoice.ALL,
        )
        columns = answer_columns(project, asked.question, asked.scope)
        whole = _with_suggested(project, asked, columns)
        present = list(LabelClass.objects.filter(question_id=question.id))
        raw = Question.objects.get(pk=question.id)
        conditions = conditions_on(raw)
    answers = _Answers.of(columns, asked)
    labelled = answers if whole is columns else _Answers.of(whole, asked)
    members = _members(columns, len(question.classes))
    found = likenesses(answers.index.patterns, members)
    now = answers.reading.coefficients()
    n_of = np.bincount(labelled.table.label, minlength=len(columns.names)).astype(np.float64)
    return {
        "project": project.slug,
        "question": question.key,
        "uncertain": uncertain,
        "mapping_version": project.mapping_version,
        **_figures(now),
        "classes": [
            {"id": spec.id, "name": spec.name, "n": _holding(columns, place, n_of)}
            for place, spec in enumerate(question.classes)
        ],
        "n_pairs": len(found),
        "pairs": [
            _suggestion(one, answers, question, n_of, _refused(raw, present, conditions, question, one))
            for one in found[:MOST_SUGGESTED]
        ],
    }


def _suggestion(
    one: Likeness, answers: _Answers, question: QuestionSpec, n_of: Floats, refused: str | None
) -> Json:
    a, b = question.classes[one.a], question.classes[one.b]
    code, n_after = _recoding(answers.columns, question, merged(question, (a.id, b.id), a.id))
    figures = answers.reading.merged(code, n_after).coefficients()
    return {
        "a": a.name,
        "b": b.name,
        "ids": [a.id, b.id],
        "cannot_tell": one.alike,
        "told_apart": one.told_apart.to_dict(),
        "n": one.n,
        "n_a": _holding(answers.columns, one.a, n_of),
        "n_b": _holding(answers.columns, one.b, n_of),
        "after": _figures(figures),
        "entropy_lost": entropy_lost(n_of, code, n_after),
        "refused": refused,
    }


def _holding(columns: AnswerColumns, place: int, n_of: Floats) -> int:
    """How many answers say a class."""
    if columns.sets is None:
        return int(n_of[place])
    return int(sum(n_of[number] for number, chosen in enumerate(columns.sets) if place in chosen))


def _refused(
    question: Question,
    present: Sequence[LabelClass],
    conditions: Mapping[str, Collection[int]],
    spec: QuestionSpec,
    one: Likeness,
) -> str | None:
    try:
        check_merge(question, present, {spec.classes[one.a].id, spec.classes[one.b].id}, conditions)
    except (Invalid, Conflict) as error:
        return error.code
    return None


def class_called(project: Project, question_key: str | None, name: str) -> int:
    """The id of a class by its name. Raises Invalid ``unknown-question``, ``not-a-choice``, ``unknown-class``."""
    question = _question(schema_of(project), question_key)
    found = question.class_named(name)
    if found is None:
        raise Invalid("unknown-class", f"There is no class {name[:80]!r} of {question.key!r}.")
    return found.id


def merge_called(
    project: Project, question_key: str | None, classes: Iterable[str], into: str, name: str | None = None
) -> Merge:
    """A merger of classes by their names. Raises as class_called."""
    ids = tuple(class_called(project, question_key, called) for called in classes)
    return Merge(ids, class_called(project, question_key, into), name)


def _question(schema: Schema, key: str | None) -> QuestionSpec:
    """The question that is named, or the only one with classes. Raises Missing, Invalid ``not-a-choice``."""
    if key is None:
        choices = [spec for spec in schema.questions if spec.is_choice]
        if len(choices) != 1:
            raise Invalid("question-needed", "Name the question.")
        return choices[0]
    question = schema.question(key)
    if question is None:
        raise Invalid("unknown-question", f"There is no question {key[:60]!r} here.")
    if question.kind not in CHOICE_KINDS:
        raise Invalid("not-a-choice", f"The answers to {key!r} are not classes.")
    return question


def _supposed(question: QuestionSpec, merges: Sequence[Merge]) -> QuestionSpec:
    """The question after the mergers, each checked as it would be when it is applied after those before it."""
    if not 0 < len(merges) <= MOST_MERGES:
        raise Invalid("no-merges", f"A what-if is about 1 to {MOST_MERGES} mergers.")
    raw = Question.objects.filter(pk=question.id).first()
    if raw is None:
        raise Missing
    present, conditions = list(raw.classes.all()), conditions_on(raw)
    after = question
    for merge in merges:
        group = check_merge(raw, present, {*merge.classes, merge.into}, conditions)
        name = None
        if merge.name is not None:
            try:
                name = clean_name(merge.name)
            except ValueError as error:
                raise Invalid("bad-name", f"The name {error}.") from None
            if any(fold(name) == spec.name_key for spec in present if spec.pk != merge.into):
                raise Conflict("name-taken", f"Another class is called {name!r}.")
        for spec in group:
            if spec.pk != merge.into:
                spec.merged_into_id = merge.into
            elif name is not None:
                spec.name, spec.name_key = name, fold(name)
        after = merged(after, merge.classes, merge.into, name)
    return after


def _moved(before: QuestionSpec, after: QuestionSpec) -> frozenset[int]:
    """The class ids that are read as another class after."""
    now, then = before.reads, after.reads
    return frozenset(pk for pk, spec in now.items() if then[pk].id != spec.id)


def _recoding(columns: AnswerColumns, before: QuestionSpec, after: QuestionSpec) -> tuple[Ints, int]:
    """What the codes of the answers become: those of the classes after, or of the sets of them that occur."""
    places = np.array([after.places[spec.id] for spec in before.classes], dtype=np.intp)
    if columns.sets is None:
        return places, len(after.classes)
    codes: dict[tuple[int, ...], int] = {}
    sets = [tuple(sorted({int(places[place]) for place in chosen})) for chosen in columns.sets]
    return np.array([codes.setdefault(chosen, len(codes)) for chosen in sets], dtype=np.intp), len(codes)


def _members(columns: AnswerColumns, n_classes: int) -> Bools | None:
    """Sets x classes, true where the set holds the class."""
    if columns.sets is None:
        return None
    found = np.zeros((len(columns.sets), n_classes), dtype=np.bool_)
    for number, chosen in enumerate(columns.sets):
        found[number, list(chosen)] = True
    return found


def _rows(answers: _Answers, outside: OutsideAnswers, moved: frozenset[int], question: QuestionSpec) -> Json:
    """How many answers that count are read otherwise, on how many items, and how much gold and what predictions."""
    places = {place for place, spec in enumerate(question.classes) if spec.id in moved}
    sets = answers.columns.sets
    if sets is None:
        touched = np.isin(np.arange(len(answers.columns.names)), list(places))
    else:
        touched = np.array([bool(places & set(chosen)) for chosen in sets], dtype=np.bool_)
    rows = touched[answers.table.label] if touched.size else np.zeros(0, dtype=np.bool_)
    return {
        "answers": int(rows.sum()),
        "of_answers": len(answers.table),
        "items": int(np.unique(answers.table.item[rows]).size),
        "of_items": len(answers.items),
        "gold": outside.gold,
        "predictions": outside.predictions,
        "classes_before": len(question.classes),
        "classes_after": len(question.classes) - len(moved & {spec.id for spec in question.classes}),
    }


def _labels(answers: _Answers, code: Ints, n_after: int) -> Json | None:
    """Labels by vote and ties among them before and after; null where classes are ticked one by one."""
    if answers.columns.sets is not None:
        return None
    table, unsure = answers.table, answers.columns.uncertain
    unsure_after = np.zeros(n_after, dtype=np.bool_)
    unsure_after[code] = unsure
    merged_table = LabelTable(table.item, table.annotator, code[table.label], n_after)
    ties = [
        int(np.count_nonzero(vote(one, which).label < 0))
        for one, which in ((table, unsure), (merged_table, unsure_after))
    ]
    return {"n": len(answers.items), "tied_before": ties[0], "tied_after": ties[1]}


def _right(answers: _Answers, item: Ints, label: Ints, code: Ints, asked: Asked) -> Figure:
    """Right answers per answer after less before, on the items with gold: items are the sampling unit."""
    gold = dict(zip(item.tolist(), label.tolist(), strict=True))
    truth = np.array([gold.get(pk, -1) for pk in answers.items], dtype=np.intp)
    if asked.uncertain == Uncertain.MISSING:  # then "I can't tell" is no truth either
        truth = np.where((truth >= 0) & answers.columns.uncertain[truth], -1, truth)
    of_answer = truth[answers.table.item] if truth.size else truth
    known = of_answer >= 0
    if not known.any():
        return Figure.missing(Reason.NO_OVERLAP)
    said, of_gold = answers.table.label[known], of_answer[known]
    gained = (code[said] == code[of_gold]).astype(np.float64) - (said == of_gold)
    rows = answers.table.item[known]
    n = truth.size
    return one_group(np.ones(n), np.zeros(n)).ratios(totals(rows, gained, n), totals(rows, None, n))[0]


def _last_trained(project: Project, question: QuestionSpec) -> Run | None:
    runs = runs_of(project.pk).filter(kind=RunKind.TRAINED, question_id=question.id)
    return next(
        (run for run in runs[:MOST_SUGGESTED] if (run.metrics or {}).get("holdout", {}).get("n")), None
    )


def _model(run: Run, before: QuestionSpec, after: QuestionSpec) -> Json:
    """The kept confusion of a run on the holdout, read by the classes as they are and as they would be."""
    metrics = run.metrics or {}
    ids = metrics["class_ids"]
    place = np.array([before.places[pk] for pk in ids], dtype=np.intp)
    cells = np.array(metrics["holdout"]["confusion"], dtype=np.intp).reshape(-1, 3)
    truth, said = (place[np.repeat(cells[:, column], cells[:, 2])] for column in (0, 1))
    code = np.array([after.places[spec.id] for spec in before.classes], dtype=np.intp)
    found = model_quality(truth, said, code)
    return {
        "run": {"id": run.pk, "name": run.name},
        "macro_f1": {name: figure.to_dict() for name, figure in _named(found)},
        "trained_again": False,
    }


def _named(found: Any) -> Iterable[tuple[str, Figure]]:
    return (("before", found.before), ("after", found.after), ("difference", found.difference))


def _information(answers: _Answers, code: Ints, n_after: int) -> Json | None:
    if not len(answers.table):
        return None
    found = information(answers.index.patterns, code, n_after)
    told = asdict(found)
    return {**told, "lost": found.lost.to_dict(), "shared_lost": found.shared_lost.to_dict()}


def _figures(figures: dict[str, Figure]) -> Json:
    return {name: figure.to_dict() for name, figure in figures.items()}


def _merge_document(question: QuestionSpec, merge: Merge) -> Json:
    names = {spec.id: spec.name for spec in question.classes}
    group = [spec.name for spec in question.classes if spec.id in {*merge.classes, merge.into}]
    return {"classes": group, "into": names[merge.into], "name": merge.name}
