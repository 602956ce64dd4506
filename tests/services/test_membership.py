"""Members: invited, changed, removed, and never above oneself."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from core.access import Action, Actor, get_membership
from core.choices import Role
from core.exceptions import Conflict, Invalid, Missing, NotAllowed
from core.models import (
    Event,
    Invitation,
    Membership,
    Relabel,
    RelabelPlace,
    TrainingItem,
    TrainingRound,
    User,
)
from core.services.account import create_user, deactivate
from core.services.lease import hand_out
from core.services.membership import (
    MemberChanges,
    accept_invitation,
    add_member,
    change_member,
    invite,
    remove_member,
    sign_up_by_invitation,
    withdraw_invitation,
)
from tests.conftest import Actors
from tests.factories import project as factory
from tests.factories.account import make_user
from tests.factories.answers import make_gold
from tests.factories.item import make_items

pytestmark = pytest.mark.django_db
STRONG = "three quiet herons"


def test_an_invitation_makes_one_member(actors: Actors) -> None:
    _invitation, secret = invite(actors.membership(actors.alice), role=Role.REVIEWER, note="for Frank")

    frank = sign_up_by_invitation(secret, username="frank", password=STRONG, display_name="Frank")

    member = actors.membership(frank)
    assert (member.name, member.role, member.active) == ("Frank", Role.REVIEWER, True)
    with pytest.raises(Missing):
        sign_up_by_invitation(secret, username="mallory", password=STRONG)
    assert not User.objects.filter(username="mallory").exists()


def test_a_refused_name_leaves_the_invitation_usable(actors: Actors) -> None:
    _invitation, secret = invite(actors.membership(actors.alice), role=Role.ANNOTATOR)

    with pytest.raises(Invalid):
        sign_up_by_invitation(secret, username="bob", password=STRONG)

    sign_up_by_invitation(secret, username="bob2", password=STRONG)


def test_an_invitation_expires_and_can_be_withdrawn(actors: Actors) -> None:
    alice = actors.membership(actors.alice)
    _expired, late = invite(alice, role=Role.ANNOTATOR)
    Invitation.objects.update(expires_at=Now() - timedelta(seconds=1))
    withdrawn, gone = invite(alice, role=Role.ANNOTATOR)
    withdraw_invitation(alice, withdrawn.pk)

    for secret in (late, gone, "invented"):
        with pytest.raises(Missing):
            accept_invitation(secret, actors.eve)
    with pytest.raises(Missing):
        withdraw_invitation(alice, withdrawn.pk)


def test_somebody_with_an_account_joins_with_it(actors: Actors) -> None:
    _invitation, secret = invite(actors.membership(actors.alice), role=Role.ANNOTATOR)

    accept_invitation(secret, actors.eve)

    assert actors.membership(actors.eve).role == Role.ANNOTATOR


def test_a_member_does_not_use_up_an_invitation_for_others(actors: Actors) -> None:
    _invitation, secret = invite(actors.membership(actors.alice), role=Role.OWNER)

    with pytest.raises(Conflict) as refusal:
        accept_invitation(secret, actors.bob)

    assert refusal.value.code == "already-member"
    assert actors.membership(actors.bob).role == Role.ANNOTATOR
    accept_invitation(secret, actors.eve)


def test_names_within_a_project_stay_apart(actors: Actors) -> None:
    factory.add_member(actors.project, None, name="Frank")
    _invitation, secret = invite(actors.membership(actors.alice), role=Role.ANNOTATOR)

    frank = sign_up_by_invitation(secret, username="frank", password=STRONG, display_name="Frank")

    assert actors.membership(frank).name == "Frank (2)"


def test_nobody_grants_a_role_above_their_own(actors: Actors) -> None:
    lead = factory.add_member(actors.project, make_user("frank"), Role.LEAD)

    for refused in (
        lambda: invite(lead, role=Role.OWNER),
        lambda: change_member(lead, actors.membership(actors.bob).pk, MemberChanges(role=Role.OWNER)),
        lambda: change_member(lead, lead.pk, MemberChanges(role=Role.OWNER)),
        lambda: change_member(lead, actors.membership(actors.alice).pk, MemberChanges(role=Role.ANNOTATOR)),
        lambda: remove_member(lead, actors.membership(actors.alice).pk),
        lambda: add_member(lead, username="bob", role=Role.OWNER),
    ):
        with pytest.raises(NotAllowed) as refusal:
            refused()
        assert refusal.value.code == "role-above-own"
    change_member(lead, actors.membership(actors.bob).pk, MemberChanges(role=Role.LEAD))
    assert actors.membership(actors.bob).role == Role.LEAD


def test_a_role_that_was_lost_since_the_request_came_in_does_not_count(actors: Actors) -> None:
    lead = factory.add_member(actors.project, make_user("frank"), Role.LEAD)
    Membership.objects.filter(pk=lead.pk).update(role=Role.ANNOTATOR)

    with pytest.raises(NotAllowed):
        invite(lead, role=Role.LEAD)


def test_the_last_owner_stays(actors: Actors) -> None:
    alice = actors.membership(actors.alice)
    for refused in (
        lambda: remove_member(alice, alice.pk),
        lambda: change_member(alice, alice.pk, MemberChanges(role=Role.LEAD)),
    ):
        with pytest.raises(Conflict) as refusal:
            refused()
        assert refusal.value.code == "last-owner"

    second = factory.add_member(actors.project, make_user("frank"), Role.OWNER)
    remove_member(alice, alice.pk)
    with pytest.raises(Conflict):
        remove_member(second, second.pk)


def test_an_owner_who_cannot_sign_in_is_not_one(actors: Actors) -> None:
    alice = actors.membership(actors.alice)
    frank = create_user("frank", password=STRONG)
    factory.add_member(actors.project, frank, Role.OWNER)
    deactivate(frank)

    with pytest.raises(Conflict):
        remove_member(alice, alice.pk)


def test_a_removed_member_sees_nothing_and_holds_nothing(actors: Actors) -> None:
    make_items(actors.project, 3)
    bob = actors.membership(actors.bob)
    hand_out(bob, 2)

    assert remove_member(actors.membership(actors.alice), bob.pk) == 2

    with pytest.raises(Missing):
        get_membership(Actor(actors.bob), "birds", Action.PROJECT_READ)
    assert sorted(actors.project.items.values_list("free", "leased")) == [(1, 0), (1, 0), (1, 0)]
    assert Event.objects.get(verb="member.removed").thing == "bob"
    with pytest.raises(Missing):
        remove_member(actors.membership(actors.alice), bob.pk)


def test_a_deactivated_person_holds_nothing(actors: Actors) -> None:
    make_items(actors.project, 1)
    hand_out(actors.membership(actors.bob), 1)

    deactivate(actors.bob)

    assert list(actors.project.items.values_list("free", "leased")) == [(1, 0)]


def test_somebody_who_comes_back_keeps_their_name_and_answers(actors: Actors) -> None:
    alice, bob = actors.membership(actors.alice), actors.membership(actors.bob)
    Membership.objects.filter(pk=bob.pk).update(answered=7)
    remove_member(alice, bob.pk)
    _invitation, secret = invite(alice, role=Role.REVIEWER)

    again = accept_invitation(secret, actors.bob)

    assert (again.pk, again.role, again.active, again.answered) == (bob.pk, Role.REVIEWER, True, 7)


def test_a_cap_is_set_and_taken_away(actors: Actors) -> None:
    alice, bob = actors.membership(actors.alice), actors.membership(actors.bob)

    assert change_member(alice, bob.pk, MemberChanges(cap=5)).cap == 5
    assert change_member(alice, bob.pk, MemberChanges(role=Role.REVIEWER)).cap == 5
    assert change_member(alice, bob.pk, MemberChanges(uncap=True)).cap is None
    with pytest.raises(Invalid):
        change_member(alice, bob.pk, MemberChanges(cap=-1))
    data = Event.objects.filter(verb="member.changed").order_by("pk").values_list("data", flat=True)
    assert data[0] == {"before": {"role": "annotator", "cap": None}, "after": {"role": "annotator", "cap": 5}}


def test_members_of_another_project_are_out_of_reach(actors: Actors) -> None:
    eve = Membership.objects.get(user=actors.eve)

    with pytest.raises(Missing):
        change_member(eve, actors.membership(actors.bob).pk, MemberChanges(role=Role.LEAD))
    with pytest.raises(Missing):
        remove_member(eve, actors.membership(actors.bob).pk)


def test_colleagues_can_be_added_and_strangers_not_even_looked_up(actors: Actors) -> None:
    trees = factory.make_project("trees", owner=actors.alice)
    alice = Membership.objects.get(project=trees, user=actors.alice)

    assert add_member(alice, username="BOB", role=Role.ANNOTATOR).user == actors.bob
    details = set()
    for name in ("eve", "nobody"):
        with pytest.raises(Invalid) as refusal:
            add_member(alice, username=name, role=Role.ANNOTATOR)
        details.add((refusal.value.code, refusal.value.detail))
    assert len(details) == 1


def test_annotators_who_join_begin_with_the_training_round_in_force(actors: Actors) -> None:
    training = TrainingRound.objects.create(
        project=actors.project, name="first", pass_mark="0.8", active=True
    )
    (item,) = make_items(actors.project, 1)
    TrainingItem.objects.create(training_round=training, item=item, order=1)
    make_gold(item, "answer", "yes")
    _invitation, secret = invite(actors.membership(actors.alice), role=Role.ANNOTATOR, note="for Frank")
    _invitation, other = invite(actors.membership(actors.alice), role=Role.REVIEWER, note="for Gina")

    frank = sign_up_by_invitation(secret, username="frank", password=STRONG, display_name="Frank")
    gina = sign_up_by_invitation(other, username="gina", password=STRONG, display_name="Gina")

    assert actors.membership(frank).training_round == training
    assert actors.membership(gina).training_round is None


def test_what_waited_for_somebody_who_left_waits_no_more(actors: Actors) -> None:
    alice, bob = actors.membership(actors.alice), actors.membership(actors.bob)
    (item,) = make_items(actors.project, 1)
    relabel = Relabel.objects.create(project=actors.project, reason="a new rule")
    place = RelabelPlace.objects.create(relabel=relabel, item=item, item_version=1, annotator=bob)
    Membership.objects.filter(pk=bob.pk).update(waiting=1)

    remove_member(alice, bob.pk)

    bob.refresh_from_db()
    place.refresh_from_db()
    assert (bob.waiting, place.dropped) == (0, True)
