"""What disagreement costs most, and the queue of items to settle: ranked from the answers, kept for a while.

The ranking rests on answers alone and is kept in the memory of the process under the project's count of changes;
which items are settled, referred or in hand is read anew each time.
"""

import hashlib
import json
import time
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np
from django.core.cache import cache

from core.choices import Cause
from core.exceptions import Invalid
from core.models import Membership, Project
from core.numerics.aggregation import certain_answers
from core.numerics.costs import pair_costs, pair_reliability, people_costs, settling_values
from core.numerics.dawid_skene import CrowdModel, Model, competence, fit_dawid_skene
from core.numerics.table import Bools, LabelTable, condense, find_patterns
from core.pipelines.aggregation import ONE_CLASS_EACH
from core.selectors.adjudication import (
    Standing,
    flagged_items,
    items_of_cause,
    items_of_person,
    items_saying,
    names_of,
    standing_of,
    uncertain_items,
)
from core.selectors.agreement import ALL_LABELS, AnswerColumns, answer_columns
from core.selectors.features import tie_of
from core.selectors.moment import one_moment
from core.selectors.progress import changes_of
from core.selectors.pseudonym import annotator_names
from core.selectors.question import QuestionSpec, schema_of

MOST_RANKED = 20_000  # items of a queue; those beyond come up as others are settled
MOST_COSTS = 10  # rows of each list
LEAST_COST = 1.0  # answers; less is not worth a line
_Z95 = 1.96
QUICK_SECONDS = 0.5  # what is computed while somebody waits
KEPT_SECONDS = 300.0  # how long a slow ranking may be older than the answers
_HOUR = 3600
STATES = ("open", "waiting", "reviewed", "overtaken", "gold", "settled")
Json = dict[str, Any]
Pattern = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items of the queue.

    ``state``: ``open`` (not settled, nobody asked), ``waiting`` (for a reviewer), ``reviewed`` (all reviews came
    back), ``overtaken`` (settled, and answered anew since), ``gold`` (settled, gold candidates), ``settled``.
    ``a`` and ``b`` are classes that both occur, ``person`` a member who answered, ``pattern`` the key of a pattern.
    """

    state: str = "open"
    a: str | None = None
    b: str | None = None
    cause: str | None = None
    person: int | None = None
    flagged: bool = False
    uncertain: bool = False
    pattern: str | None = None


@dataclass(frozen=True)
class Ranking:
    """The items on which people differ or could not tell, most valuable first, and what it comes from.

    ``value`` by item, in that order; ``pattern`` is the place of an item's answers in ``patterns``.
    """

    value: dict[int, float]
    pattern: dict[int, int]
    patterns: list[Pattern]
    n_items: int
    costs: Json | None
    seconds: float = 0.0
    marker: str = ""
    at: float = field(default=0.0, compare=False)


def pattern_key(pattern: Pattern) -> str:
    """A short name of a pattern for addresses."""
    return hashlib.sha256(json.dumps(pattern).encode()).hexdigest()[:16]


# --- The ranking --------------------------------------------------------------------------------------


def ranking_of(project: Project, question: QuestionSpec) -> Ranking:
    """The ranking of a question's items, computed once for the same answers.

    One that takes long may be up to five minutes older than the newest answers.
    """
    key = f"adjudication:{project.pk}:{question.id}:{project.schema_version}"
    marker = str(changes_of(project))
    kept: Ranking | None = cache.get(key)
    now = time.time()
    if kept is not None and (
        kept.marker == marker or (kept.seconds > QUICK_SECONDS and now - kept.at < KEPT_SECONDS)
    ):
        return kept
    found = _rank(project, question)
    made = Ranking(
        value=found.value,
        pattern=found.pattern,
        patterns=found.patterns,
        n_items=found.n_items,
        costs=found.costs,
        seconds=time.time() - now,
        marker=marker,
        at=now,
    )
    cache.set(key, made, _HOUR)
    return made


def _rank(project: Project, question: QuestionSpec) -> Ranking:
    with one_moment():
        columns = answer_columns(project, question, ALL_LABELS)
    if len(columns) == 0:
        return Ranking({}, {}, [], 0, None)
    items, item = condense(columns.item)
    people, annotator = condense(columns.annotator)
    table = LabelTable(item, annotator, columns.label, len(columns.names))
    model = _model(table, columns.uncertain) if question.kind in ONE_CLASS_EACH else None
    reliability = pair_reliability(table)
    if model is not None:
        reliability[model.annotator] = model.accuracy
    worth = np.round(settling_values(table, columns.uncertain, reliability).value, 12)
    ranked = np.flatnonzero(worth > 0)
    if ranked.size > MOST_RANKED:
        least = np.partition(worth[ranked], -MOST_RANKED)[-MOST_RANKED]
        ranked = ranked[worth[ranked] >= least]
    called = names_of(items[ranked].tolist())
    order = sorted(
        (
            (-value, tie_of(called[pk]), pk, place)
            for place, pk, value in zip(
                ranked.tolist(), items[ranked].tolist(), worth[ranked].tolist(), strict=True
            )
            if pk in called
        ),
        key=lambda row: row[:2],
    )[:MOST_RANKED]
    of_item, patterns = _patterns(table, columns.names, [place for *_row, place in order])
    return Ranking(
        value={pk: -minus for minus, _tie, pk, _place in order},
        pattern={pk: of_item[place] for _minus, _tie, pk, place in order},
        patterns=patterns,
        n_items=int(items.size),
        costs=None if model is None else _costs(model, columns, people.tolist()),
    )


def _model(table: LabelTable, uncertain: Bools) -> CrowdModel | None:
    """One accuracy per annotator, from the certain answers; None where two people never answered the same item."""
    certain, _codes = certain_answers(table, uncertain)
    if len(certain) == 0 or int(certain.sizes.max()) < 2 or certain.n_classes < 2:  # noqa: PLR2004 -- a pair
        return None
    return fit_dawid_skene(certain, Model.ONE_COIN)


def _patterns(
    table: LabelTable, names: tuple[str, ...], places: list[int]
) -> tuple[dict[int, int], list[Pattern]]:
    """The pattern of each of these items: its place in a list of (label, count) in the order of the labels."""
    index = find_patterns(table)
    p = index.patterns
    wanted = sorted({int(index.of_item[place]) for place in places})
    starts = np.searchsorted(p.row, wanted)
    ends = np.searchsorted(p.row, wanted, side="right")
    patterns = [
        tuple(
            (names[label], count)
            for label, count in zip(p.label[low:high].tolist(), p.count[low:high].tolist(), strict=True)
        )
        for low, high in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    number = {row: place for place, row in enumerate(wanted)}
    return {place: number[int(index.of_item[place])] for place in places}, patterns


def _costs(model: CrowdModel, columns: AnswerColumns, people: list[int]) -> Json:
    """The three lists by class names and member keys, of what stands out from chance (at 95 %).

    The classes of the model are the certain ones in their order.
    """
    certain = [
        name for name, unsure in zip(columns.names, columns.uncertain.tolist(), strict=True) if not unsure
    ]
    told: list[Json] = [
        {
            "a": certain[one.a],
            "b": certain[one.b],
            "confused": one.confused,
            "expected": one.expected,
            "told_apart": one.told_apart,
            "cost": one.cost,
            "coin_cost": one.coin_cost,
            "rate": one.rate.to_dict(),
        }
        for one in pair_costs(model)
        if _stands_out(one.confused, one.expected)
    ]
    right = competence(model)
    persons: list[Json] = [
        {
            "member": people[int(model.annotator[one.place])],
            "excess": one.excess,
            "cost": one.cost,
            "rate": one.rate.to_dict(),
            "accuracy": right[one.place].to_dict(),
        }
        for one in people_costs(model)
        if one.rate.ci is not None and one.rate.ci[0] > 0
    ]
    coins = sorted(told, key=lambda row: -row["coin_cost"])
    return {
        "pairs": [row for row in told if row["cost"] >= LEAST_COST][:MOST_COSTS],
        "people": [row for row in persons if row["cost"] >= LEAST_COST][:MOST_COSTS],
        "coin_flips": [row for row in coins if row["coin_cost"] >= LEAST_COST][:MOST_COSTS],
    }


def _stands_out(confused: float, expected: float) -> bool:
    """Whether a pair of classes is confused more than by people's own errors and chance."""
    return confused - expected > _Z95 * sqrt(confused)


