"""The page of what was sent back: empty, with progress, page by page."""

from collections.abc import Callable

import pytest
from django.db.models import F
from django.test import Client
from django.urls import reverse

from core.choices import AuditPart
from core.models import GuidelineVersion, Item, LabelClass, Project, Relabel, RelabelPlace
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
    assert "Nothing was sent out again yet" in shown(client_of(actors.dave), actors)


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
    assert "1 stayed, 0 with even votes" in page
    assert "1 is not asked for any more" in page


def test_queues_are_paged(actors: Actors, client_of: Browser) -> None:
    made = [Relabel.objects.create(project=actors.project, reason=f"Reason {n}.") for n in range(30)]
    first = shown(client_of(actors.alice), actors)
    assert "Reason 29." in first
    assert "Reason 4." not in first
    assert f"?before={made[5].pk}" in first
    assert "Reason 4." in shown(client_of(actors.alice), actors, f"?before={made[5].pk}")


@pytest.fixture
def answered(actors: Actors) -> list[Item]:
    """Six items of the audit slice and two others that Bob and Carol have answered; they differ on the first two."""
    items = make_items(actors.project, 8, target=2)
    for place, item in enumerate(items):
        make_answer(actors.membership(actors.bob), item, {"answer": "yes"})
        make_answer(actors.membership(actors.carol), item, {"answer": "no" if place < 2 else "yes"})
    Item.objects.update(done=2, free=0)
    Item.objects.filter(pk__in=[item.pk for item in items[:6]]).update(audit=AuditPart.STREAM)
    recount(actors.project.pk)
    return items


def form_of(**more: object) -> dict[str, object]:
    return {
        "source": "agreement",
        "least": "0.5",
        "most": "100",
        "drawn": "0",
        "to": "same",
        "reason": "They differ",
        "do": "count",
        **more,
    }


def new(client: Client, actors: Actors, **more: object) -> tuple[int, str]:
    answer = client.post(reverse("relabel_new", args=[actors.project.slug]), form_of(**more), follow=True)
    return answer.status_code, answer.content.decode()


@pytest.mark.usefixtures("answered")
def test_counting_says_what_will_happen_and_sends_nothing(actors: Actors, client_of: Browser) -> None:
    client = client_of(actors.alice)
    page = client.get(reverse("relabel_new", args=[actors.project.slug])).content.decode()
    assert "6 could be drawn" in page
    status, page = new(client, actors, drawn="3")
    assert status == 200
    assert "items are sent out again" in page
    assert "3 of them were drawn from the audit slice by chance." in page
    assert "bob: " in page
    assert not Relabel.objects.exists()
    status, page = new(client, actors)
    assert "2 items are sent out again; 4 answers are asked for." in page
    assert "bob: 2 items" in page
    assert "Send 2 items" in page


@pytest.mark.usefixtures("answered")
def test_sending_shows_the_queue_and_it_can_be_closed(actors: Actors, client_of: Browser) -> None:
    client = client_of(actors.alice)
    _status, page = new(client, actors, do="send", shown="on")
    assert "2 items are sent out again, before everything else. 4 answers are asked for." in page
    assert "with what was answered before" in page
    assert "the same people" in page
    assert "low agreement" in page
    relabel = Relabel.objects.get()
    assert not relabel.blind
    closed = client.post(reverse("relabel_close", args=[actors.project.slug, relabel.pk]), follow=True)
    assert "The queue is closed: 4 answers are not asked for any more." in closed.content.decode()
    assert RelabelPlace.objects.filter(dropped=True).count() == 4
    seen = shown(client_of(actors.dave), actors, f"?queue={relabel.pk}")
    assert "2: 0 answered again, 0 waiting, 2 not asked for any more" in seen
    assert "Close this queue" not in seen
    assert "bob" not in seen


def test_a_guideline_version_a_filter_or_ids_say_which_items(
    actors: Actors, answered: list[Item], client_of: Browser
) -> None:
    version = GuidelineVersion.objects.create(project=actors.project, number=2, note="On <no>")
    version.touches.set(LabelClass.objects.filter(name="no"))
    Project.objects.filter(pk=actors.project.pk).update(guideline=version)
    client = client_of(actors.alice)
    page = client.get(reverse("relabel_new", args=[actors.project.slug])).content.decode()
    assert "version 2: On &lt;no&gt;" in page
    assert "2 items are sent" in new(client, actors, source="guideline", guideline="2")[1]
    assert "1 item is sent" in new(client, actors, source="filter", q=answered[3].external_id)[1]
    page = new(
        client,
        actors,
        source="ids",
        ids="item-1\n item-2\n",
        to="named",
        members=[actors.membership(actors.dave).pk],
    )[1]
    assert "dave: 2 items" in page
    status, page = new(client, actors, source="ids", ids="item-1\nitem-99")
    assert status == 422
    assert "The project has no item" in page


@pytest.mark.usefixtures("answered")
def test_wrong_forms_are_told_at_their_fields(actors: Actors, client_of: Browser) -> None:
    client = client_of(actors.alice)
    assert new(client, actors, to="named")[0] == 422
    assert "Name at least one person." in new(client, actors, to="named")[1]
    assert "There is no such item." in new(client, actors, source="uncertain")[1]
    assert new(client, actors, drawn="-1")[0] == 422
    assert new(client, actors, disagreement_min="7")[0] == 422
    assert "Nobody has looked for wrong labels yet." in new(client, actors, source="errors")[1]
    assert new(client, actors, source="guideline")[0] == 422
    assert not Relabel.objects.exists()
    assert client_of(actors.dave).get(reverse("relabel_new", args=[actors.project.slug])).status_code == 403
