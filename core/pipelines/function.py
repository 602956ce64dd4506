"""Labeling functions: checked as they are written, tried on some items, and applied to all of them."""

import math
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from django.db.models import QuerySet

from core.choices import FunctionKind, ItemsChoice, QuestionKind
from core.exceptions import Invalid, Missing
from core.models import Item, Job, LabelingFunction, Membership, Project, Run
from core.numerics.aggregation import Rule as LabelRule
from core.numerics.aggregation import resolve
from core.numerics.functions import BadPattern, Keywords, Meta, Operator, Pattern, Rule, Span, Subject, Words
from core.numerics.table import Floats, Ints, LabelTable, condense
from core.numerics.weak import (
    Comparison,
    LabelModel,
    Votes,
    balance,
    compare,
    fit_label_model,
    voted_balance,
    winners,
)
from core.pipelines.holdout import certain_codes
from core.selectors.agreement import Scope, answer_columns, gold_columns
from core.selectors.function import (
    ItemRow,
    class_voted_for,
    every_row,
    first_rows,
    function_of,
    functions_of,
    said_of,
    stream_items,
    voting_runs,
)
from core.selectors.label import settled_classes
from core.selectors.question import QuestionSpec, schema_of
from core.services.function import (
    NewFunction,
    NewPrediction,
    add_predictions,
    begin_weak_run,
    create_function,
    drop_weak_run,
    edit_function,
    end_weak_run,
    start_applying,
)
from core.services.job import JobCancelled, beat

LONGEST_NAME = 120
MOST_WORDS = 100
LONGEST_WORD = 100
LONGEST_KEY = 200
PREVIEW_ITEMS = 2000
PREVIEW_SECONDS = 0.5
PREVIEW_EXAMPLES = 10
_AROUND = 80  # characters shown before a match
_EXCERPT = 240
MOST_PREDICTED = 200_000
AT_ONCE = 2000
LEAST_PROBABILITY = 1e-3  # of a class that a prediction names
ENOUGH_REFERENCE = 20
ENOUGH_BALANCE = 30
BALANCE_PER_CLASS = 2
_READ_SHARE = 0.5
KINDS = frozenset({QuestionKind.SINGLE, QuestionKind.SCALE})
FIELDS = frozenset({"name", "question", "kind", "class", "arguments", "active"})
ARGUMENTS = {
    FunctionKind.KEYWORDS: frozenset({"words", "every", "also", "field"}),
    FunctionKind.PATTERN: frozenset({"pattern", "case", "field"}),
    FunctionKind.META: frozenset({"key", "operator", "value"}),
    FunctionKind.RUN: frozenset({"run", "above"}),
}
Json = dict[str, Any]


class LabelFrom(StrEnum):
    """How the votes of functions become one label."""

    DEFAULT = "default"  # the label model, unless it is known to be worse than majority here
    LABEL_MODEL = "label_model"
    MAJORITY = "majority"


RULES = tuple(rule.value for rule in LabelFrom)


# --- Written ------------------------------------------------------------------------------------------


class _Problems:
    """What is wrong with a function, each with the place where it stands."""

    def __init__(self) -> None:
        self.rows: list[Json] = []

    def add(self, pointer: str, code: str, detail: str) -> None:
        field = pointer.rsplit("/", 1)[-1]
        self.rows.append({"pointer": pointer, "field": field, "code": code, "detail": detail})

    def tell(self) -> None:
        """Raises Invalid with the code of the first problem."""
        if self.rows:
            raise Invalid(self.rows[0]["code"], self.rows[0]["detail"], errors=self.rows)


