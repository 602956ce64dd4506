"""The pages about people's work: throughput, taking answers out, forgetting somebody, pausing."""

import pytest

from core.models import Annotation, Item, Job, Membership, Void
from core.pipelines.job import run_job
from core.services.job import claim_job
from tests.conftest import Actors, client_of
from tests.factories.answers import make_answer, make_items

pytestmark = pytest.mark.django_db
PROJECT = "/projects/birds"


@pytest.fixture
def bob(actors: Actors) -> Membership:
    """Who has answered two finished items, in three and five seconds."""
    bob = actors.membership(actors.bob)
    for item, seconds in zip(
        make_items(actors.project, "a", "b", target=1, done=1, free=0), (3, 5), strict=True
    ):
        make_answer(bob, item, {"answer": "yes"}, elapsed_ms=1000 * seconds)
    Membership.objects.filter(pk=bob.pk).update(answered=2)
    return bob


def test_leads_see_everybodys_work_and_others_their_own(actors: Actors, bob: Membership) -> None:
    make_answer(actors.membership(actors.carol), Item.objects.earliest("pk"), {"answer": "no"})

    page = client_of(actors.alice).get(f"{PROJECT}/work").content.decode()
    own = client_of(actors.bob).get(f"{PROJECT}/work").content.decode()

    assert "3 answers" in page
    assert "carol" in page
    assert "4.0" in page
    assert "2 answers" in own
    assert "carol" not in own


def test_work_comes_as_a_file(actors: Actors, bob: Membership) -> None:
    answer = client_of(actors.alice).get(f"{PROJECT}/work.csv")

    head, line = b"".join(answer).decode().split()
    assert head == '"member","name","day","answers","voided","skips","median_seconds","uncertain"'
    assert line.endswith(",2,0,0,4.0,0.0")
    script = client_of(actors.bob).get("/api/v1/projects/birds/work")
    assert [row["answers"] for row in script.json()] == [2]
    assert client_of(actors.bob).get("/api/v1/projects/birds/work?from=yesterday").status_code == 400
    assert not client_of(actors.bob).get("/api/v1/projects/birds/work?to=2020-01-01").json()


def test_days_before_the_calendar_are_refused_in_words(actors: Actors, bob: Membership) -> None:
    alice = client_of(actors.alice)
    for query in ("until=0001-01-01", "until=0001-01-29", "since=0001-01-01&until=0001-01-02"):
        page = alice.get(f"{PROJECT}/work?{query}")
        assert "This day is too early." in page.content.decode()
        assert alice.get(f"{PROJECT}/work.csv?{query}").status_code == 400
    for query in ("since=0001-01-01", "until=0001-01-31", "until=9999-12-31", "since=9999-12-31"):
        assert alice.get(f"{PROJECT}/work?{query}").status_code == 200
        assert alice.get(f"{PROJECT}/work.csv?{query}").status_code == 200


@pytest.mark.parametrize("query", ["since=zzz", "until=2026-13-01", "from=zzz"])
def test_a_wrong_filter_is_refused_in_words_and_no_row_comes(
    actors: Actors, bob: Membership, query: str
) -> None:
    alice = client_of(actors.alice)

    page, table = alice.get(f"{PROJECT}/work?{query}"), alice.get(f"{PROJECT}/work.csv?{query}")

    assert page.status_code == 422
    assert page.context["form"].errors
    assert not page.context["rows"]
    assert "There is a problem" in page.text
    assert "2 answers" not in page.text
    assert table.status_code == 400
    assert "member" not in table.text.split("<body")[0]


