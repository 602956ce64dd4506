"""One label per item by majority or by a model of the annotators, and the report that sets the rules side by side.

Models are for questions with one class as the answer (single choice, scale). They are fitted to all counted
answers of the project, whatever part of it is asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.choices import QuestionKind
from core.exceptions import Invalid
from core.models import Project
from core.numerics.aggregation import (
    Consensus,
    DefaultRule,
    Flips,
    Rule,
    by_model,
    certain_answers,
    default_rule,
    flips,
    fractional_accuracy,
    resolve,
)
from core.numerics.dawid_skene import CrowdModel, Model, competence, fit_dawid_skene
from core.numerics.table import Ints, LabelTable, condense
from core.pipelines.label import OF_CERTAIN, OF_UNCERTAIN, Label
from core.selectors.agreement import ALL_LABELS, AnswerColumns, Scope, answer_columns, gold_columns, has_gold
from core.selectors.label import item_names
from core.selectors.moment import database_now, one_moment
from core.selectors.pseudonym import annotator_names
from core.selectors.question import QuestionSpec, schema_of

DEFAULT = "default"
RULES = (*(rule.value for rule in Rule), DEFAULT)
ONE_CLASS_EACH = frozenset({QuestionKind.SINGLE, QuestionKind.SCALE})
MOST_FLIPS = 200
MOST_CONFUSIONS = 200  # annotators whose confusion matrix is told
MOST_CLASSES = 20  # of a matrix that is told
NOT_POSSIBLE = "Rules are compared for questions that have one class as the answer."
Json = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Resolved:
    """The labels of one question by one rule; ``items`` are the keys of the rows of ``consensus``, ascending."""

    rule: Rule
    items: Ints
    consensus: Consensus
    given: Ints
    columns: AnswerColumns

    def labels(self, wanted: Sequence[int]) -> dict[int, Label]:
        """The labels of those of the wanted items that have answers."""
        keys = np.array(wanted, dtype=np.int64)
        rows = np.minimum(np.searchsorted(self.items, keys), max(self.items.size - 1, 0))
        if self.items.size == 0:
            return {}
        known = self.items[rows] == keys
        return {int(key): self._label(int(row)) for key, row in zip(keys[known], rows[known], strict=True)}

    def _label(self, row: int) -> Label:
        told, names = self.consensus, self.columns.names
        winners = told.winners_of(row).tolist()
        how, rule = self.rule.value, self.rule.value
        if self.columns.uncertain[winners[0]]:
            how, rule = Rule.MAJORITY.value, OF_UNCERTAIN
        elif self.rule is Rule.MAJORITY:
            rule = OF_CERTAIN
        tied = len(winners) > 1
        return Label(
            value=None if tied else names[winners[0]],
            how=how,
            rule=rule,
            confidence=float(told.confidence[row]),
            n=int(told.n[row]),
            n_uncertain=int(self.given[row] - told.n[row]),
            tied=tuple(names[winner] for winner in winners) if tied else (),
        )


def check_rule(rule: str) -> str:
    """The rule, if there is such a one; raises Invalid ``unknown-rule``."""
    if rule not in RULES:
        raise Invalid("unknown-rule", f"rule must be one of {', '.join(RULES)}.")
    return rule


def resolved_by(project: Project, question: QuestionSpec, rule: str) -> Resolved | None:
    """The labels of a question by a model; None where its rule is majority, which needs no more than the item.

    ``default`` is what the answers per annotator come to.
    """
    if rule == Rule.MAJORITY or question.kind not in ONE_CLASS_EACH:
        return None
    columns = answer_columns(project, question, ALL_LABELS)
    items, table = _table(columns)
    used = default_rule(table, columns.uncertain).rule if rule == DEFAULT else Rule(rule)
    if used is Rule.MAJORITY:
        return None
    consensus = resolve(table, used, columns.uncertain)
    return Resolved(used, items[consensus.item], consensus, table.sizes[consensus.item], columns)


def _table(columns: AnswerColumns) -> tuple[Ints, LabelTable]:
    items, item = condense(columns.item)
    _, annotator = condense(columns.annotator)
    return items, LabelTable(item, annotator, columns.label, len(columns.names))


def aggregation_report(
    project: Project, question_key: str | None = None, *, real_names: bool = False
) -> Json:
    """The rules side by side, the annotators by the model, and what would change.

    - ``project``, ``question``, ``as_of``; ``n_items``, ``n_annotations``, ``n_annotators``, ``n_uncertain``
      (answers "I cannot tell", which have no vote unless nobody gave another).
    - ``default``: ``rule``, ``why`` (``no_overlap``, ``few_answers``, ``enough_for_accuracy``,
      ``enough_for_confusion``), ``median`` (answers of the median annotator), ``for_one_coin`` and
      ``for_dawid_skene`` (from how many the models are the default).
    - ``rules``: for each ``rule``: ``default`` (is it that?), ``n_labels`` (items with a label), ``n_tied``,
      ``confidence`` (mean), ``accuracy`` (a figure against gold, null where there is none; a tie scores the
      share of gold among the tied).
    - ``model``: from which rule the annotators below come (``dawid_skene`` where that is the default, else
      ``one_coin``), ``iterations``, ``converged``, ``log_likelihood``.
    - ``classes``: names of the certain classes, in the order of ``shares`` (their shares by the model) and of the
      rows (truth) and columns (answer) of every ``confusion``.
    - ``annotators``, most answers first: ``id``, ``n`` (certain answers), ``competence`` (a figure: how often
      right under the class shares), ``confusion`` (probability of each answer, by true class) and
      ``expected`` (how many answers, by true class); both null beyond the first 200 people or 20 classes.
    - ``flips``: ``old`` and ``new`` rule, ``n`` (items whose label would be another), ``items`` (the first 200,
      surest first): ``item``, ``old``, ``new`` (null: a tie), ``old_confidence``, ``new_confidence``.
    - ``cut``: how many ``annotators`` are without confusion, and ``flips`` not listed.

    Raises Invalid: ``unknown-question``, ``question-needed``, ``aggregation-not-possible``.
    """
    question = _question(project, question_key)
    with one_moment():
        as_of = database_now(project)
        columns = answer_columns(project, question, ALL_LABELS)
        names = annotator_names(project, real=real_names)
        items, table = _table(columns)
        gold = _gold(project, question, columns, items)
        default = default_rule(table, columns.uncertain)
        certain, codes = certain_answers(table, columns.uncertain)
        models = {Rule(kind.value): fit_dawid_skene(certain, kind) for kind in Model}
        told = {rule: by_model(table, model, codes) for rule, model in models.items()}
        told[Rule.MAJORITY] = resolve(table, Rule.MAJORITY, columns.uncertain)
        shown = Rule.DAWID_SKENE if default.rule is Rule.DAWID_SKENE else Rule.ONE_COIN
        changed = flips(told[Rule.MAJORITY], told[shown])
        called = item_names(items[changed.item[:MOST_FLIPS]].tolist())
    people = np.unique(columns.annotator)
    annotators = _annotators(models[shown], people, names)
    classes = [columns.names[code] for code in codes.tolist()]
    return {
        "project": project.slug,
        "question": question.key,
        "as_of": as_of.isoformat(),
        "n_items": table.n_items,
        "n_annotations": len(table),
        "n_annotators": int(people.size),
        "n_uncertain": len(table) - len(certain),
        "default": _default(default),
        "rules": [_rule(rule, told[rule], default, gold) for rule in Rule],
        "model": {
            "rule": shown.value,
            "iterations": models[shown].iterations,
            "converged": models[shown].converged,
            "log_likelihood": models[shown].log_likelihood,
        },
        "classes": classes,
        "shares": models[shown].shares[: len(classes)].tolist(),
        "annotators": annotators,
        "flips": {
            "old": Rule.MAJORITY.value,
            "new": shown.value,
            "n": int(changed.item.size),
            "items": _flips(changed, items, called, columns.names),
        },
        "cut": {
            "annotators": sum(row["confusion"] is None for row in annotators),
            "flips": max(0, int(changed.item.size) - MOST_FLIPS),
        },
    }


def _question(project: Project, key: str | None) -> QuestionSpec:
    possible = [spec for spec in schema_of(project).questions if spec.kind in ONE_CLASS_EACH]
    if key is None:
        if len(possible) == 1:
            return possible[0]
        if not possible:
            raise Invalid("aggregation-not-possible", NOT_POSSIBLE)
        raise Invalid("question-needed", f"Name the question: {', '.join(spec.key for spec in possible)}.")
    question = schema_of(project).question(key)
    if question is None:
        raise Invalid("unknown-question", f"There is no question {key[:60]!r} here.")
    if question not in possible:
        raise Invalid("aggregation-not-possible", NOT_POSSIBLE)
    return question


def _gold(project: Project, question: QuestionSpec, columns: AnswerColumns, items: Ints) -> Ints | None:
    """The code of the gold of every item code, -1 without; None where the question has no gold."""
    if not has_gold(project, question):
        return None
    gold = gold_columns(project, question, Scope(), columns.names)
    truth = np.full(items.size, -1, dtype=np.intp)
    place = np.minimum(np.searchsorted(items, gold.item), max(items.size - 1, 0))
    known = items[place] == gold.item if items.size else np.zeros(gold.item.size, dtype=np.bool_)
    truth[place[known]] = gold.label[known]
    return truth


def _default(default: DefaultRule) -> Json:
    return {
        "rule": default.rule.value,
        "why": default.why.value,
        "median": default.median,
        "for_one_coin": default.for_one_coin,
        "for_dawid_skene": default.for_dawid_skene,
    }


def _rule(rule: Rule, told: Consensus, default: DefaultRule, gold: Ints | None) -> Json:
    return {
        "rule": rule.value,
        "default": rule is default.rule,
        "n_labels": int(told.item.size - np.count_nonzero(told.tied)),
        "n_tied": int(np.count_nonzero(told.tied)),
        "confidence": float(told.confidence.mean()) if told.item.size else None,
        "accuracy": None if gold is None else fractional_accuracy(told, gold).to_dict(),
    }


def _annotators(model: CrowdModel, people: Ints, names: Mapping[int, str]) -> list[Json]:
    figures = competence(model)
    n = np.bincount(np.searchsorted(model.annotator, model.table.annotator), minlength=model.annotator.size)
    small = model.table.n_classes <= MOST_CLASSES
    rows = []
    for rank, place in enumerate(np.argsort(-n, kind="stable").tolist()):
        is_told = small and rank < MOST_CONFUSIONS
        rows.append(
            {
                "id": names[int(people[model.annotator[place]])],
                "n": int(n[place]),
                "competence": figures[place].to_dict(),
                "confusion": model.confusion(place).tolist() if is_told else None,
                "expected": model.expected(place).tolist() if is_told else None,
            }
        )
    return rows


def _flips(changed: Flips, items: Ints, called: Mapping[int, str], names: tuple[str, ...]) -> list[Json]:
    columns = (changed.item, changed.old, changed.new, changed.old_confidence, changed.new_confidence)
    return [
        {
            "item": called[int(items[item])],
            "old": names[old] if old >= 0 else None,
            "new": names[new] if new >= 0 else None,
            "old_confidence": old_confidence,
            "new_confidence": new_confidence,
        }
        for item, old, new, old_confidence, new_confidence in zip(
            *(column[:MOST_FLIPS].tolist() for column in columns), strict=True
        )
    ]
