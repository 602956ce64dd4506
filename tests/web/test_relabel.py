"""The page of what was sent back: empty, with progress, page by page."""

from collections.abc import Callable

import pytest
from django.db.models import F
from django.test import Client
from django.urls import reverse

from core.models import Item, Relabel
from core.services.item import withdraw_item
from core.services.progress import recount
from core.services.relabel import send_again
from tests.conftest import Actors
from tests.factories.answers import make_answer
from tests.factories.item import make_items

pytestmark = pytest.mark.django_db
Browser = Callable[..., Client]


def shown(client: Client, actors: Actors, query: str = "") -> str:
    answer = client.get(reverse("relabels", args=[actors.project.slug]) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_empty_page_says_what_it_is_for(actors: Actors, client_of: Browser) -> None:
    assert "Nothing was sent back yet" in shown(client_of(actors.dave), actors)


def test_progress_and_what_it_changed(actors: Actors, client_of: Browser) -> None:
    """Carol confirms one of Bob's three labels, another is withdrawn, and the third waits."""
    items = make_items(actors.project, 3, target=1)
    for item in items:
        make_answer(actors.membership(actors.bob), item, {"answer": "yes"})
    Item.objects.update(done=1, free=0)
    recount(actors.project.pk)
    alice = actors.membership(actors.alice)
    send_again(alice, [item.pk for item in items], "Doubtful <b>labels</b>")
    assert "nothing yet" in shown(client_of(actors.alice), actors)
    make_answer(actors.membership(actors.carol), items[0], {"answer": "yes"})
    Item.objects.filter(pk=items[0].pk).update(done=F("done") + 1, free=0)
    withdraw_item(alice, items[1].pk)
    page = shown(client_of(actors.alice), actors)
    assert "Doubtful &lt;b&gt;labels&lt;/b&gt;" in page
    assert "1 of 3" in page
    assert "0 labels are others" in page
    assert "1 stayed, 0 even now" in page
    assert "1 was withdrawn or corrected since" in page


def test_queues_are_paged(actors: Actors, client_of: Browser) -> None:
    made = [Relabel.objects.create(project=actors.project, reason=f"Reason {n}.") for n in range(30)]
    first = shown(client_of(actors.alice), actors)
    assert "Reason 29." in first
    assert "Reason 4." not in first
    assert f"?before={made[5].pk}" in first
    assert "Reason 4." in shown(client_of(actors.alice), actors, f"?before={made[5].pk}")
