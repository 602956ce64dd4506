"""What labeling functions cover, where they conflict, how often they are right, and what they are worth together."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from core.models import LabelingFunction, Project
from core.numerics.table import Ints
from core.numerics.weak import (
    Comparison,
    LabelModel,
    VoteReport,
    Votes,
    compare,
    fit_label_model,
    function_accuracy,
    vote_report,
)
from core.pipelines.function import (
    Balance,
    LabelFrom,
    Reference,
    Voters,
    balance_of,
    chosen_rule,
    comparison_json,
    question_to_vote_on,
    reference_of,
)
from core.selectors.function import ItemRow, functions_of, rows_of, sampled_rows
from core.selectors.moment import database_now

SAMPLE = 5000
MOST_REFERENCE = 5000
MOST_PAIRS = 50
PAIRS_WITH_ITEMS = 20
MOST_ITEMS = 5
FEW_VOTES = 5  # known items below which nothing is said against a function
Json = dict[str, Any]


def function_report(project: Project, question_key: str | None = None) -> Json:
    """The report on the functions of one question, of those that are switched on.

    - ``project``, ``question``, ``as_of``; ``n_items`` of the project, ``n_looked`` (at most about 5,000 of them,
      always the same): what ``coverage`` (any vote), ``overlap`` (two or more) and ``conflict`` (two classes), each
      as a share of these items, rest on.
    - ``reference``: ``from`` (``gold``, ``audit``: people's labels of the audit slice, ``labels``: of all items;
      null without any) and ``n_items``: what every accuracy rests on, at most 5,000 of them.
    - ``functions``: for each ``id``, ``name``, ``kind``, ``version``, ``classes`` (that it votes for), ``n`` (its
      votes), ``coverage``; ``overlap`` and ``conflict`` (shares of its votes); ``accuracy`` (where it votes);
      ``learnt`` (what the label model thinks of it: ``class``, ``accuracy``).
    - ``pairs``, most conflicts first: ``a`` and ``b`` (ids), ``n_both``, ``n_differ``, ``share`` and ``items``, some of
      those behind. ``cut``: pairs not listed.
    - ``label_model``: ``label_model`` and ``majority`` (accuracy on covered items), their ``difference``,
      ``chosen`` (the rule by default), ``why`` (``at_or_above``, ``below``, ``no_reference``), ``iterations``,
      ``converged``, and ``balance``: the shares of the classes, ``from`` (``audit_stream`` or ``votes``), ``n``.
    - ``advice``, most urgent first: ``code`` and what it is about; see ``_advice``.

    Raises Invalid ``unknown-question``, ``question-needed``, ``functions-not-for-this-kind``.
    """
    question = question_to_vote_on(project, question_key)
    voters = Voters.of(question, functions_of(project.pk))
    as_of = database_now(project)
    n_items, rows = sampled_rows(project.pk, SAMPLE)
    votes = voters.votes([rows])
    told = vote_report(votes)
    known = balance_of(project, voters, votes)
    model = fit_label_model(votes, known.shares)
    reference = reference_of(project, voters)
    judged, truth = _judged(voters, reference)
    accuracy = function_accuracy(judged, truth)
    compared = compare(model, judged, truth)
    functions = [
        {
            **_called(function),
            "classes": [voters.class_names[code] for code in quality.classes],
            "n": quality.n,
            "coverage": quality.coverage.to_dict(),
            "overlap": quality.overlap.to_dict(),
            "conflict": quality.conflict.to_dict(),
            "accuracy": right.to_dict(),
            "learnt": _learnt(model, voters, place),
        }
        for place, (function, quality, right) in enumerate(
            zip(voters.functions, told.functions, accuracy, strict=True)
        )
    ]
    pairs = _pairs(told, votes, voters, rows)
    return {
        "project": project.slug,
        "question": question.key,
        "as_of": as_of.isoformat(),
        "n_items": n_items,
        "n_looked": len(rows),
        "coverage": told.coverage.to_dict(),
        "overlap": told.overlap.to_dict(),
        "conflict": told.conflict.to_dict(),
        "reference": {"from": reference.source, "n_items": int(np.count_nonzero(truth >= 0))},
        "functions": functions,
        "pairs": pairs,
        "cut": {"pairs": max(len(told.pairs) - MOST_PAIRS, 0)},
        "label_model": _label_model(model, compared, known, voters),
        "advice": _advice(voters, functions, pairs, reference),
    }


def _judged(voters: Voters, reference: Reference) -> tuple[Votes, Ints]:
    """The votes on items whose class is known (evenly spread where there are too many), and these classes."""
    ids = reference.item
    if ids.size > MOST_REFERENCE:
        ids = ids[np.linspace(0, ids.size - 1, MOST_REFERENCE).astype(np.intp)]
    rows = rows_of(ids.tolist())
    return voters.votes([rows]), reference.of_items(np.array([row[0] for row in rows], dtype=np.int64))


def _called(function: LabelingFunction) -> Json:
    return {
        "id": function.pk,
        "name": function.name,
        "kind": function.kind,
        "version": function.version,
    }


def _learnt(model: LabelModel, voters: Voters, place: int) -> list[Json]:
    mine = np.flatnonzero(model.function == place)
    return [
        {"class": voters.class_names[model.label[at]], "accuracy": float(model.accuracy[at])} for at in mine
    ]


def _label_model(model: LabelModel, compared: Comparison, known: Balance, voters: Voters) -> Json:
    chosen = chosen_rule(LabelFrom.DEFAULT, compared)
    why = "below" if chosen is LabelFrom.MAJORITY else "at_or_above"
    return {
        **comparison_json(compared),
        "chosen": chosen.value,
        "why": why if compared.difference.value is not None else "no_reference",
        "iterations": model.iterations,
        "converged": model.converged,
        "balance": {
            "from": known.source,
            "n": known.n,
            "shares": [
                {"class": name, "share": float(share)}
                for name, share in zip(voters.class_names, known.shares, strict=True)
            ],
        },
    }


def _pairs(told: VoteReport, votes: Votes, voters: Voters, rows: list[ItemRow]) -> list[Json]:
    """The pairs with most conflicts, the first of them with some of the items behind."""
    voted: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for item, function, label in zip(
        votes.item.tolist(), votes.function.tolist(), votes.label.tolist(), strict=True
    ):
        voted[function][item] = label
    found = []
    for place, pair in enumerate(told.pairs[:MOST_PAIRS]):
        items: list[str] = []
        if place < PAIRS_WITH_ITEMS:
            a, b = voted[pair.a], voted[pair.b]
            behind = sorted(item for item in a.keys() & b.keys() if a[item] != b[item])
            items = [rows[item][1] for item in behind[:MOST_ITEMS]]
        found.append(
            {
                "a": voters.functions[pair.a].pk,
                "b": voters.functions[pair.b].pk,
                "n_both": pair.n_both,
                "n_differ": pair.n_differ,
                "share": pair.share.to_dict(),
                "items": items,
            }
        )
    return found


def _advice(voters: Voters, functions: list[Json], pairs: list[Json], reference: Reference) -> list[Json]:
    """What to do first: ``code`` with the ``functions`` (ids), ``classes`` (names) and ``n`` that it is about.

    ``wrong_mostly``: the whole interval of its accuracy is below one half; the one with most wrong votes first.
    ``never_votes``: it voted on none of the items looked at. ``conflict``: the pair that differs on most items.
    ``class_without_function``: nothing votes for these classes. ``no_reference``: nothing is known to judge by.
    """
    advice: list[Json] = []
    wrong = [row for row in functions if _is_wrong(row["accuracy"])]
    wrong.sort(key=lambda row: -row["n"] * (1 - row["accuracy"]["value"]))
    advice += [
        {"code": "wrong_mostly", "functions": [row["id"]], "classes": [], "n": row["n"]} for row in wrong
    ]
    silent = [row["id"] for row in functions if not row["n"]]
    if silent:
        advice.append({"code": "never_votes", "functions": silent, "classes": [], "n": len(silent)})
    if pairs:
        worst = pairs[0]
        about = [worst["a"], worst["b"]]
        advice.append({"code": "conflict", "functions": about, "classes": [], "n": worst["n_differ"]})
    reads = voters.question.reads
    voted = {one.label_class_id and reads[one.label_class_id].id for one in voters.functions}
    missing = [
        name
        for pk, name in zip(voters.class_ids, voters.class_names, strict=True)
        if pk not in voted and None not in voted
    ]
    if missing and functions:
        row = {"code": "class_without_function", "functions": [], "classes": missing, "n": len(missing)}
        advice.append(row)
    if reference.source is None and functions:
        advice.append({"code": "no_reference", "functions": [], "classes": [], "n": 0})
    return advice


def _is_wrong(accuracy: Mapping[str, Any]) -> bool:
    """Whether it is surely wrong more often than right, on enough items to say so."""
    return bool(accuracy["n_items"] >= FEW_VOTES and accuracy["ci"] and accuracy["ci"][1] < 1 / 2)
