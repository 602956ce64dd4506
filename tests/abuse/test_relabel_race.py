"""Sending items out again while others do the same, or label: every answer is asked for once, and counted once."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from core.access import Actor
from core.choices import RelabelTo
from core.models import Annotation, Item, Membership, RelabelPlace
from core.selectors.check_data import findings
from core.services.annotation import Work, submit
from core.services.lease import hand_out
from core.services.progress import recount
from core.services.relabel import Order, close_relabel, send_again
from tests.abuse.test_concurrency import at_once
from tests.conftest import Actors
from tests.factories.answers import make_answer
from tests.factories.item import make_items

pytestmark = pytest.mark.django_db(transaction=True)
N_ITEMS = 6


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Six items that Bob and Carol have answered."""
    made = make_items(actors.project, N_ITEMS, target=2)
    for item in made:
        for person in (actors.bob, actors.carol):
            make_answer(actors.membership(person), item, {"answer": "yes"})
    Item.objects.update(done=2, free=0)
    Membership.objects.filter(user__in=[actors.bob, actors.carol]).update(answered=N_ITEMS)
    recount(actors.project.pk)
    return made


def sending(actors: Actors, items: list[Item]) -> Callable[[], Any]:
    lead = actors.membership(actors.alice)
    ids = [item.pk for item in items]
    return lambda: send_again(lead, ids, "A rule", order=Order(to=RelabelTo.SAME))


def counts(actors: Actors) -> dict[str, int]:
    return dict(Membership.objects.filter(project=actors.project).values_list("name", "waiting"))


def test_the_same_items_sent_by_several_at_once_are_asked_for_once(actors: Actors, items: list[Item]) -> None:
    sent = at_once([sending(actors, items), sending(actors, items[::-1]), sending(actors, items)])
    assert sorted(len(one.sent) for one in sent) == [0, 0, N_ITEMS]
    assert RelabelPlace.objects.count() == 2 * N_ITEMS
    assert counts(actors) == {"alice": 0, "bob": N_ITEMS, "carol": N_ITEMS, "dave": 0}


def test_people_answer_while_a_queue_is_closed_and_another_is_made(actors: Actors, items: list[Item]) -> None:
    first = sending(actors, items[:4])()

    def label(user: Any) -> Callable[[], Any]:
        def work() -> int:
            n = 0
            while leases := hand_out(actors.membership(user), 1).leases:
                submit(Actor(user), leases[0].pk, str(uuid4()), Work({"answer": "no"}, count=0))
                n += 1
            return n

        return work

    lead = actors.membership(actors.alice)
    at_once(
        [
            label(actors.bob),
            label(actors.carol),
            lambda: close_relabel(lead, first.relabel.pk),
            sending(actors, items),
        ]
    )
    for user in (actors.bob, actors.carol):
        label(user)()
    places = RelabelPlace.objects.all()
    assert not places.filter(annotation=None, dropped=False).exists()
    assert counts(actors) == {"alice": 0, "bob": 0, "carol": 0, "dave": 0}
    answered = places.filter(annotation__isnull=False).count()
    assert Annotation.objects.filter(current=False).count() == answered
    assert Annotation.objects.filter(current=True).count() == 2 * N_ITEMS
    assert list(findings()) == []
