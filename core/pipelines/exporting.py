"""Files of answers and of labels, as streams of bytes that take the same memory however many there are."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from core.choices import FileFormat, QuestionKind
from core.exceptions import Invalid
from core.formats.writers import ColumnType, write_rows
from core.models import Membership, Project
from core.numerics.aggregation import Rule
from core.pipelines.aggregation import check_rule, resolved_by
from core.pipelines.label import ADJUDICATED, GOLD, Label, majority_labels, mean_label, set_label
from core.selectors.agreement import collapsed
from core.selectors.export import (
    AnswerFilter,
    AnswerRow,
    ItemRow,
    answer_rows,
    guideline_numbers,
    item_chunks,
    ticked_classes,
)
from core.selectors.item import pass_told, reads_gold
from core.selectors.label import (
    Settled,
    VoteRow,
    gold_values,
    questions_with_gold,
    settled_questions,
    settled_values,
    voting_rows,
)
from core.selectors.moment import one_moment
from core.selectors.pseudonym import annotator_names
from core.selectors.question import QuestionSpec, schema_of

ANNOTATION_COLUMNS: dict[str, ColumnType] = {
    "item": "text",
    "annotator": "text",
    "question": "text",
    "value": "text",
    "uncertain": "boolean",
    "pass": "text",
    "repeat": "integer",
    "revision": "integer",
    "item_version": "integer",
    "guideline_version": "integer",
    "suggestion": "text",
    "elapsed_ms": "integer",
    "created_at": "time",
    "answered_at": "time",
    "batch": "integer",
    "raw_value": "text",
    "mapping": "integer",
}
LABEL_COLUMNS: dict[str, ColumnType] = {
    "item": "text",
    "question": "text",
    "value": "text",
    "how": "text",
    "rule": "text",
    "confidence": "number",
    "n": "integer",
    "n_uncertain": "integer",
    "tied": "text",
    "gold": "text",
    "batch": "integer",
    "cause": "text",
    "settled_at": "time",
    "cannot_tell": "number",
    "told_apart": "boolean",
    "mapping": "integer",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to put into a file. Without questions: all of them. ``rule`` (of aggregation.RULES) is for labels.

    For a ``reader`` who may not know which items have gold the file holds nothing that tells it.
    """

    format: str = FileFormat.JSONL
    lossless: bool = False
    real_names: bool = False
    question: str | None = None
    batch: int | None = None
    annotator: str | None = None
    since: datetime | None = None
    all_revisions: bool = False
    rule: str = Rule.MAJORITY
    reader: Membership | None = None


def export_annotations(project: Project, wanted: Wanted) -> Iterator[bytes]:
    """A file of every counted answer, one row each, ordered by item.

    Raises Invalid before the first byte: ``unknown-format``, ``unknown-question``, ``unknown-annotator``.
    """
    narrowed = _filter(project, wanted)
    return _written(_annotation_rows(project, narrowed, wanted), ANNOTATION_COLUMNS, wanted)


def export_labels(project: Project, wanted: Wanted) -> Iterator[bytes]:
    """A file of the resolved labels, one row per item and question that has answers or gold.

    By a model of the annotators the answers are read once more, before the first row, and kept as columns.
    Raises Invalid before the first byte, as export_annotations, and ``unknown-rule``.
    """
    narrowed = _filter(project, wanted)
    rows = _label_rows(project, narrowed, check_rule(wanted.rule), wanted.format)
    return _written(rows, LABEL_COLUMNS, wanted)


def _written(rows: Iterable[Any], columns: dict[str, ColumnType], wanted: Wanted) -> Iterator[bytes]:
    if wanted.format not in FileFormat.values:
        raise Invalid(
            "unknown-format", f"There is no format {wanted.format[:20]!r}.", allowed=FileFormat.values
        )
    return write_rows(rows, list(columns), wanted.format, lossless=wanted.lossless, types=columns)


def _filter(project: Project, wanted: Wanted) -> AnswerFilter:
    questions = schema_of(project).questions
    if wanted.question is not None:
        questions = tuple(spec for spec in questions if spec.key == wanted.question)
        if not questions:
            raise Invalid("unknown-question", f"There is no question {wanted.question[:60]!r} here.")
    return AnswerFilter(
        project_id=project.pk,
        questions=questions,
        batch=wanted.batch,
        annotator_id=_annotator(project, wanted),
        since=wanted.since,
        all_revisions=wanted.all_revisions,
        reader=wanted.reader,
    )