def save_function(
    membership: Membership,
    body: Mapping[str, Any],
    function_id: int | None = None,
    version: int | None = None,
) -> LabelingFunction:
    """Make a function, or change the one of this id by what the body names.

    ``name``; ``question`` (its key; may be left out where one question alone can be voted on); ``kind``; ``class``
    (its name; null for the predictions of a run as they are); ``active``; and ``arguments``: ``words``, ``every``,
    ``also``, ``field`` of keywords; ``pattern``, ``case``, ``field`` of a regular expression; ``key``, ``operator``, ``value``
    of metadata; ``run`` (its id), ``above`` (a probability) of a run.

    Raises Invalid with one row per problem: ``unknown-field``, ``bad-name``, ``unknown-question``,
    ``question-needed``, ``functions-not-for-this-kind``, ``bad-kind``, ``bad-class``, ``bad-words``, ``bad-field``,
    ``bad-pattern``, ``bad-key``, ``bad-operator``, ``bad-value``, ``unknown-run``, ``bad-probability``,
    ``bad-flag``; and what services.function raises.
    """
    if function_id is None:
        return create_function(membership, checked_function(membership.project, body))
    old = function_of(membership.project_id, function_id)
    whole = {**_body_of(old), **body}
    return edit_function(membership, function_id, checked_function(membership.project, whole), version)


def _body_of(function: LabelingFunction) -> Json:
    return {
        "name": function.name,
        "question": function.question.key,
        "kind": function.kind,
        "class": class_voted_for(function),
        "arguments": function.arguments,
        "active": function.active,
    }


def checked_function(project: Project, body: Mapping[str, Any]) -> NewFunction:
    """A function as it is kept. Raises Invalid as ``save_function`` says."""
    problems = _Problems()
    for name in sorted(set(body) - FIELDS):
        problems.add(f"/{name[:60]}", "unknown-field", f"There is no field {name[:60]!r} here.")
    given = body.get("name")
    kept = unicodedata.normalize("NFC", " ".join(given.split())) if isinstance(given, str) else ""
    if not kept or len(kept) > LONGEST_NAME or not kept.isprintable():
        problems.add("/name", "bad-name", f"A name has 1 to {LONGEST_NAME} printable characters.")
    active = body.get("active", True)
    if not isinstance(active, bool):
        problems.add("/active", "bad-flag", "active is true or false.")
    kind = str(body.get("kind"))
    if kind not in FunctionKind.values:
        problems.add("/kind", "bad-kind", f"kind must be one of {', '.join(FunctionKind.values)}.")
        problems.tell()
    question = _question(project, body.get("question"), problems)
    label_class = _class_of(question, FunctionKind(kind), body.get("class"), problems)
    arguments = _arguments(project, question, FunctionKind(kind), body.get("arguments"), problems)
    problems.tell()
    return NewFunction(
        kept, question.id if question else 0, str(kind), arguments, label_class, active is True
    )


def question_to_vote_on(project: Project, key: Any = None) -> QuestionSpec:
    """The question of this key, or the only one that functions can vote on.

    Raises Invalid ``unknown-question``, ``question-needed``, ``functions-not-for-this-kind``.
    """
    questions = schema_of(project).questions
    possible = [spec for spec in questions if spec.kind in KINDS]
    if key is None:
        if len(possible) == 1:
            return possible[0]
        if not possible:
            raise Invalid("functions-not-for-this-kind", "No question here has one class as its answer.")
        keys = ", ".join(spec.key for spec in possible)
        raise Invalid("question-needed", f"Say which question: one of {keys}.")
    found = next((spec for spec in questions if spec.key == key), None)
    if found is None:
        raise Invalid("unknown-question", f"There is no question {str(key)[:60]!r} here.")
    if found.kind not in KINDS:
        detail = "Functions vote on questions that have one class as the answer."
        raise Invalid("functions-not-for-this-kind", detail)
    return found


def _question(project: Project, key: Any, problems: _Problems) -> QuestionSpec | None:
    try:
        return question_to_vote_on(project, key)
    except Invalid as refusal:
        problems.add("/question", refusal.code, refusal.detail)
        return None


def _class_of(
    question: QuestionSpec | None, kind: FunctionKind, name: Any, problems: _Problems
) -> int | None:
    if question is None or (kind is FunctionKind.RUN and (name is None or name == "")):
        return None
    found = question.class_named(name) if isinstance(name, str) else None
    if found is None or found.uncertain:
        detail = "Choose the class that it votes for."
        if found is not None:
            detail = "A function is silent where it cannot tell: it does not vote for an uncertainty class."
        problems.add("/class", "bad-class", detail)
        return None
    return found.id


