"""Training rounds of new annotators: their items, who is in them and how far, and items that one can be made of."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet

from core.choices import ItemState, TrainingState
from core.exceptions import Invalid, Missing
from core.models import Gold, Item, Membership, Project, Trainee, TrainingItem, TrainingRound
from core.selectors.gold_accuracy import Values, gold_values, shown_value
from core.selectors.item import items_of
from core.selectors.question import QuestionSpec, Schema, schema_of

MOST_ITEMS = 200
AT_ONCE = 5000
WITH_GOLD = Exists(Gold.objects.filter(item=OuterRef("pk")))
ITEM_WITH_GOLD = Exists(Gold.objects.filter(item=OuterRef("item")))


# --- Rounds ---------------------------------------------------------------------------------------------


def training_rounds_of(project_id: int) -> QuerySet[TrainingRound]:
    """A project's rounds, newest first, with the number of their items."""
    return TrainingRound.objects.filter(project=project_id).annotate(n_items=Count("items")).order_by("-pk")


def training_round_of(project_id: int, round_id: int) -> TrainingRound:
    """One round of a project. Raises Missing."""
    found = TrainingRound.objects.filter(project=project_id, pk=round_id).first()
    if found is None:
        raise Missing
    return found


def find_training_round(round_id: int) -> TrainingRound:
    """A round of whatever project: who asks must still be let in. Raises Missing."""
    found = TrainingRound.objects.select_related("project").filter(pk=round_id).first()
    if found is None:
        raise Missing
    return found


def round_for_newcomers(project: Project) -> TrainingRound | None:
    """The round that an annotator who joins gets before everything else: the newest that is switched on."""
    usable = Exists(
        TrainingItem.objects.filter(ITEM_WITH_GOLD, training_round=OuterRef("pk"), item__state=ItemState.OPEN)
    )
    return TrainingRound.objects.filter(usable, project=project, active=True).order_by("-pk").first()


@dataclass(frozen=True, slots=True)
class RoundItem:
    """An item of a round: what gold says of it by question key, why, and whether it can be handed out."""

    item: Item
    order: int
    explanation: str
    gold: dict[str, Any]
    usable: bool


def items_of_round(training: TrainingRound) -> list[RoundItem]:
    """A round's items in their order, with their gold as it is read by now."""
    rows = list(training.items.select_related("item").order_by("order", "pk"))
    known = gold_told(schema_of(training.project), [row.item_id for row in rows])
    return [
        RoundItem(
            row.item,
            row.order,
            row.explanation,
            known.get(row.item_id, {}),
            row.item_id in known and row.item.state == ItemState.OPEN,
        )
        for row in rows
    ]


def gold_told(schema: Schema, items: Collection[int]) -> dict[int, dict[str, Any]]:
    """What gold says of these items: item to question key to value. Items without gold are left out."""
    questions = {spec.id: spec for spec in schema.questions}
    return {
        item: {questions[pk].key: shown_value(questions[pk], value) for pk, value in values.items()}
        for item, values in gold_values(schema, items).items()
    }


def version_of(training: TrainingRound) -> str:
    """A hash of a round's settings and items: the version that an editor saw."""
    items = training.items.order_by("order", "pk").values_list("item_id", "explanation")
    state = [training.name, f"{training.pass_mark:.3f}", training.tries, training.active, list(items)]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]


# --- People ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PersonInRound:
    """How far somebody is: in the attempt that they passed, or else in their last one.

    ``state`` is None before the first attempt. ``before_them`` says that they get nothing else until they pass, and
    ``waits`` that they failed with no try left, so that a lead must decide.
    """

    member: Membership
    attempts: int
    state: TrainingState | None
    right: int
    answered: int
    ended_at: datetime | None
    before_them: bool
    waits: bool

    @property
    def share(self) -> float | None:
        """The share of their answers that was right."""
        return self.right / self.answered if self.answered else None


def people_in(training: TrainingRound) -> list[PersonInRound]:
    """Everybody who is or was in a round, those whom a lead must decide about first, then by name."""
    attempts: defaultdict[int, list[Trainee]] = defaultdict(list)
    for row in Trainee.objects.filter(training_round=training).order_by("attempt"):
        attempts[row.member_id].append(row)
    members = Membership.objects.filter(project=training.project_id)
    there = members.filter(training_round=training, active=True) | members.filter(pk__in=attempts)
    found = [
        _person(training, member, attempts[member.pk])
        for member in there.select_related("project", "user").distinct()
    ]
    return sorted(found, key=lambda one: (not one.waits, one.member.name, one.member.pk))


def _person(training: TrainingRound, member: Membership, attempts: Sequence[Trainee]) -> PersonInRound:
    before_them = member.active and member.training_round_id == training.pk
    passed = [one for one in attempts if one.state == TrainingState.PASSED]
    shown = (passed or attempts)[-1:] if not before_them else attempts[-1:]
    since = len(attempts) - (attempts.index(passed[-1]) + 1 if passed else 0)
    last = shown[0] if shown else None
    state = TrainingState(last.state) if last else None
    return PersonInRound(
        member,
        len(attempts),
        state,
        last.right if last else 0,
        last.answered if last else 0,
        last.ended_at if last else None,
        before_them,
        before_them and state == TrainingState.FAILED and since >= training.tries,
    )