# --- What is told -------------------------------------------------------------------------------------


def costly(project: Project, question: QuestionSpec, *, real_names: bool) -> Json:
    """What disagreement comes from, in answers that would be otherwise, the most first; ten of each.

    - ``pairs``: two classes that people can tell apart and confuse (the guideline says too little): ``a``, ``b``,
      ``confused`` answers, ``expected`` by people's own errors, ``told_apart`` (a probability), ``rate`` (a figure:
      the share of the answers to items of the two), ``cost``, ``coin_cost``.
    - ``people``: ``id``, ``member``, ``excess`` (wrong answers beyond others' on the same items), ``rate`` (a figure:
      per answer), ``accuracy`` (a figure: posterior, one accuracy per person), ``cost``.
    - ``coin_flips``: as pairs, for classes that look as if they were drawn: a merger rather than a rule.
    - ``top``: the ten most costly of all, ``{"kind", "cost", "row"}``.

    All are null for questions that have not one class as the answer, and where no two people answered the same item.
    """
    ranking = ranking_of(project, question)
    if ranking.costs is None:
        return {"question": question.key, "pairs": None, "people": None, "coin_flips": None, "top": None}
    names = annotator_names(project, real=real_names)
    people = [{"id": names[row["member"]], **row} for row in ranking.costs["people"]]
    pairs, coins = ranking.costs["pairs"], ranking.costs["coin_flips"]
    rows = [("pair", row["cost"], row) for row in pairs if row["cost"] >= row["coin_cost"]]
    rows += [("coin_flip", row["coin_cost"], row) for row in coins if row["coin_cost"] > row["cost"]]
    rows += [("person", row["cost"], row) for row in people]
    rows.sort(key=lambda row: -row[1])
    top = [{"kind": kind, "cost": cost, "row": row} for kind, cost, row in rows[:MOST_COSTS]]
    return {"question": question.key, "pairs": pairs, "people": people, "coin_flips": coins, "top": top}


