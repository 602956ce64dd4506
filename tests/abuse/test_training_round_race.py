"""Two leads change the same training round at once: one does, the other is told (412), nothing is lost.

``LABELAPP_RACES=500`` runs so many.
"""

import os
from functools import partial

import pytest

from core.choices import Role
from core.models import Event, TrainingRound
from core.selectors.training_round import version_of
from tests.abuse.test_concurrency import at_once
from tests.conftest import Actors, client_of
from tests.factories.account import make_user
from tests.factories.item import make_items
from tests.factories.project import add_member
from tests.factories.queue import make_training_round

pytestmark = pytest.mark.django_db(transaction=True)
RACES = int(os.environ.get("LABELAPP_RACES", "6"))


def test_of_two_changes_of_a_round_one_is_made(actors: Actors) -> None:
    frank = make_user("frank")
    add_member(actors.project, frank, Role.LEAD)
    training = make_training_round(actors.project, make_items(actors.project, 2))
    leads = (client_of(actors.alice), client_of(frank))
    for number in range(RACES):
        seen = version_of(TrainingRound.objects.get())
        bodies = [
            {"name": f"{number} by {who}", "items": [{"item": "item-2", "explanation": f"{who} {number}"}]}
            for who in ("Alice", "Frank")
        ]
        told = at_once(
            [
                partial(
                    lead.patch,
                    f"/api/v1/training-rounds/{training.pk}",
                    body,
                    content_type="application/json",
                    headers={"if-match": f'"{seen}"'},
                )
                for lead, body in zip(leads, bodies, strict=True)
            ]
        )
        statuses = [answer.status_code for answer in told]
        assert sorted(statuses) == [200, 412]
        kept = bodies[statuses.index(200)]
        made = TrainingRound.objects.get()
        assert made.name == kept["name"]
        assert made.items.get().explanation == kept["items"][0]["explanation"]  # type: ignore[index]
    assert Event.objects.filter(verb="training.edited").count() == RACES