def counts_by_round(rounds: Iterable[TrainingRound]) -> dict[int, dict[str, int]]:
    """Of each of these rounds how many people have it before them (``before``) and how many passed (``passed``)."""
    ids = [one.pk for one in rounds]
    counts = {pk: {"before": 0, "passed": 0} for pk in ids}
    waiting = Membership.objects.filter(training_round__in=ids, active=True).order_by()
    for pk, n in waiting.values_list("training_round").annotate(n=Count("pk")):
        counts[pk]["before"] = n
    passed = Trainee.objects.filter(training_round__in=ids, state=TrainingState.PASSED).order_by()
    for pk, n in passed.values_list("training_round").annotate(n=Count("member", distinct=True)):
        counts[pk]["passed"] = n
    return counts


def sendable_to(training: TrainingRound) -> QuerySet[Membership]:
    """People who can be sent through a round: those who work here and have it not before them already."""
    people = Membership.objects.filter(project=training.project_id, active=True, user__isnull=False)
    return people.exclude(training_round=training).order_by("name", "pk")


# --- Items to make a round of ---------------------------------------------------------------------------


def round_items_named(project: Project, names: Sequence[str]) -> list[Item]:
    """The items of these ids in their order. Raises Invalid ``bad-items``, ``unknown-items``, ``no-gold``, ``item-not-open``."""
    if not names or len(names) > MOST_ITEMS:
        raise bad_items("bad-items", f"A round has 1 to {MOST_ITEMS} items.")
    if len(set(names)) < len(names):
        raise bad_items("bad-items", "An item is in a round once.")
    rows = Item.objects.filter(project=project, external_id__in=names).annotate(has_gold=WITH_GOLD)
    found = {item.external_id: item for item in rows}
    checks = (
        ("unknown-items", "There is no item {}.", [name for name in names if name not in found]),
        ("item-not-open", "Not open: {}.", [one for one in found if found[one].state != ItemState.OPEN]),
        ("no-gold", "These have no gold: {}.", [name for name in found if not found[name].has_gold]),
    )
    for code, words, wrong in checks:
        if wrong:
            some = ", ".join(name[:60] for name in wrong[:10]) + (" …" if len(wrong) > 10 else "")  # noqa: PLR2004
            raise bad_items(code, words.format(some))
    return [found[name] for name in names]


def bad_items(code: str, detail: str) -> Invalid:
    """A refusal of the items of a round."""
    row = {"field": "items", "pointer": "/items", "code": code, "detail": detail}
    return Invalid(code, detail, errors=[row])


def round_items_drawn(project: Project, question: QuestionSpec, per_class: int) -> list[Item]:
    """So many items with gold of every class of a question, in an order that mixes the classes.

    Those that no round has yet come first. Which ones, and their order, is decided by a hash of their ids. Raises Invalid
    ``bad-items`` where the question has no classes, none has gold, or they are more than a round takes.
    """
    if not question.is_choice:
        raise bad_items("bad-items", "Items are drawn by the classes of a question that has some.")
    taken = set(
        TrainingItem.objects.filter(training_round__project=project).values_list("item_id", flat=True)
    )
    rows = Item.objects.filter(project=project, state=ItemState.OPEN)
    rows = rows.filter(Exists(Gold.objects.filter(item=OuterRef("pk"), question=question.id)))
    names = dict(rows.values_list("pk", "external_id"))
    schema, ids = Schema((question,)), sorted(names)
    known: dict[int, Values] = {}
    for start in range(0, len(ids), AT_ONCE):
        known |= gold_values(schema, ids[start : start + AT_ONCE])
    chosen: set[int] = set()
    for spec in question.classes:
        of_class = [pk for pk, values in known.items() if _says(values.get(question.id), spec.id)]
        of_class.sort(key=lambda pk: (pk in taken, _place(project, names[pk])))
        chosen.update(of_class[:per_class])
    return _in_order(project, rows.in_bulk(chosen).values())


def _says(value: Any, class_id: int) -> bool:
    return isinstance(value, frozenset) and class_id in value


def round_items_filtered(project: Project, filters: dict[str, str], most: int) -> list[Item]:
    """At most so many of the open items with gold that a filter leaves, drawn by a hash of their ids.

    Raises Invalid for a filter that is not understood, ``bad-items`` where none is left.
    """
    rows = items_of(project.pk, filters).filter(WITH_GOLD, state=ItemState.OPEN)
    names = sorted(rows.values_list("pk", "external_id"), key=lambda row: _place(project, row[1]))
    return _in_order(project, rows.in_bulk([pk for pk, _name in names[:most]]).values())


def _in_order(project: Project, items: Collection[Item]) -> list[Item]:
    if not items:
        raise bad_items("bad-items", "No open item with gold is among these.")
    if len(items) > MOST_ITEMS:
        raise bad_items("bad-items", f"These are {len(items):,} items; a round has at most {MOST_ITEMS}.")
    return sorted(items, key=lambda item: _place(project, item.external_id))


def _place(project: Project, name: str) -> bytes:
    return hashlib.sha256(f"training {project.audit_key} {name}".encode()).digest()