# --- The queue ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Queue:
    """Items in the order in which they are worth settling, and how many the reader has in hand and does not see."""

    items: list[int]
    value: dict[int, float]
    held: int


def check_wanted(question: QuestionSpec, wanted: Wanted) -> None:
    """Raises Invalid ``bad-filter`` for a state, class or cause that there is not."""
    if wanted.state not in STATES:
        raise Invalid("bad-filter", f"state is one of {', '.join(STATES)}.")
    if wanted.cause is not None and wanted.cause not in Cause.values:
        raise Invalid("bad-filter", f"cause is one of {', '.join(Cause.values)}.")
    for name in (wanted.a, wanted.b):
        if name is not None and question.class_named(name) is None:
            raise Invalid("bad-filter", f"There is no class {name[:60]!r} here.")


def queue_of(
    membership: Membership, question: QuestionSpec, wanted: Wanted, standing: Standing | None = None
) -> Queue:
    """The items of a queue by expected value (numerics.costs.settling_values), ties by a hash of their ids.

    Items that were flagged come with that filter whether people differ or not. Raises as check_wanted.
    """
    check_wanted(question, wanted)
    project = membership.project
    ranking = ranking_of(project, question)
    stands = standing_of(membership, question) if standing is None else standing
    found = _in_state(ranking, stands, wanted.state)
    if wanted.flagged and wanted.state == "open":
        found |= flagged_items(project) - stands.settled - stands.waiting
    found = _narrowed(project, question, wanted, ranking, found)
    held = found & stands.held
    return Queue(_ordered(ranking, found - held), ranking.value, len(held))


def queue_sizes(membership: Membership, question: QuestionSpec, standing: Standing) -> dict[str, int]:
    """How many items are in every state."""
    ranking = ranking_of(membership.project, question)
    return {state: len(_in_state(ranking, standing, state) - standing.held) for state in STATES}


def _in_state(ranking: Ranking, standing: Standing, state: str) -> set[int]:
    if state == "open":
        return ranking.value.keys() - standing.settled - standing.waiting
    if state == "waiting":
        return set(standing.waiting - standing.settled)
    if state == "reviewed":
        return set(standing.reviewed - standing.settled)
    return set({"overtaken": standing.overtaken, "gold": standing.gold, "settled": standing.settled}[state])


def _narrowed(
    project: Project, question: QuestionSpec, wanted: Wanted, ranking: Ranking, found: set[int]
) -> set[int]:
    for name in (wanted.a, wanted.b):
        if name is not None:
            found &= items_saying(project, question, name)
    if wanted.person is not None:
        found &= items_of_person(project, question, wanted.person)
    if wanted.cause is not None:
        found &= items_of_cause(project, question, wanted.cause)
    if wanted.flagged:
        found &= flagged_items(project)
    if wanted.uncertain:
        found &= uncertain_items(project, question)
    if wanted.pattern is not None:
        keys = [pattern_key(one) for one in ranking.patterns]
        found = {pk for pk in found if pk in ranking.pattern and keys[ranking.pattern[pk]] == wanted.pattern}
    return found


def _ordered(ranking: Ranking, found: set[int]) -> list[int]:
    """Ranked ones first; those that nobody differs on after them, by the hash of their ids."""
    ranked = [pk for pk in ranking.value if pk in found]
    rest = found - ranking.value.keys()
    called = names_of(sorted(rest))
    return ranked + sorted(called, key=lambda pk: tie_of(called[pk]))


@dataclass(frozen=True, slots=True)
class PatternLine:
    """Items that people answered alike: the pattern, its name in addresses, and the items in order."""

    key: str
    said: Pattern
    items: list[int]


def patterns_in(project: Project, question: QuestionSpec, queue: Queue) -> list[PatternLine]:
    """The patterns of a queue's items, those with most items first."""
    ranking = ranking_of(project, question)
    by_pattern: dict[int, list[int]] = {}
    for pk in queue.items:
        if pk in ranking.pattern:
            by_pattern.setdefault(ranking.pattern[pk], []).append(pk)
    lines = [
        PatternLine(pattern_key(ranking.patterns[number]), ranking.patterns[number], items)
        for number, items in by_pattern.items()
    ]
    return sorted(lines, key=lambda line: (-len(line.items), line.key))


def question_asked(project: Project, key: str | None) -> QuestionSpec | None:
    """The question of this key, the first one without a key; None in a project without questions.

    Raises Invalid ``unknown-question``.
    """
    questions = schema_of(project).questions
    if key is None:
        return next(iter(questions), None)
    found = schema_of(project).question(key)
    if found is None:
        raise Invalid("unknown-question", f"There is no question {key[:60]!r} here.")
    return found