def _annotator(project: Project, wanted: Wanted) -> int | None:
    if wanted.annotator is None:
        return None
    for pk, name in annotator_names(project, real=wanted.real_names).items():
        if name == wanted.annotator:
            return pk
    raise Invalid("unknown-annotator", f"There is no annotator {wanted.annotator[:60]!r} here.")


def _annotation_rows(project: Project, narrowed: AnswerFilter, wanted: Wanted) -> Iterator[dict[str, Any]]:
    with one_moment():
        names = annotator_names(project, real=wanted.real_names)
        guidelines = guideline_numbers(project)
        questions = {spec.id: spec for spec in narrowed.questions}
        value_of = _Values(narrowed.questions)
        moment = datetime.fromisoformat if wanted.format == FileFormat.PARQUET else str
        for chunk in item_chunks(project, narrowed.batch):
            items = {item.pk: item for item in chunk}
            ticked = ticked_classes(chunk, narrowed) if value_of.sets_are_asked else {}
            for row in answer_rows(chunk, narrowed):
                item = items[row.item_id]
                yield {
                    "item": item.external_id,
                    "annotator": names[row.annotator_id],
                    "question": questions[row.question_id].key,
                    "value": value_of(row, ticked),
                    "uncertain": value_of.is_uncertain(row, ticked),
                    "pass": row.pass_kind
                    if wanted.reader is None
                    else pass_told(row.pass_kind, wanted.reader),
                    "repeat": row.repeat,
                    "revision": row.revision,
                    "item_version": row.item_version,
                    "guideline_version": guidelines[row.guideline_id],
                    "suggestion": row.suggestion,
                    "elapsed_ms": row.elapsed_ms,
                    "created_at": moment(row.created_at),
                    "answered_at": row.answered_at and moment(row.answered_at),
                    "batch": item.batch,
                    "raw_value": value_of.raw(row, ticked),
                    "mapping": project.mapping_version,
                }


class _Values:
    """Answers as the API says them: a class's name, a list of names, a number, a text."""

    def __init__(self, questions: Iterable[QuestionSpec]) -> None:
        asked = tuple(questions)
        self._reads = {pk: spec for question in asked for pk, spec in question.reads.items()}
        self._raw = {
            pk: name
            for question in asked
            for pk, name in (
                *((spec.id, spec.name) for spec in question.classes),
                *((one.id, one.name) for one in question.merged),
            )
        }
        self._multiple = {question.id for question in asked if question.kind == QuestionKind.MULTIPLE}
        self.sets_are_asked = bool(self._multiple)

    def __call__(self, row: AnswerRow, ticked: dict[int, list[int]]) -> Any:
        if row.label_class_id is not None:
            return self._reads[row.label_class_id].name
        if row.question_id in self._multiple:
            read = {self._reads[pk] for pk in ticked.get(row.pk, ())}
            return [spec.name for spec in sorted(read, key=lambda spec: spec.order)]
        if row.number is not None:
            return plain_number(row.number)
        return row.text if row.standard is None else row.standard

    def raw(self, row: AnswerRow, ticked: dict[int, list[int]]) -> Any:
        """What was answered before the mappings in force, where these read it as something else; else null."""
        if row.label_class_id is not None:
            name = self._raw[row.label_class_id]
            return None if name == self._reads[row.label_class_id].name else name
        if row.question_id in self._multiple:
            chosen = ticked.get(row.pk, ())
            mapped = any(self._raw[pk] != self._reads[pk].name for pk in chosen)
            return [self._raw[pk] for pk in sorted(chosen)] if mapped else None
        return None if row.standard is None or row.standard == row.text else row.text

    def is_uncertain(self, row: AnswerRow, ticked: dict[int, list[int]]) -> bool:
        """Whether the answer says "I cannot tell"."""
        if row.label_class_id is not None:
            return self._reads[row.label_class_id].uncertain
        return any(self._reads[pk].uncertain for pk in ticked.get(row.pk, ()))


def plain_number(number: float) -> float | int:
    """A number as people write it: 5, not 5.0."""
    return int(number) if number.is_integer() else number


