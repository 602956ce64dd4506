"""What members are told, in words: a sentence for every kind, and a badge in the menu."""

import re
from typing import Any

import pytest
from django.urls import reverse

from core.choices import NoticeKind
from core.models import Notice
from core.services.guideline import mark_read, publish_guideline
from core.services.notice import notify
from tests.conftest import Actors, client_of
from tests.factories.answers import make_items

pytestmark = pytest.mark.django_db
ADDRESS = "/projects/birds/notices/"
PAUSED = (
    "You get no items for now: the lead has paused your work. What you have answered is kept. Read the guideline "
    "meanwhile; the lead decides when you go on."
)


def told(actors: Actors, who: Any, kind: NoticeKind, **data: Any) -> tuple[str, str]:
    """What somebody reads, and where the link goes."""
    member = actors.membership(who)
    notify([member.pk], kind, **data)
    page = client_of(who).get(ADDRESS)
    words = page.context["rows"][0]["words"]
    assert words.link in page.text
    return words.text, words.url


def test_every_kind_is_a_sentence_with_a_link(actors: Actors) -> None:
    (item,) = make_items(actors.project, "a")
    alice, bob, dave = actors.alice, actors.bob, actors.dave
    of_bob = {"member": actors.membership(bob).pk, "name": "bob"}
    here = "/projects/birds/"
    assert told(actors, bob, NoticeKind.ASSIGNED, relabel=1, items=1, guideline=None) == (
        "1 item was given to you to label again.",
        f"{here}label/",
    )
    assert told(actors, bob, NoticeKind.ASSIGNED, relabel=1, items=1200, guideline=3) == (
        "1,200 items were given to you to label again, because version 3 of the guideline changed their rules.",
        f"{here}label/",
    )
    assert told(actors, bob, NoticeKind.ASSIGNED, batch="March", number=2, items=1200) == (
        "The batch “March” was given to you: 1,200 items.",
        f"{here}label/",
    )
    assert told(actors, bob, NoticeKind.PAUSED, because="lead", **of_bob) == (
        PAUSED,
        f"{here}guideline",
    )
    assert "known to be right" in told(actors, bob, NoticeKind.PAUSED, because="gold", **of_bob)[0]
    assert told(actors, alice, NoticeKind.PAUSED, because="gold", n=20, right=9, bound=0.8, **of_bob) == (
        "bob is paused: 9 of 20 gold answers are right, which is surely below 0.8.",
        f"{here}people",
    )
    assert told(actors, bob, NoticeKind.RESUMED) == ("You get items again.", f"{here}label/")
    assert told(actors, bob, NoticeKind.GUIDELINE, version=2, note="Songs too.") == (
        "Version 2 of the guideline is in force. Songs too.",
        f"{here}guideline/2",
    )
    assert told(actors, bob, NoticeKind.ANSWERED, inquiry=7, item="a") == (
        "Your question about a is answered.",
        f"{here}inquiries/?state=own#inquiry-7",
    )
    assert told(actors, bob, NoticeKind.ANSWERED, inquiry=7, item="a", version=4)[0] == (
        "Your question about a became a rule of the guideline, in version 4."
    )
    assert told(actors, alice, NoticeKind.ASKED, inquiry=7, item="a", item_id=item.pk, **of_bob) == (
        "bob asks about a.",
        f"{here}inquiries/#inquiry-7",
    )
    review = {"item": "a", "item_id": item.pk, "question": "answer", "review": 1, "by": "alice"}
    assert told(actors, dave, NoticeKind.REVIEW, **review) == (
        "You are asked what you think of a.",
        f"{here}adjudication/reviews",
    )
    assert told(actors, alice, NoticeKind.REVIEW, **review)[0] == "alice asks what you think of a."
    training = {"round": "first steps", "round_id": 1, "right": 4, "n": 5, "attempt": 1}
    assert told(actors, bob, NoticeKind.TRAINING, state="passed", **training) == (
        "You have passed “first steps”: 4 of 5 were right.",
        f"{here}label/",
    )
    assert told(actors, bob, NoticeKind.TRAINING, state="failed", **training)[0].startswith(
        "You have not passed"
    )
    assert told(actors, alice, NoticeKind.TRAINING, state="failed", **training, **of_bob) == (
        "bob has not passed “first steps” and has no try left: 4 of 5 were right.",
        f"{here}training/1#people",
    )
    assert told(actors, dave, NoticeKind.CORRECTED, item="a", item_id=item.pk, questions=["answer"]) == (
        "a, which you settled, was answered anew since. Your decision stands until you change it.",
        f"{here}adjudication/{item.pk}?question=answer",
    )
    voided = {"void": 1, "answers": 2, **of_bob}
    assert told(actors, bob, NoticeKind.VOIDED, undone=False, **voided) == (
        "2 answers of yours were taken out of the counts by the lead; they are kept.",
        f"{here}record/",
    )
    assert told(actors, bob, NoticeKind.VOIDED, undone=True, **voided)[0] == "2 answers of yours count again."
    text, url = told(actors, alice, NoticeKind.VOIDED, undone=False, resolutions=1, **voided)
    assert text == "Answers of bob were taken out of the counts; 1 item that you settled had them."
    assert url == f"{here}adjudication/?state=overtaken#queue"
    text, _url = told(actors, dave, NoticeKind.VOIDED, undone=True, resolutions=3, **voided)
    assert re.fullmatch(r"Answers of p_\w+ count again; 3 items that you settled have them\.", text)
    assert set(Notice.objects.values_list("kind", flat=True)) == set(NoticeKind.values)


