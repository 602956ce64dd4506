"""The pages of training rounds: the list, a new one, and one with its items and people."""

from typing import Any

import pytest
from django.urls import reverse

from core.models import Item, Membership, TrainingItem, TrainingRound
from core.services.adjudication import settle
from core.services.gold import confirm_gold
from core.services.lease import hand_out
from core.services.progress import recount
from tests.conftest import Actors, client_of
from tests.factories.answers import make_gold
from tests.factories.item import make_items
from tests.factories.queue import answer, fresh, make_training_round

pytestmark = pytest.mark.django_db
NEW: dict[str, Any] = {
    "name": "First steps",
    "pass_percent": "80",
    "tries": "2",
    "source": "drawn",
    "question": "answer",
    "per_class": "2",
    "most": "20",
    "ids": "",
}


@pytest.fixture
def items(actors: Actors) -> list[Item]:
    """Six items."""
    made = make_items(actors.project, 6, target=2)
    recount(actors.project.pk)
    return made


@pytest.fixture
def gold(items: list[Item]) -> list[Item]:
    """The first four items have gold, yes and no in turn."""
    for place, item in enumerate(items[:4]):
        make_gold(item, "answer", "no" if place % 2 else "yes")
    return items


@pytest.fixture
def training(actors: Actors, items: list[Item]) -> TrainingRound:
    """Two items with gold yes, one try."""
    return make_training_round(actors.project, items[:2], tries=1)


def new(actors: Actors, **values: Any) -> Any:
    return client_of(actors.alice).post(reverse("training_round_new", args=["birds"]), {**NEW, **values})


def address(training: TrainingRound) -> str:
    return reverse("training_round_edit", args=["birds", training.pk])


def typed(actors: Actors, training: TrainingRound, **changes: Any) -> dict[str, Any]:
    """The form as a browser would send it back, with changes."""
    form = client_of(actors.alice).get(address(training)).context["form"]
    values = {name: form[name].value() for name in form.fields}
    values = {name: value for name, value in values.items() if value not in {None, False}}
    return {"do": "save", **values, **changes}


def test_the_list_is_empty_and_then_says_which_round_newcomers_get(actors: Actors, items: list[Item]) -> None:
    where = reverse("training_rounds", args=["birds"])
    assert "There is no training round yet" in client_of(actors.alice).get(where).text
    make_training_round(actors.project, items[:2], name="Sparrows")
    text = client_of(actors.alice).get(where).text
    assert "Annotators who join get “Sparrows” before anything else" in text


def test_the_list_says_how_many_people_wait_for_the_lead(actors: Actors, training: TrainingRound) -> None:
    where = reverse("training_rounds", args=["birds"])
    Membership.objects.filter(pk=actors.membership(actors.bob).pk).update(training_round=training)
    before = client_of(actors.alice).get(where)
    for _item in range(2):
        bob = fresh(actors.membership(actors.bob))
        answer(bob, hand_out(bob, 1, []).leases[0], "no")
    after = client_of(actors.alice).get(where)
    assert [row["waiting"] for row in (before.context["rounds"] + after.context["rounds"])] == [0, 1]
    assert f'<a href="{address(training)}#people">1 person</a>' in after.text


def test_a_round_is_drawn_and_then_edited(actors: Actors, gold: list[Item]) -> None:
    made = new(actors)
    training = TrainingRound.objects.get()
    assert made.headers["Location"] == address(training)
    assert (training.active, training.items.count(), str(training.pass_mark)) == (False, 4, "0.800")
    last = training.items.order_by("order").last()
    assert last is not None
    key = last.item_id
    other = training.items.order_by("order")[0].item_id
    changes = {"active": "on", f"order-{key}": "0", f"why-{key}": "It <i>flies</i>.", f"drop-{other}": "on"}
    client_of(actors.alice).post(address(training), typed(actors, training, **changes))
    training.refresh_from_db()
    rows = list(training.items.order_by("order").values_list("item_id", "explanation"))
    assert training.active
    assert rows[0] == (key, "It <i>flies</i>.")
    assert len(rows) == 3
    text = client_of(actors.alice).get(address(training)).text
    assert "It &lt;i&gt;flies&lt;/i&gt;." in text
    assert "Switched on" in text


