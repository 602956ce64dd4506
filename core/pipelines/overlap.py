"""Overlap that adapts: answers so far in, the items that get one more place out."""

import numpy as np

from core.models import Job, Project
from core.numerics.aggregation import certain_answers
from core.numerics.dawid_skene import judge
from core.numerics.intervals import wilson_interval
from core.numerics.overlap import Decision, Places, decide
from core.numerics.results import Figure, Method, Reason
from core.numerics.table import Bools, Ints, LabelTable
from core.selectors.agreement import ALL_LABELS, Scope, answer_columns, gold_columns
from core.selectors.overlap import deciding_question, places_of
from core.selectors.progress import changes_of
from core.selectors.question import QuestionSpec
from core.services.job import beat
from core.services.overlap import end_look, raise_targets


def run_overlap(job: Job) -> None:
    """One look at a project: buy a place for every finished item that is not sure, as far as the budget goes.

    The first question of kind single or scale decides alone: a project that asks several puts the one that
    matters first. The result tells ``question``, ``items`` that were looked at, ``sure`` ones among them, ``raised``
    ones, ``gold`` (how often the model's label is the gold one, a figure) and ``changes``, the project's count of
    changes that this look has seen.
    """
    project = Project.objects.get(pk=job.project_id)
    changes = changes_of(project)
    question = deciding_question(project)
    if question is None or project.overlap_most is None:  # changed since the job was made
        end_look(job, {"changes": changes, "items": 0, "sure": None, "raised": 0, "gold": None})
        return
    found, items, gold = _decide(project, question)
    beat(job, 0)
    raised = raise_targets(project, items[found.raised].tolist(), job)
    result = {
        "question": question.key,
        "changes": changes,
        "items": int(items.size),
        "sure": int(found.sure.size),
        "raised": raised,
        "gold": gold.to_dict(),
    }
    end_look(job, result)


def _decide(project: Project, question: QuestionSpec) -> tuple[Decision, Ints, Figure]:
    """The decision in codes, the items' ids by code, and the accuracy on gold."""
    rows = places_of(project)
    columns = answer_columns(project, question, ALL_LABELS)
    columns = columns.keep(np.isin(columns.item, rows["item"]))  # an item may have come or gone in between
    _people, annotator = np.unique(columns.annotator, return_inverse=True)
    table = LabelTable(
        np.searchsorted(rows["item"], columns.item), annotator, columns.label, len(columns.names)
    )
    places = Places(
        done=rows["done"],
        target=rows["target"],
        open=(rows["free"] == 0) & (rows["leased"] == 0),
        audit=rows["fixed"],
    )
    budget = project.overlap_budget
    found = decide(
        table,
        places,
        most=project.overlap_most or project.overlap,
        sure=float(project.overlap_sure),
        budget=None if budget is None else budget - project.overlap_bought,
        uncertain=columns.uncertain,
    )
    gold = np.full(rows.size, -1)
    known = gold_columns(project, question, Scope(), columns.names)
    here = np.isin(known.item, rows["item"])
    gold[np.searchsorted(rows["item"], known.item[here])] = known.label[here]
    return found, rows["item"], _accuracy(found, table, columns.uncertain, gold)


def _accuracy(found: Decision, table: LabelTable, uncertain: Bools, gold: Ints) -> Figure:
    """How often the model's most probable class is the gold one, on the items with gold and a certain answer."""
    if found.model is None:
        return Figure.missing(Reason.NO_OVERLAP)
    certain, codes = certain_answers(table, uncertain)
    item, posterior = judge(found.model, certain)
    has_gold = gold[item] >= 0
    n = int(np.count_nonzero(has_gold))
    if n == 0:
        return Figure.missing(Reason.TOO_FEW_ITEMS)
    right = codes[posterior.argmax(axis=1)][has_gold] == gold[item][has_gold]
    share = float(right.mean())
    se = float(np.sqrt(share * (1 - share) / n))
    ci = wilson_interval(share, n)
    return Figure.estimate(share, se=se, ci=ci, method=Method.WILSON, n_items=n, n_pairs=n)