def _arguments(
    project: Project, question: QuestionSpec | None, kind: FunctionKind, raw: Any, problems: _Problems
) -> Json:
    if not isinstance(raw, dict):
        problems.add("/arguments", "not-an-object", "arguments is an object.")
        return {}
    for name in sorted(set(raw) - ARGUMENTS[kind]):
        detail = f"Functions of this kind have no argument {name[:60]!r}."
        problems.add(f"/arguments/{name[:60]}", "unknown-field", detail)
    if kind is FunctionKind.KEYWORDS:
        return _keywords(raw, problems)
    if kind is FunctionKind.PATTERN:
        return _pattern(raw, problems)
    if kind is FunctionKind.META:
        return _meta(raw, problems)
    return _run(project, question, raw, problems)


def _keywords(raw: Json, problems: _Problems) -> Json:
    return {
        "words": _words(raw, "words", 1, problems),
        "every": _flag(raw, "every", problems),
        "also": _words(raw, "also", 0, problems),
        "field": _field(raw, problems),
    }


def _words(raw: Json, name: str, least: int, problems: _Problems) -> list[str]:
    given = raw.get(name, [])
    kept: list[str] = []
    is_list = isinstance(given, list) and all(isinstance(word, str) for word in given)
    if is_list:
        kept = list(dict.fromkeys(unicodedata.normalize("NFC", " ".join(word.split())) for word in given))
    good = all(Words.of(word).spans and len(word) <= LONGEST_WORD for word in kept)
    if not (is_list and good and least <= len(kept) <= MOST_WORDS):
        detail = f"Give {least} to {MOST_WORDS} words or phrases of at most {LONGEST_WORD} characters."
        problems.add(f"/arguments/{name}", "bad-words", detail)
    return kept


def _pattern(raw: Json, problems: _Problems) -> Json:
    pattern = raw.get("pattern")
    case, field = _flag(raw, "case", problems), _field(raw, problems)
    if not isinstance(pattern, str) or not pattern:
        problems.add("/arguments/pattern", "bad-pattern", "Write a regular expression.")
        return {}
    try:
        Pattern(pattern, case, field)
    except BadPattern as refusal:
        problems.add("/arguments/pattern", "bad-pattern", str(refusal))
    return {"pattern": pattern, "case": case, "field": field}


def _meta(raw: Json, problems: _Problems) -> Json:
    key, operator, value = raw.get("key"), raw.get("operator"), raw.get("value")
    if not isinstance(key, str) or not 1 <= len(key) <= LONGEST_KEY:
        problems.add("/arguments/key", "bad-key", "Name a key of the metadata.")
    if operator not in list(Operator):
        detail = f"operator must be one of {', '.join(Operator)}."
        problems.add("/arguments/operator", "bad-operator", detail)
        return {}
    if operator == Operator.MISSING:
        return {"key": key, "operator": operator, "value": None}
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    is_text = isinstance(value, str) and 1 <= len(value) <= LONGEST_KEY
    if not (is_number or is_text or isinstance(value, bool)):
        detail = f"value is a number, true, false, or a text of 1 to {LONGEST_KEY} characters."
        problems.add("/arguments/value", "bad-value", detail)
    elif isinstance(value, bool) and operator not in {Operator.EQUAL, Operator.DIFFERENT, Operator.CONTAINS}:
        problems.add("/arguments/value", "bad-value", "true and false have no order: compare with = or !=.")
    return {"key": key, "operator": operator, "value": value}


def _run(project: Project, question: QuestionSpec | None, raw: Json, problems: _Problems) -> Json:
    run, above = raw.get("run"), raw.get("above")
    number = run if isinstance(run, int) and not isinstance(run, bool) and 0 < run < 2**63 else 0
    if question is not None and not voting_runs(project.pk, question.id).filter(pk=number).exists():
        detail = "Choose a run that has predictions of this question, and that functions have not made."
        problems.add("/arguments/run", "unknown-run", detail)
    is_share = isinstance(above, int | float) and not isinstance(above, bool) and 0 <= above < 1
    if above is not None and not is_share:
        problems.add("/arguments/above", "bad-probability", "above is a probability from 0 to below 1.")
    return {"run": run, "above": above}


