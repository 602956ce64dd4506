"""Training rounds: made, changed, and put before people. What happens in the queue is in services/trainee.py."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction

from core.choices import NoticeKind, TrainingState
from core.exceptions import Conflict, Invalid, Missing, Stale
from core.models import Item, Membership, Project, Trainee, TrainingItem, TrainingRound
from core.selectors.training_round import (
    MOST_ITEMS,
    bad_items,
    round_for_newcomers,
    round_items_named,
    training_round_of,
    version_of,
)
from core.services.archive import check_open
from core.services.audit import record
from core.services.notice import notify
from core.services.trainee import try_again

LONGEST_NAME = 120
LONGEST_EXPLANATION = 1000
MOST_TRIES = 20
MOST_PEOPLE = 500


@dataclass(frozen=True, slots=True)
class RoundChanges:
    """What a round is to be; None leaves it as it is. ``items`` are ids of items in their order, each with its explanation."""

    name: Any = None
    pass_mark: Any = None
    tries: Any = None
    active: Any = None
    items: Sequence[tuple[str, str]] | None = None


@transaction.atomic
def create_round(membership: Membership, wanted: RoundChanges) -> TrainingRound:
    """A round of open items with gold; ``name``, ``pass_mark`` and ``items`` are needed. It is off unless it says ``active``.

    Raises Invalid naming every field that is wrong (``bad-name``, ``bad-pass-mark``, ``bad-tries``, ``bad-active``),
    then ``bad-items``, ``unknown-items``, ``no-gold``, ``item-not-open``, ``bad-explanation``; Conflict ``name-taken``.
    """
    project = _locked_project(membership)
    fields = _checked(wanted, new=True)
    _check_name(project, fields["name"])
    items = round_items_named(project, [name for name, _why in wanted.items or ()])
    training = TrainingRound.objects.create(
        project=project, created_by=membership.user, **{"active": False, **fields}
    )
    _write_items(training, items, _explanations(wanted.items or ()))
    record(membership.user, project, "training.created", training.name, id=training.pk, items=len(items))
    return training


@transaction.atomic
def edit_round(membership: Membership, round_id: int, wanted: RoundChanges, version: str) -> TrainingRound:
    """Change a round. ``version`` is the one that the editor saw (selectors.training_round.version_of).

    People who are in it go on with what is left of it. Raises Missing, Stale, and as create_round; an item that is in
    the round already may stay whatever became of it.
    """
    project = _locked_project(membership)
    training = (
        TrainingRound.objects.select_for_update(of=("self",)).filter(project=project, pk=round_id).first()
    )
    if training is None:
        raise Missing
    if version != version_of(training):
        raise Stale(
            "stale", "Somebody else changed this round since you read it.", version=version_of(training)
        )
    fields = _checked(wanted)
    if "name" in fields:
        _check_name(project, fields["name"], training)
    for name, value in fields.items():
        setattr(training, name, value)
    training.save(update_fields=[*fields])
    if wanted.items is not None:
        _write_items(
            training,
            _kept_or_named(training, [name for name, _why in wanted.items]),
            _explanations(wanted.items),
        )
    changed = sorted([*fields, *(["items"] if wanted.items is not None else [])])
    record(membership.user, project, "training.edited", training.name, id=training.pk, fields=changed)
    return training


@transaction.atomic
def change_round(
    membership: Membership,
    round_id: int,
    wanted: RoundChanges | None,
    version: str = "",
    *,
    send: Collection[int] = (),
    excuse: Collection[int] = (),
) -> TrainingRound:
    """Change a round, then send people through it and excuse others, all or nothing. Raises as these do."""
    training = edit_round(membership, round_id, wanted, version) if wanted else None
    if send:
        send_through(membership, round_id, send)
    if excuse:
        excuse_from(membership, round_id, excuse)
    return training or training_round_of(membership.project_id, round_id)


def _kept_or_named(training: TrainingRound, names: Sequence[str]) -> list[Item]:
    """The items of these ids; only those that are new to the round must be open and have gold."""
    if not names or len(names) > MOST_ITEMS or len(set(names)) < len(names):
        raise bad_items("bad-items", f"A round has 1 to {MOST_ITEMS} items, each of them once.")
    rows = training.items.filter(item__external_id__in=names).select_related("item")
    found = {row.item.external_id: row.item for row in rows}
    new = [name for name in names if name not in found]
    if new:
        found |= {item.external_id: item for item in round_items_named(training.project, new)}
    return [found[name] for name in names]


def _locked_project(membership: Membership) -> Project:
    """The project, locked: rounds are few, and so their names and items change one after another."""
    project = Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    check_open(project)
    return project


def _write_items(training: TrainingRound, items: Sequence[Item], explanations: Mapping[str, str]) -> None:
    present = {row.item_id: row for row in training.items.all()}
    training.items.exclude(item__in=[item.pk for item in items]).delete()
    for order, item in enumerate(items, start=1):
        fields = {"order": order, "explanation": explanations[item.external_id]}
        row = present.get(item.pk)
        if row is None:
            TrainingItem.objects.create(training_round=training, item=item, **fields)
        elif (row.order, row.explanation) != (order, fields["explanation"]):
            TrainingItem.objects.filter(pk=row.pk).update(**fields)


# --- What is checked ------------------------------------------------------------------------------------


def _checked(wanted: RoundChanges, *, new: bool = False) -> dict[str, Any]:
    """The columns that are given, or on a new round needed. Raises Invalid naming all that are wrong."""
    fields: dict[str, Any] = {}
    errors: list[dict[str, str]] = []
    checks = {
        "name": (_name, "bad-name", f"A name is a text of 1 to {LONGEST_NAME} characters."),
        "pass_mark": (_share, "bad-pass-mark", "The pass mark is a number above 0, at most 1."),
        "tries": (_tries, "bad-tries", f"tries is a whole number from 1 to {MOST_TRIES}."),
        "active": (_flag, "bad-active", "active is true or false."),
    }
    for name, (check, code, detail) in checks.items():
        value = getattr(wanted, name)
        if value is None and not (new and name in {"name", "pass_mark"}):
            continue
        fields[name] = check(value)
        if fields[name] is None:
            errors.append({"field": name, "pointer": f"/{name}", "code": code, "detail": detail})
    if errors:
        raise Invalid(errors[0]["code"], errors[0]["detail"], errors=errors)
    return fields


def _name(value: Any) -> str | None:
    name = " ".join(value.split()) if isinstance(value, str) else ""
    return name if 1 <= len(name) <= LONGEST_NAME and name.isprintable() else None


def _share(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        share = round(Decimal(str(value)), 3)
    except InvalidOperation:
        return None
    return share if share.is_finite() and 0 < share <= 1 else None


def _tries(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 1 <= value <= MOST_TRIES else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _check_name(project: Project, name: str, own: TrainingRound | None = None) -> None:
    others = TrainingRound.objects.filter(project=project, name=name)
    if others.exclude(pk=own.pk if own else 0).exists():
        row = {
            "field": "name",
            "pointer": "/name",
            "code": "name-taken",
            "detail": "A round is called so already.",
        }
        raise Conflict("name-taken", row["detail"], errors=[row])


def _explanations(items: Sequence[tuple[str, str]]) -> dict[str, str]:
    for name, text in items:
        if len(text) > LONGEST_EXPLANATION or "\0" in text:
            raise bad_items(
                "bad-explanation",
                f"The explanation of {name[:60]} is longer than {LONGEST_EXPLANATION:,} characters.",
            )
    return dict(items)


# --- People ---------------------------------------------------------------------------------------------


@transaction.atomic
def send_through(membership: Membership, round_id: int, member_ids: Collection[int]) -> list[int]:
    """Put a round before people: they get its items and nothing else until they pass, and are told.

    Whoever failed it with no try left gets another one; whoever has it before them already is left as they are.
    Returns the ids of those for whom something changed. Raises Missing; Invalid ``bad-members``; Conflict
    ``round-inactive``.
    """
    check_open(membership.project)
    training = training_round_of(membership.project_id, round_id)
    if not training.active:
        raise Conflict("round-inactive", "This round is switched off: it holds nobody.")
    members = _locked_members(membership, member_ids)
    sent = [member for member in members if _send(membership, training, member)]
    if sent:
        record(
            membership.user,
            membership.project,
            "training.sent",
            training.name,
            id=training.pk,
            members=[member.pk for member in sent],
        )
        others = [member.pk for member in sent if member.pk != membership.pk]
        told = {"state": "sent", "round": training.name, "round_id": training.pk, "right": 0, "n": 0}
        notify(others, NoticeKind.TRAINING, **told)
    return [member.pk for member in sent]


def _send(membership: Membership, training: TrainingRound, member: Membership) -> bool:
    newest = Trainee.objects.filter(training_round=training, member=member).order_by("-attempt").first()
    failed = newest is not None and newest.state == TrainingState.FAILED
    if member.training_round_id == training.pk and not failed:
        return False
    Membership.objects.filter(pk=member.pk).update(training_round=training)
    if failed and not _has_tries(training, member):
        try_again(membership, member.pk)
    return True


def _has_tries(training: TrainingRound, member: Membership) -> bool:
    """Whether a further attempt begins by itself."""
    states = list(
        Trainee.objects.filter(training_round=training, member=member)
        .order_by("-attempt")
        .values_list("state", flat=True)
    )
    since = states.index(TrainingState.PASSED) if TrainingState.PASSED in states else len(states)
    return since < training.tries


@transaction.atomic
def excuse_from(membership: Membership, round_id: int, member_ids: Collection[int]) -> list[int]:
    """Let people label without having passed. Returns the ids of those who had the round before them. Raises as send_through."""
    check_open(membership.project)
    training = training_round_of(membership.project_id, round_id)
    members = _locked_members(membership, member_ids)
    excused = [member.pk for member in members if member.training_round_id == training.pk]
    Membership.objects.filter(pk__in=excused).update(training_round=None)
    if excused:
        record(
            membership.user,
            membership.project,
            "training.excused",
            training.name,
            id=training.pk,
            members=excused,
        )
        told = [pk for pk in excused if pk != membership.pk]
        notify(told, NoticeKind.RESUMED, round=training.name, round_id=training.pk)
    return excused


def _locked_members(membership: Membership, member_ids: Collection[int]) -> list[Membership]:
    wanted = set(member_ids)
    rows = Membership.objects.select_for_update(of=("self",), no_key=True).filter(
        project=membership.project_id, pk__in=wanted, active=True, user__isnull=False
    )
    found = list(rows.order_by("pk"))
    if not 1 <= len(wanted) <= MOST_PEOPLE or len(found) < len(wanted):
        detail = "Name people who work in this project."
        row = {"field": "members", "pointer": "/members", "code": "bad-members", "detail": detail}
        raise Invalid("bad-members", detail, errors=[row])
    return found


def begin_training(member: Membership) -> None:
    """Put the project's round for newcomers before somebody who has just joined, if there is one."""
    training = round_for_newcomers(member.project)
    if training is not None:
        Membership.objects.filter(pk=member.pk).update(training_round=training)
        member.training_round = training