def _label_rows(
    project: Project, narrowed: AnswerFilter, rule: str, format_: str
) -> Iterator[dict[str, Any]]:
    moment = datetime.fromisoformat if format_ == FileFormat.PARQUET else str
    with one_moment():
        sees_gold = narrowed.reader is None or reads_gold(narrowed.reader)
        with_gold = questions_with_gold(project, narrowed.questions) if sees_gold else []
        with_settled = settled_questions(project, narrowed.questions)
        by_model = {question.id: resolved_by(project, question, rule) for question in narrowed.questions}
        voted = replace(
            narrowed, questions=tuple(spec for spec in narrowed.questions if by_model[spec.id] is None)
        )
        has_sets = any(question.kind == QuestionKind.MULTIPLE for question in voted.questions)
        for chunk in item_chunks(project, narrowed.batch):
            rows: defaultdict[int, list[VoteRow]] = defaultdict(list)
            for row in voting_rows(chunk, voted) if voted.questions else ():
                rows[row.question_id].append(row)
            ticked = ticked_classes(chunk, voted) if has_sets else {}
            gold = gold_values(chunk, narrowed, with_gold)
            settled = settled_values(chunk, narrowed, with_settled)
            labels = {
                question.id: _labels(question, rows[question.id], ticked)
                if (model := by_model[question.id]) is None
                else model.labels([item.pk for item in chunk])
                for question in narrowed.questions
            }
            for item in chunk:
                for question in narrowed.questions:
                    truth = gold.get((item.pk, question.id))
                    label = labels[question.id].get(item.pk)
                    final = settled.get((item.pk, question.id))
                    if label is not None or truth is not None or final is not None:
                        told = _label_row(item, question, label, truth, final, moment)
                        yield {**told, "mapping": project.mapping_version}


def _label_row(  # noqa: PLR0917 -- all that is known of one label
    item: ItemRow,
    question: QuestionSpec,
    label: Label | None,
    truth: Any,
    final: Settled | None,
    moment: Callable[[str], Any],
) -> dict[str, Any]:
    """A row of the file. What a person settled is the label, whatever the votes or the gold say beside it."""
    if isinstance(truth, float):
        truth = plain_number(truth)
    if label is None:  # nobody has answered: the gold is what is known
        label = Label(truth, "gold", GOLD, 1.0, 0, 0)
    cannot_tell, told_apart = label.cannot_tell, label.told_apart
    if final is not None:
        label = replace(label, value=final.value, how=ADJUDICATED, rule=ADJUDICATED, confidence=1.0, tied=())
    return {
        "item": item.external_id,
        "question": question.key,
        "value": plain_number(label.value) if isinstance(label.value, float) else label.value,
        "how": label.how,
        "rule": label.rule,
        "confidence": label.confidence,
        "n": label.n,
        "n_uncertain": label.n_uncertain,
        "tied": list(label.tied),
        "gold": truth,
        "batch": item.batch,
        "cause": None if final is None else final.cause,
        "settled_at": None if final is None else moment(final.at.astimezone(UTC).isoformat()),
        "cannot_tell": cannot_tell,
        "told_apart": told_apart,
    }


def _labels(question: QuestionSpec, rows: list[VoteRow], ticked: dict[int, list[int]]) -> dict[int, Label]:
    """The labels of one question by item."""
    if question.kind == QuestionKind.NUMBER:
        numbers: defaultdict[int, list[float]] = defaultdict(list)
        for row in rows:
            numbers[row.item_id].append(row.number or 0.0)
        return {item: mean_label(given) for item, given in numbers.items()}
    names = [spec.name for spec in question.classes]
    uncertain = np.array([spec.uncertain for spec in question.classes], dtype=np.bool_)
    code_of = question.places
    if question.kind == QuestionKind.MULTIPLE:
        sets: defaultdict[int, list[frozenset[int]]] = defaultdict(list)
        for row in rows:
            sets[row.item_id].append(frozenset(code_of[pk] for pk in ticked.get(row.pk, ())))
        return {item: set_label(given, names, uncertain) for item, given in sets.items()}
    places = {pk: place for place, pk in enumerate(dict.fromkeys(row.item_id for row in rows))}
    if question.kind == QuestionKind.TEXT:
        texts: dict[str, int] = {}
        codes = [texts.setdefault(collapsed(row.text or ""), len(texts)) for row in rows]
        names, uncertain = list(texts), np.zeros(len(texts), dtype=np.bool_)
    else:
        codes = [code_of[row.label_class_id] for row in rows if row.label_class_id is not None]
    by_place = majority_labels([places[row.item_id] for row in rows], codes, names, uncertain)
    return {pk: by_place[place] for pk, place in places.items()}
