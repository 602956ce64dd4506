"""What members are told: unread until they read it, and not kept for ever."""

import pytest

from core.choices import NoticeKind
from core.exceptions import Missing
from core.models import Notice
from core.selectors.notice import n_unread, notices_of, told_to
from core.services.notice import KEPT, notify, read_notices
from tests.conftest import Actors

pytestmark = pytest.mark.django_db


def test_everybody_is_told_once_and_reads_for_themselves(actors: Actors) -> None:
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    notify([bob.pk, carol.pk, bob.pk], NoticeKind.GUIDELINE, version=2)
    notify([bob.pk], NoticeKind.RESUMED)
    assert (n_unread(bob), n_unread(carol)) == (2, 1)
    assert [notice.kind for notice in notices_of(bob)] == ["resumed", "guideline"]
    first = notices_of(bob).last()
    assert first is not None
    assert read_notices(bob, notice_id=first.pk) == 1
    assert read_notices(bob, notice_id=first.pk) == 0
    assert (n_unread(bob), n_unread(carol)) == (1, 1)
    with pytest.raises(Missing):
        read_notices(carol, notice_id=first.pk)


def test_what_came_after_the_page_was_shown_stays_unread(actors: Actors) -> None:
    bob = actors.membership(actors.bob)
    notify([bob.pk], NoticeKind.GUIDELINE, version=2)
    shown = Notice.objects.get(member=bob).pk
    notify([bob.pk], NoticeKind.RESUMED)
    assert read_notices(bob, until=shown) == 1
    assert [notice.kind for notice in notices_of(bob, unread=True)] == ["resumed"]
    assert read_notices(bob) == 1
    assert n_unread(bob) == 0


def test_the_newest_two_hundred_are_kept_for_each(actors: Actors) -> None:
    bob, carol = actors.membership(actors.bob), actors.membership(actors.carol)
    notify([carol.pk], NoticeKind.GUIDELINE, version=1)
    Notice.objects.bulk_create(
        Notice(member=bob, kind=NoticeKind.GUIDELINE, data={"version": n}) for n in range(KEPT)
    )
    notify([bob.pk, carol.pk], NoticeKind.GUIDELINE, version=KEPT)
    kept = [notice.data["version"] for notice in notices_of(bob)]
    assert kept == list(range(KEPT, 0, -1))
    assert (n_unread(bob), n_unread(carol)) == (KEPT, 2)


def test_other_people_have_their_names_for_leads_only(actors: Actors) -> None:
    bob, dave = actors.membership(actors.bob), actors.membership(actors.dave)
    alice = actors.membership(actors.alice)
    notify([alice.pk, dave.pk], NoticeKind.VOIDED, member=bob.pk, name="bob", answers=3, resolutions=1)
    assert told_to(alice, notices_of(alice)[0])["name"] == "bob"
    assert "name" not in told_to(dave, notices_of(dave)[0])