def test_a_round_of_ids_or_of_a_filter(actors: Actors, gold: list[Item]) -> None:
    assert new(actors, source="ids", ids="item-3\n item-1 \n\n").status_code == 302
    first = TrainingRound.objects.get()
    assert [row.item.external_id for row in first.items.all()] == ["item-3", "item-1"]
    assert new(actors, name="Second", source="filter", q="item-2").status_code == 302
    assert [row.item.external_id for row in TrainingRound.objects.latest("pk").items.all()] == ["item-2"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"pass_percent": "101"}, "pass_percent"),
        ({"source": "ids", "ids": "item-6"}, "ids"),
        ({"source": "ids", "ids": ""}, "ids"),
        ({"source": "filter", "q": "robin"}, "most"),
        ({"per_class": ""}, "__all__"),
        ({"source": "dreams"}, "source"),
    ],
)
def test_what_makes_no_round_is_told_at_its_field(
    actors: Actors, gold: list[Item], wrong: dict[str, str], field: str
) -> None:
    refused = new(actors, **wrong)
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, [field])
    assert not TrainingRound.objects.exists()


def test_what_an_expert_said_is_the_first_draft_of_the_explanation(actors: Actors, items: list[Item]) -> None:
    dave = actors.membership(actors.dave)
    resolution = settle(dave, items[0].pk, "answer", "yes", comment="Wings.", gold_candidate=True, revision=0)
    confirm_gold(actors.membership(actors.alice), resolution.pk)
    new(actors)
    assert TrainingItem.objects.get().explanation == "Wings."


def test_of_two_leads_the_second_is_told_and_loses_nothing(
    actors: Actors, training: TrainingRound, items: list[Item]
) -> None:
    key = items[0].pk
    read = typed(actors, training, **{f"why-{key}": "Mine."})
    client_of(actors.alice).post(address(training), typed(actors, training, tries="5"))
    stale = client_of(actors.alice).post(address(training), read)
    assert stale.status_code == 412
    assert "Somebody else changed this round" in stale.text
    assert "Mine." in stale.text
    assert TrainingRound.objects.get().tries == 5
    again = {**read, "version": stale.context["form"]["version"].value()}
    assert client_of(actors.alice).post(address(training), again).status_code == 302
    assert TrainingItem.objects.get(item=key).explanation == "Mine."


def test_an_item_that_cannot_be_added_is_told_and_nothing_is_saved(
    actors: Actors, training: TrainingRound
) -> None:
    refused = client_of(actors.alice).post(
        address(training), typed(actors, training, tries="3", more="item-6")
    )
    assert (refused.status_code, "have no gold: item-6" in refused.text) == (422, True)
    assert TrainingRound.objects.get().tries == 1


def test_people_are_sent_through_given_another_try_and_excused(
    actors: Actors, training: TrainingRound
) -> None:
    bob = actors.membership(actors.bob)
    alice = client_of(actors.alice)
    assert "not begun" in alice.post(address(training), {"do": "send", "members": bob.pk}, follow=True).text
    for _ in range(2):
        (lease,) = hand_out(fresh(bob), 1, []).leases
        answer(fresh(bob), lease, "no")
    waits = alice.get(address(training)).text
    assert "not passed: waits for you" in waits
    assert "0 of 2" in waits
    assert "under way" in alice.post(address(training), {"do": "send", "members": bob.pk}, follow=True).text
    excused = alice.post(address(training), {"do": "excuse", "members": bob.pk}, follow=True).text
    assert "1 person labels without having passed." in excused
    notices = client_of(actors.bob).get(reverse("notices", args=["birds"]))
    assert (notices.status_code, "You get items again." in notices.text) == (200, True)
    assert Membership.objects.get(pk=bob.pk).training_round is None
    assert "Name people who work" in alice.post(address(training), {"do": "send"}, follow=True).text


def test_annotators_see_no_rounds(actors: Actors, training: TrainingRound) -> None:
    for where in (
        address(training),
        reverse("training_rounds", args=["birds"]),
        reverse("gold", args=["birds"]),
    ):
        assert client_of(actors.bob).get(where).status_code == 403