def _flag(raw: Json, name: str, problems: _Problems) -> bool:
    value = raw.get(name, False)
    if not isinstance(value, bool):
        problems.add(f"/arguments/{name}", "bad-flag", f"{name} is true or false.")
    return value is True


def _field(raw: Json, problems: _Problems) -> str | None:
    field = raw.get("field") or None
    if field is not None and not (isinstance(field, str) and len(field) <= LONGEST_KEY):
        problems.add("/arguments/field", "bad-field", "field is the name of a field of the items' data.")
        return None
    return field


# --- Voting -------------------------------------------------------------------------------------------


def rule_of(kind: str, arguments: Mapping[str, Any]) -> Rule | None:
    """What a function asks of an item; None of one that repeats what a run says. Raises BadPattern."""
    if kind == FunctionKind.KEYWORDS:
        return Keywords(
            tuple(arguments["words"]), arguments["every"], tuple(arguments["also"]), arguments["field"]
        )
    if kind == FunctionKind.PATTERN:
        return Pattern(arguments["pattern"], arguments["case"], arguments["field"])
    if kind == FunctionKind.META:
        return Meta(arguments["key"], Operator(arguments["operator"]), arguments["value"])
    return None


@dataclass(frozen=True, eq=False)
class Voters:
    """The functions of one question, ready to vote. Classes are codes: places in ``class_ids``."""

    question: QuestionSpec
    class_ids: tuple[int, ...]
    class_names: tuple[str, ...]
    functions: tuple[LabelingFunction, ...]
    rules: tuple[Rule | None, ...]

    @classmethod
    def of(cls, question: QuestionSpec, functions: Iterable[LabelingFunction]) -> "Voters":
        """Those of these functions that are switched on and vote on the question."""
        kept = tuple(one for one in functions if one.active and one.question_id == question.id)
        certain = [spec for spec in question.classes if not spec.uncertain]
        return cls(
            question,
            tuple(spec.id for spec in certain),
            tuple(spec.name for spec in certain),
            kept,
            tuple(rule_of(one.kind, one.arguments) for one in kept),
        )

    @property
    def code_of(self) -> dict[int, int]:
        """The code of what every class id is read as."""
        codes = {pk: code for code, pk in enumerate(self.class_ids)}
        return {pk: codes[spec.id] for pk, spec in self.question.reads.items() if spec.id in codes}

    def votes(self, chunks: Iterable[Sequence[ItemRow]]) -> Votes:
        """What the functions say of items, which come in chunks in the order of their ids; items are codes in this order."""
        parts: list[np.ndarray[Any, np.dtype[np.int32]]] = []
        n_items = 0
        for rows in chunks:
            parts.append(np.array(list(self._of_chunk(rows, n_items)), dtype=np.int32).reshape(-1, 3))
            n_items += len(rows)
        whole = np.concatenate(parts) if parts else np.empty((0, 3), dtype=np.int32)
        item, function, label = (column.astype(np.intp) for column in whole.T)
        return Votes(item, function, label, n_items, len(self.functions), len(self.class_ids))

    def _of_chunk(self, rows: Sequence[ItemRow], first: int) -> Iterator[tuple[int, int, int]]:
        code_of = self.code_of
        asked = [
            (place, rule, code_of[one.label_class_id])
            for place, (one, rule) in enumerate(zip(self.functions, self.rules, strict=True))
            if rule is not None and one.label_class_id in code_of
        ]
        for place, row in enumerate(rows, first):
            subject = Subject(row[3], row[4])
            for function, rule, label in asked:
                if rule.matches(subject):
                    yield place, function, label
        if rows:
            place_of = {row[0]: place for place, row in enumerate(rows, first)}
            for function, one in enumerate(self.functions):
                if one.kind == FunctionKind.RUN:
                    for item, label in said_by(one, self.question, rows[0][0], rows[-1][0]):
                        if item in place_of and label in code_of:
                            yield place_of[item], function, code_of[label]


