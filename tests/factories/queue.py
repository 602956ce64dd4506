"""Steps that tests of the queue share: answers under a lease, rounds, and places that wait for one person."""

from typing import Any
from uuid import uuid4

from django.db.models import F

from core.access import Actor
from core.choices import RelabelTo
from core.models import Item, Lease, Membership, Project, Relabel, RelabelPlace, TrainingItem, TrainingRound
from core.services.annotation import Submitted, Work, submit
from tests.factories.answers import make_gold


def answer(member: Membership, lease: Lease, value: str = "yes", **more: Any) -> Submitted:
    """What somebody sends for a lease; no further items unless ``count`` asks for them."""
    assert member.user is not None
    key = more.pop("key", str(uuid4()))
    return submit(Actor(member.user), lease.pk, key, Work({"answer": value}, **{"count": 0, **more}))


def make_place(item: Item, *members: Membership, to: str = RelabelTo.SAME, blind: bool = True) -> Relabel:
    """An item that waits for each of these people, as sending it out again leaves it."""
    relabel = Relabel.objects.create(project=item.project, reason="a new rule", to=to, blind=blind)
    for member in members:
        RelabelPlace.objects.create(relabel=relabel, item=item, item_version=item.version, annotator=member)
        Membership.objects.filter(pk=member.pk).update(waiting=F("waiting") + 1)
    return relabel


def make_training_round(
    project: Project, items: list[Item], *, gold: str = "yes", **more: Any
) -> TrainingRound:
    """A round of these items, all with the same gold."""
    settings = {"name": "first steps", "pass_mark": "0.8", "tries": 2, **more}
    training = TrainingRound.objects.create(project=project, **settings)
    for order, item in enumerate(items, start=1):
        make_gold(item, "answer", gold)
        TrainingItem.objects.create(
            training_round=training, item=item, order=order, explanation=f"because of {item.external_id}"
        )
    return training


def send_through(member: Membership, training: TrainingRound) -> Membership:
    """Put a round before somebody; returns them as the database has them."""
    Membership.objects.filter(pk=member.pk).update(training_round=training)
    return fresh(member)


def fresh(member: Membership) -> Membership:
    """The member as the database has them now."""
    return Membership.objects.select_related("project", "user").get(pk=member.pk)