def test_a_lead_looks_first_takes_answers_out_and_puts_them_back(actors: Actors, bob: Membership) -> None:
    alice = client_of(actors.alice)
    address = f"{PROJECT}/people/{bob.pk}/void"

    looked = alice.get(address).content.decode()
    none = alice.get(f"{address}?since=2030-01-01T00:00").content.decode()
    nameless = alice.post(address, {"reason": ""})
    done = alice.post(address, {"reason": "in haste"}, follow=True).content.decode()

    assert "2 answers leave every figure" in looked
    assert "2 finished items wait again" in looked
    assert "0 answers leave every figure" in none
    assert nameless.status_code == 422
    assert "2 answers are taken out of the counts" in done
    assert "in haste" in done
    assert Annotation.objects.filter(voided=True).count() == 2
    void = Void.objects.get()
    back = alice.post(f"{PROJECT}/people/voids/{void.pk}/undo", follow=True).content.decode()
    assert "2 answers count again" in back
    assert not Annotation.objects.filter(voided=True).exists()


def test_a_moment_that_is_none_in_utc_is_refused_in_words(actors: Actors, bob: Membership) -> None:
    address = f"{PROJECT}/people/{bob.pk}/void"

    for query in ("since=0001-01-01T00:00:00%2B14:00", "until=9999-12-31T23:59:00-12:00"):
        page = client_of(actors.alice).get(f"{address}?{query}")
        assert page.status_code == 422
        assert "Enter a valid date/time." in page.text