def said_by(
    function: LabelingFunction | NewFunction, question: QuestionSpec, first: int, last: int
) -> Iterator[tuple[int, int]]:
    """Item and current class id where a function that repeats a run votes, of the items from ``first`` to ``last``."""
    above, reads = function.arguments["above"], question.reads
    only = None if function.label_class_id is None else reads[function.label_class_id].id
    for item, raw, probabilities in said_of(function.arguments["run"], function.question_id, first, last):
        label = reads[raw].id
        if only not in {None, label}:
            continue
        if above is None or question.read_shares(probabilities or {}).get(label, 0.0) > above:
            yield item, label


# --- Truth, and the shares of the classes ---------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Reference:
    """The known class codes of some items (by id, ascending), and where they come from: gold, audit, labels."""

    source: str | None
    item: Ints
    label: Ints

    def of_items(self, ids: Ints) -> Ints:
        """The class of each of these items, -1 where it is not known."""
        if not self.item.size:
            return np.full(ids.size, -1, dtype=np.intp)
        place = np.minimum(np.searchsorted(self.item, ids), self.item.size - 1)
        found: Ints = np.where(self.item[place] == ids, self.label[place], -1)
        return found


def reference_of(project: Project, voters: Voters) -> Reference:
    """Gold where there are 20 items of it, else people's labels of the audit slice, else of all items; else the most."""
    best = Reference(None, np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp))
    gold = gold_columns(project, voters.question, Scope(), voters.class_names)
    known = gold.label < len(voters.class_names)
    order = np.argsort(gold.item[known], kind="stable")
    found = [("gold", gold.item[known][order], gold.label[known][order])]
    for source, items in (("audit", ItemsChoice.AUDIT), ("labels", ItemsChoice.ALL)):
        if found[-1][1].size >= ENOUGH_REFERENCE:
            break
        found.append((source, *resolved(project, voters, Scope(items=items))))
    for source, item, label in found:
        if item.size > best.item.size:
            best = Reference(source, item, label)
        if best.item.size >= ENOUGH_REFERENCE:
            break
    return best


def resolved(
    project: Project, voters: Voters, scope: Scope, among: QuerySet[Item] | None = None
) -> tuple[Ints, Ints]:
    """People's labels, settled or by majority of their certain answers: items (ids, ascending) and class codes.

    ``among`` narrows them to some items; ties are left out.
    """
    columns = answer_columns(project, voters.question, scope, among)
    items, item = condense(columns.item)
    _, annotator = condense(columns.annotator)
    table = LabelTable(item, annotator, columns.label, len(columns.names))
    consensus = resolve(table, LabelRule.MAJORITY, columns.uncertain)
    code = np.full(len(columns.names) + 1, -1)  # the last is a tie
    code[np.flatnonzero(~columns.uncertain)] = np.arange(len(voters.class_names))
    label, found = code[consensus.label], items[consensus.item]
    settled, code_of = settled_classes(project, voters.question), certain_codes(voters.question)
    held = np.isin(found, np.array(list(settled), dtype=np.int64))
    label[held] = [code_of.get(settled[pk], -1) for pk in found[held].tolist()]
    return found[label >= 0], label[label >= 0]


@dataclass(frozen=True, eq=False)
class Balance:
    """The shares of the classes, by the ``n`` labels of the audit stream or, without enough of them, by the votes."""

    source: str
    n: int
    shares: Floats


def balance_of(project: Project, voters: Voters, votes: Votes) -> Balance:
    """From the audit stream where it has 30 labels and two per class; the holdout is never looked at."""
    _, kept = resolved(project, voters, Scope(), stream_items(project.pk))
    k = len(voters.class_names)
    if kept.size >= max(ENOUGH_BALANCE, BALANCE_PER_CLASS * k):
        return Balance("audit_stream", int(kept.size), balance(kept, k))
    return Balance("votes", 0, voted_balance(votes))