def badge(actors: Actors, who: Any) -> str:
    text = client_of(who).get(reverse("guideline", args=["birds"])).text
    found = re.search(r'href="/projects/birds/notices/"[^>]*>Notices( <span[^>]*>(\d+)</span>)?</a>', text)
    assert found
    return found[2] or ""


def test_the_menu_counts_what_is_unread(actors: Actors) -> None:
    bob = actors.membership(actors.bob)
    assert badge(actors, actors.bob) == ""
    for version in (2, 3):
        notify([bob.pk], NoticeKind.GUIDELINE, version=version)
    assert (badge(actors, actors.bob), badge(actors, actors.carol)) == ("2", "")
    page = client_of(actors.bob).get(ADDRESS)
    assert page.text.count("notice-unread") == 2
    done = client_of(actors.bob).post(f"{ADDRESS}read", {"until": str(page.context["until"])})
    assert done["Location"] == ADDRESS
    assert badge(actors, actors.bob) == ""
    assert "notice-unread" not in client_of(actors.bob).get(ADDRESS).text


def test_following_a_notice_reads_it(actors: Actors) -> None:
    bob = actors.membership(actors.bob)
    notify([bob.pk], NoticeKind.GUIDELINE, version=2)
    notice = Notice.objects.get(member=bob)
    done = client_of(actors.bob).post(f"{ADDRESS}read", {"notice": str(notice.pk)})
    assert done["Location"] == reverse("guideline_version", args=["birds", 2])
    assert badge(actors, actors.bob) == ""
    assert client_of(actors.carol).post(f"{ADDRESS}read", {"notice": str(notice.pk)}).status_code == 404


def test_what_changed_leads_to_the_difference_read_or_not(actors: Actors) -> None:
    alice, bob = actors.membership(actors.alice), actors.membership(actors.bob)
    mark_read(bob, 1)
    publish_guideline(alice, "Listen closely.")

    before = client_of(actors.bob).get(ADDRESS).context["rows"][0]["words"].url
    unread = client_of(actors.bob).get(before).text
    mark_read(actors.membership(actors.bob), 2)
    after = client_of(actors.bob).get(ADDRESS).context["rows"][0]["words"].url
    read = client_of(actors.bob).get(after).text

    assert (before, after) == ("/projects/birds/guideline", "/projects/birds/guideline/2")
    for page in (unread, read):
        assert "Listen closely.</ins>" in page
        assert "Look closely.</del>" in page


def test_nothing_so_far(actors: Actors) -> None:
    assert "Nothing so far" in client_of(actors.bob).get(ADDRESS).text
