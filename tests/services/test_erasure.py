"""Forgetting who somebody was: the name is nowhere, what they answered is as it was, and so is every figure."""

import json
from typing import Any

import pytest
from django.apps import apps
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from core.choices import NoticeKind, Role
from core.exceptions import Conflict, Invalid, NotAllowed
from core.models import (
    Annotation,
    Answer,
    Draft,
    Event,
    Flag,
    GuidelineVersion,
    Inquiry,
    Invitation,
    Item,
    Membership,
    Notice,
    Project,
    Review,
    SignInLink,
    User,
)
from core.pipelines.agreement import agreement_report
from core.selectors.audit import actor_name
from core.selectors.check_data import findings
from core.selectors.erasure import count_erasure
from core.services.account import make_reset_link
from core.services.adjudication import refer
from core.services.audit import record
from core.services.erasure import erase_person
from core.services.guideline import publish_guideline
from core.services.inquiry import answer_inquiry, ask, revision_of
from core.services.item import assign_batch, withdraw_item
from core.services.lease import hand_out
from core.services.notice import notify
from core.services.progress import recount
from core.services.void import undo_void, void_annotations
from tests.conftest import Actors
from tests.factories.account import make_token, make_user
from tests.factories.answers import make_answer
from tests.factories.item import make_items
from tests.factories.project import add_member, make_project
from tests.factories.queue import answer, fresh

pytestmark = pytest.mark.django_db
NAME = "Robert Zwetschge"
SIGN_IN = "zwetschge"


@pytest.fixture
def robert(actors: Actors) -> Membership:
    """Who has answered, commented, flagged, kept a draft, come by invitation, has tokens and links, holds an item."""
    user = make_user(SIGN_IN, display_name=NAME)
    robert = add_member(actors.project, user, name=NAME)
    items = make_items(actors.project, 4, target=2)
    for item in items[:2]:
        make_answer(robert, item, {"answer": "yes"}, comment=f"{NAME} was here", extra={"mail": "rob@x"})
        make_answer(actors.membership(actors.bob), item, {"answer": "no"})
        type(item).objects.filter(pk=item.pk).update(done=2, free=0)
    Membership.objects.filter(project=actors.project, user__in=[user, actors.bob]).update(answered=2)
    recount(actors.project.pk)
    Flag.objects.create(item=items[0], annotator=robert, note=NAME, idempotency_key="f")
    type(items[0]).objects.filter(pk=items[0].pk).update(flags=1)
    Draft.objects.create(
        annotator=robert,
        item=items[0],
        item_version=1,
        lease_id="0" * 32,
        idempotency_key="k",
        answers={},
        because="lease-gone",
        comment=NAME,
    )
    Invitation.objects.create(
        project=actors.project, used_by=user, note=NAME, digest="d", expires_at="2099-01-01T00:00Z"
    )
    alice = actors.membership(actors.alice)
    record(alice.user, actors.project, "member.joined", NAME)
    make_reset_link(alice, robert)
    make_token(user, project=actors.project)
    notify([alice.pk], NoticeKind.PAUSED, name=NAME, member=robert.pk)
    assign_batch(alice, items[0].batch.number, [robert.pk])
    hand_out(fresh(robert), 1)
    return fresh(robert)


@pytest.fixture
def alice(actors: Actors) -> Membership:
    return actors.membership(actors.alice)


def everything() -> str:
    """All that the tables hold, as one text."""
    rows: list[Any] = []
    for model in apps.get_models(include_auto_created=True):
        if issubclass(model, models.Model):
            rows += list(model._default_manager.values())
    return json.dumps(rows, cls=Encoder).casefold()


class Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        return repr(o) if isinstance(o, bytes | memoryview) else super().default(o)


def raw() -> list[Any]:
    """Every answer, byte for byte."""
    return list(Answer.objects.order_by("pk").values_list())


def figures(project: Project) -> Any:
    """The agreement report but for the moment and for what people are called."""
    return {key: value for key, value in agreement_report(project, "answer").items() if key != "as_of"}


def test_the_name_is_nowhere_and_all_that_was_answered_is_as_it_was(
    alice: Membership, robert: Membership
) -> None:
    answers, report = raw(), figures(alice.project)

    erased, counts = erase_person(alice, robert.pk, NAME)

    held = everything()
    assert NAME.casefold() not in held
    assert SIGN_IN not in held
    assert "rob@x" not in held
    assert raw() == answers
    assert figures(alice.project) == report
    assert erased.name.startswith("person ")
    assert (counts.answers, counts.texts, counts.drafts, counts.held, counts.account) == (2, 3, 1, 1, True)
    assert list(findings()) == []


def test_nothing_of_theirs_works_any_more(alice: Membership, robert: Membership) -> None:
    user = robert.user
    assert user is not None

    erase_person(alice, robert.pk, NAME)

    user.refresh_from_db()
    assert not user.is_active
    assert not user.has_usable_password()
    assert not user.tokens.exists()
    assert not SignInLink.objects.filter(user=user).exists()
    member = Membership.objects.get(pk=robert.pk)
    assert (member.user, member.active, member.held, member.has_batches) == (None, False, 0, False)
    assert member.erased_at is not None