# --- A look at what a function would do -----------------------------------------------------------------


def preview(project: Project, body: Mapping[str, Any]) -> Json:
    """What a function would do to the first items, without keeping it.

    ``n_items`` (the first 2,000, or as many as can be looked at in half a second), ``n_matched``, ``cut`` (the time was up), and
    the first ten of those that match: ``item``, ``class``, ``parts`` ({text, marked}: an excerpt around
    the first match). Raises Invalid as ``save_function``; a name is not needed.
    """
    name = body.get("name")
    new = checked_function(
        project, {**body, "name": name if isinstance(name, str) and name.strip() else "untitled"}
    )
    question = next(spec for spec in schema_of(project).questions if spec.id == new.question_id)
    name_of = {pk: spec.name for pk, spec in question.reads.items()}
    rows = first_rows(project.pk, PREVIEW_ITEMS)
    rule = rule_of(new.kind, new.arguments)
    said = {} if rule is not None or not rows else dict(said_by(new, question, rows[0][0], rows[-1][0]))
    started = time.perf_counter()
    examples: list[Json] = []
    looked = matched = 0
    for row in rows:
        if time.perf_counter() - started > PREVIEW_SECONDS:
            break
        looked += 1
        subject = Subject(row[3], row[4])
        label = said.get(row[0]) if rule is None else new.label_class_id if rule.matches(subject) else None
        if label is None:
            continue
        matched += 1
        if len(examples) < PREVIEW_EXAMPLES:
            parts = _excerpt(subject, rule, new.arguments)
            examples.append({"item": row[1], "class": name_of.get(label, ""), "parts": parts})
    return {
        "n_items": looked,
        "n_matched": matched,
        "cut": looked < len(rows),
        "examples": examples,
    }


def _excerpt(subject: Subject, rule: Rule | None, arguments: Mapping[str, Any]) -> list[Json]:
    """The text around the first match in parts, those that match marked; of metadata the key with its value."""
    if isinstance(rule, Meta):
        value = subject.meta.get(rule.key)
        shown = f"{rule.key}: {value or ''}" if _is_short(value) else rule.key
        return [
            {"text": shown[:_EXCERPT], "marked": True},
            {"text": f" {subject.text(None)[:_EXCERPT]}", "marked": False},
        ]
    text = subject.text(arguments.get("field"))
    spans = [] if rule is None else rule.spans(subject)
    first = max(spans[0][0] - _AROUND, 0) if spans else 0
    return list(_parts(text, spans, first, min(first + _EXCERPT, len(text))))