def test_many_answers_are_taken_out_and_put_back_in_the_background(
    actors: Actors, bob: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.services.void.MOST_AT_ONCE", 1)
    alice = client_of(actors.alice)
    address, people = f"{PROJECT}/people/{bob.pk}/void", f"{PROJECT}/people"

    page = alice.post(address, {"reason": "in haste"}, follow=True).content.decode()
    job = Job.objects.get()
    card = f"{people}?void_job={job.pk}"

    assert "Answers of bob are being taken out" in page
    assert card in page
    assert "Answers of bob are being taken out" in alice.get(address).content.decode()
    assert "What it does now" not in alice.get(address).content.decode()
    waits = alice.get(card)
    assert "queued" in waits.content.decode()
    assert "HX-Refresh" not in waits
    run_job(job.pk)
    assert alice.get(card)["HX-Refresh"] == "true"
    ended = alice.get(people).content.decode()
    assert "being taken out" not in ended
    assert "in haste" in ended

    alice.post(f"{people}/voids/{Void.objects.get().pk}/undo")
    back = alice.get(people).content.decode()
    assert "Answers of bob are being put back" in back
    assert "being put back…" in back
    run_job(Job.objects.get(kind="void_undo").pk)
    assert "Put back" not in alice.get(people).content.decode()
    assert not Annotation.objects.filter(voided=True).exists()
    assert alice.get(f"{people}?void_job=none").status_code == 404
    assert client_of(actors.eve).get(card).status_code == 404


def test_taking_out_in_the_background_is_cancelled_or_fails_and_says_so(
    actors: Actors, bob: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.services.void.MOST_AT_ONCE", 1)
    alice = client_of(actors.alice)
    address = f"{PROJECT}/people/{bob.pk}/void"
    alice.post(address, {"reason": "in haste"})
    refused = alice.post(address, {"reason": "at random"})
    job = Job.objects.get()
    assert refused.status_code == 422

    claim_job(job.pk)
    alice.post(f"{address}?cancel=1")
    assert "being cancelled" in alice.get(f"{PROJECT}/people").content.decode()
    Job.objects.update(state="queued")

    cancelled = alice.post(f"{address}?cancel=1", follow=True).content.decode()

    assert "nothing of it is done" in cancelled
    assert "being taken out" not in cancelled
    run_job(job.pk)
    assert Job.objects.get().state == "cancelled"
    assert not Void.objects.exists()

    alice.post(address, {"reason": "in haste"})
    Annotation.objects.update(current=False)
    run_job(Job.objects.get(state="queued").pk)
    failed = alice.get(f"{PROJECT}/people").content.decode()
    assert "No answers of bob were taken out" in failed
    assert "bob has no answers there that count." in failed


def test_the_page_says_what_forgetting_does_and_wants_the_name(actors: Actors, bob: Membership) -> None:
    alice = client_of(actors.alice)
    address = f"{PROJECT}/people/{bob.pk}/erase"

    page = alice.get(address).content.decode()
    wrong = alice.post(address, {"name": "Bobby"})
    right = alice.post(address, {"name": "bob"}, follow=True).content.decode()

    assert "2 answers stay as they are, under a pseudonym" in page
    assert "Their account is closed" in page
    assert wrong.status_code == 422
    assert "not their name" in wrong.content.decode()
    assert "Forgotten" in right
    assert Membership.objects.get(pk=bob.pk).name in right
    again = alice.get(address).content.decode()
    assert "Nothing to do here" in again


def test_the_api_forgets_too(actors: Actors, bob: Membership) -> None:
    alice, address = client_of(actors.alice), f"/api/v1/people/{bob.pk}/erase"

    told = alice.post(address, {"dry_run": True}, content_type="application/json").json()
    refused = alice.post(address, {}, content_type="application/json")
    done = alice.post(address, {"name": "bob"}, content_type="application/json").json()

    assert (told["name"], told["answers"], told["account"]) == ("bob", 2, True)
    assert (refused.status_code, refused.json()["code"]) == (400, "wrong-name")
    assert done["name"] == Membership.objects.get(pk=bob.pk).name
    read = alice.get(f"/api/v1/projects/birds/members/{bob.pk}").json()
    assert read["username"] is None
    assert read["erased_at"]


def test_a_lead_pauses_and_resumes(actors: Actors, bob: Membership) -> None:
    alice = client_of(actors.alice)

    paused = alice.post(f"{PROJECT}/people/{bob.pk}/pause", follow=True).content.decode()
    twice = alice.post(f"{PROJECT}/people/{bob.pk}/pause", follow=True).content.decode()
    resumed = alice.post(f"/api/v1/members/{bob.pk}/resume")

    assert "bob gets no further items" in paused
    assert "Resume" in paused
    assert "paused already" in twice
    assert (resumed.status_code, resumed.json()["paused_because"]) == (200, None)
    assert alice.post(f"/api/v1/members/{bob.pk}/pause").json()["paused_because"] == "lead"
    assert alice.post(f"{PROJECT}/people/{bob.pk}/resume", follow=True).status_code == 200


def test_the_history_of_an_item_is_a_page(actors: Actors, bob: Membership) -> None:
    item = Item.objects.earliest("pk")
    alice = client_of(actors.alice)
    alice.post(f"{PROJECT}/people/{bob.pk}/void", {"reason": "in haste"})

    page = alice.get(f"{PROJECT}/items/{item.pk}/history").content.decode()

    for words in ("Imported", "Answered", "Answer taken out of the counts", "in haste", "Put back"):
        assert words in page
    assert f"{PROJECT}/items/{item.pk}/history" in alice.get(f"{PROJECT}/items/{item.pk}").content.decode()


def test_the_log_is_filtered_and_comes_as_a_file(actors: Actors, bob: Membership) -> None:
    alice = client_of(actors.alice)
    alice.post(f"{PROJECT}/people/{bob.pk}/void", {"reason": "in haste"})
    alice.post(f"{PROJECT}/people/{bob.pk}/pause")
    api = "/api/v1/projects/birds/audit"

    assert [line["verb"] for line in alice.get(f"{api}?verb=member.").json()["results"]] == ["member.paused"]
    assert len(alice.get(f"{api}?actor=ALICE&thing=bob").json()["results"]) == 2
    assert not alice.get(f"{api}?from=2999-01-01").json()["results"]
    assert alice.get(f"{api}?to=never").status_code == 400
    lines = b"".join(alice.get(f"{api}/file?verb=annotations.voided")).decode().splitlines()
    assert len(lines) == 1
    assert '"annotations":2' in lines[0]
    assert alice.get(f"{api}/file?format=xml").status_code == 400
    table = b"".join(alice.get(f"{PROJECT}/audit.csv?thing=bob")).decode().splitlines()
    assert len(table) == 3
    assert "annotations.voided" in alice.get(f"{PROJECT}/audit?actor=alice").content.decode()