def test_the_log_keeps_every_line_and_says_the_pseudonym(
    actors: Actors, alice: Membership, robert: Membership
) -> None:
    withdrawn = make_items(actors.project, 1)[0]
    Membership.objects.filter(pk=robert.pk).update(role=Role.LEAD)
    withdraw_item(fresh(robert), withdrawn.pk)
    before = list(Event.objects.order_by("pk").values_list("pk", "verb", "data", "created_at"))

    erased, counts = erase_person(alice, robert.pk, NAME)

    after = (
        Event.objects.order_by("pk")
        .exclude(verb="member.erased")
        .values_list("pk", "verb", "data", "created_at")
    )
    assert list(after)[: len(before)] == before
    assert counts.lines == 2
    lines = Event.objects.filter(verb__in=["member.joined", "account.reset_link"])
    assert set(lines.values_list("thing", flat=True)) == {erased.name}
    assert actor_name(Event.objects.get(verb="item.withdrawn")) == erased.name


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_a_lead_wrote_to_others_is_emptied_and_counted(
    actors: Actors, alice: Membership, robert: Membership, *, elsewhere: bool
) -> None:
    Membership.objects.filter(pk=robert.pk).update(role=Role.LEAD)
    if elsewhere:
        add_member(make_project("trees", owner=actors.alice), robert.user, name=NAME)
    item = Item.objects.filter(project=actors.project).earliest("pk")
    asked = ask(actors.membership(actors.carol), item, "A nest?", "q")
    answer_inquiry(fresh(robert), asked.inquiry.pk, f"Yes. {NAME}", revision_of(asked.inquiry))
    refer(fresh(robert), item.pk, "answer", [actors.membership(actors.dave).pk], f"Look, Dave! {NAME}")
    publish_guideline(fresh(robert), "Nests too.", note=f"As {NAME} said.")
    before = count_erasure(alice, robert).texts

    erase_person(alice, robert.pk, NAME)

    assert before == 5
    assert (Inquiry.objects.get().answer, Inquiry.objects.get().text) == ("", "A nest?")
    assert Review.objects.get().note == ""
    assert count_erasure(alice, robert).texts == 0
    assert GuidelineVersion.objects.latest("pk").note == f"As {NAME} said."  # a record of why
    told = json.dumps(list(Notice.objects.values_list("data", flat=True)))
    assert NAME not in told


def test_who_is_in_another_project_keeps_the_account(
    actors: Actors, alice: Membership, robert: Membership
) -> None:
    user = robert.user
    assert user is not None
    elsewhere = add_member(make_project("trees", owner=actors.alice), user, name=NAME)
    Membership.objects.filter(pk=robert.pk).update(role=Role.LEAD)
    withdraw_item(fresh(robert), make_items(actors.project, 1)[0].pk)

    erased, counts = erase_person(alice, robert.pk, NAME)

    assert not counts.account
    user.refresh_from_db()
    assert (user.username, user.is_active) == (SIGN_IN, True)
    assert Membership.objects.get(pk=elsewhere.pk).name == NAME
    line = Event.objects.select_related("actor").get(verb="item.withdrawn")
    assert actor_name(line) == erased.name
    assert not Event.objects.filter(project=actors.project, actor=user).exists()
    assert not Invitation.objects.filter(project=actors.project, used_by=user).exists()


def test_an_imported_annotator_has_a_name_to_lose_only(actors: Actors, alice: Membership) -> None:
    imported = add_member(actors.project, None, name="Worker 17")
    n_accounts = User.objects.count()

    erased, counts = erase_person(alice, imported.pk, "Worker 17")

    assert Membership.objects.get(pk=imported.pk).name == erased.name != "Worker 17"
    assert not counts.account
    assert User.objects.count() == n_accounts


def test_work_of_the_forgotten_can_be_taken_out_and_put_back(alice: Membership, robert: Membership) -> None:
    erase_person(alice, robert.pk, NAME)

    void, counts = void_annotations(alice, robert.pk, "in haste")

    assert counts.annotations == 2
    assert list(findings()) == []
    undo_void(alice, void.pk)
    assert list(findings()) == []
    assert not Notice.objects.filter(member=robert).exists()


def test_others_go_on(actors: Actors, alice: Membership, robert: Membership) -> None:
    erase_person(alice, robert.pk, NAME)

    carol = actors.membership(actors.carol)
    answer(carol, hand_out(carol, 1).leases[0])

    assert Annotation.objects.filter(annotator=carol).count() == 1
    assert list(findings()) == []


def test_the_name_must_be_typed_and_it_is_done_once(alice: Membership, robert: Membership) -> None:
    with pytest.raises(Invalid, match="not their name"):
        erase_person(alice, robert.pk, "Robert")
    assert Membership.objects.get(pk=robert.pk).name == NAME
    erased, _counts = erase_person(alice, robert.pk, NAME)
    with pytest.raises(Conflict, match="not known any more"):
        erase_person(alice, robert.pk, erased.name)


def test_nobody_above_and_not_the_last_owner(actors: Actors, alice: Membership, robert: Membership) -> None:
    Membership.objects.filter(pk=robert.pk).update(role=Role.LEAD)
    with pytest.raises(NotAllowed):
        erase_person(fresh(robert), alice.pk, alice.name)
    with pytest.raises(Conflict, match="at least one owner"):
        erase_person(alice, alice.pk, alice.name)


def test_it_is_told_beforehand_in_numbers(alice: Membership, robert: Membership) -> None:
    told = count_erasure(alice, robert)

    _erased, counts = erase_person(alice, robert.pk, NAME)

    assert told == counts