def _is_short(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _parts(text: str, spans: Sequence[Span], first: int, last: int) -> Iterator[Json]:
    at = first
    if first:
        yield {"text": "…", "marked": False}
    for start, end in spans:
        if start >= last:
            break
        if start > at:
            yield {"text": text[at:start], "marked": False}
        yield {"text": text[max(start, at) : min(end, last)], "marked": True}
        at = min(end, last)
    if at < last:
        yield {"text": text[at:last], "marked": False}
    if last < len(text):
        yield {"text": "…", "marked": False}


# --- Applied to all items -------------------------------------------------------------------------------


def chosen_rule(asked: LabelFrom, compared: Comparison) -> LabelFrom:
    """The rule by which labels are made: by default the label model, unless it is surely below majority."""
    if asked is not LabelFrom.DEFAULT:
        return asked
    return LabelFrom.MAJORITY if compared.chosen_majority else LabelFrom.LABEL_MODEL


def comparison_json(compared: Comparison) -> Json:
    """Both accuracies and their difference as JSON."""
    return {
        "label_model": compared.label_model.to_dict(),
        "majority": compared.majority.to_dict(),
        "difference": compared.difference.to_dict(),
    }


def apply_functions(membership: Membership, question_key: Any, rule: Any) -> Job:
    """Let a worker label all items; the job that does so already, if there is one.

    Raises Invalid ``bad-rule`` and what ``question_to_vote_on`` raises, Conflict as services.function.start_applying.
    """
    question = question_to_vote_on(membership.project, question_key)
    if rule not in list(LabelFrom):
        raise Invalid("bad-rule", f"rule must be one of {', '.join(LabelFrom)}.")
    return start_applying(membership, question.id, rule)


def run_weak(job: Job) -> None:
    """Do the work of a job that applies functions: a run of kind ``weak`` with a prediction per covered item.

    At most 200,000 items get one, evenly spread over those covered. Labels of people serve to weigh the classes (the
    audit stream) and to judge the result, and never become votes. Raises LostClaim, JobCancelled.
    """
    project = job.project
    question = next(
        (spec for spec in schema_of(project).questions if spec.id == job.arguments["question"]), None
    )
    if question is None:
        raise Missing("The question of these functions was removed.")
    voters = Voters.of(question, functions_of(project.pk))
    ids: list[int] = []
    versions: list[int] = []
    votes = voters.votes(_noted(job, ids, versions))
    known = balance_of(project, voters, votes)
    model = fit_label_model(votes, known.shares)
    reference = reference_of(project, voters)
    compared = compare(model, votes, reference.of_items(np.array(ids, dtype=np.int64)))
    rule = chosen_rule(LabelFrom(job.arguments["rule"]), compared)
    run = begin_weak_run(
        job,
        question.id,
        {
            "rule": rule.value,
            "functions": [
                {"id": one.pk, "name": one.name, "version": one.version} for one in voters.functions
            ],
        },
    )
    try:
        n_covered, n_predicted = _write(job, run, voters, votes, model, rule, known.shares, ids, versions)
    except JobCancelled:
        drop_weak_run(project)
        raise
    end_weak_run(
        job,
        run,
        {
            "rule": rule.value,
            "n_items": votes.n_items,
            "n_covered": n_covered,
            "n_predictions": n_predicted,
            "cut": n_covered - n_predicted,
            "balance": {"from": known.source, "n": known.n},
            "reference": {"from": reference.source, "n_items": int(reference.item.size)},
            **comparison_json(compared),
        },
    )


def _noted(job: Job, ids: list[int], versions: list[int]) -> Iterator[list[ItemRow]]:
    """All items in chunks, their ids and versions noted, with a sign of life after each chunk."""
    for rows in every_row(job.project_id):
        ids.extend(row[0] for row in rows)
        versions.extend(row[2] for row in rows)
        beat(job)
        yield rows


def _write(  # noqa: PLR0917 -- everything that a prediction is made of
    job: Job,
    run: Run,
    voters: Voters,
    votes: Votes,
    model: LabelModel,
    rule: LabelFrom,
    shares: Floats,
    ids: Sequence[int],
    versions: Sequence[int],
) -> tuple[int, int]:
    """Write the predictions; returns how many items are covered, and how many have one."""
    patterns = votes.patterns
    covered = np.flatnonzero(~patterns.silent[patterns.of_item])
    chosen = covered
    if covered.size > MOST_PREDICTED:
        chosen = covered[np.linspace(0, covered.size - 1, MOST_PREDICTED).astype(np.intp)]
    for start in range(0, chosen.size, AT_ONCE):
        batch = chosen[start : start + AT_ONCE]
        places, row = np.unique(patterns.of_item[batch], return_inverse=True)
        by_majority = rule is LabelFrom.MAJORITY
        scores = patterns.majority(places) if by_majority else model.probabilities(patterns, places)
        best = winners(scores, shares).tolist()
        told = [_told(voters, one) for one in scores]
        new = [
            NewPrediction(ids[place], versions[place], voters.class_ids[best[at]], told[at])
            for place, at in zip(batch.tolist(), row.tolist(), strict=True)
        ]
        done = (start + len(new)) / chosen.size
        add_predictions(job, run, new, _READ_SHARE + (1 - _READ_SHARE) * done)
    return int(covered.size), int(chosen.size)


def _told(voters: Voters, row: Floats) -> dict[str, float]:
    """Probabilities by class id, without those of almost nothing."""
    named = np.flatnonzero(row >= LEAST_PROBABILITY)
    return {str(voters.class_ids[code]): round(float(row[code]), 6) for code in named}
