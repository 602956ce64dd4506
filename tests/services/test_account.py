"""Accounts: the first lead, passwords, recovery, leaving."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from core.choices import Role
from core.exceptions import Conflict, Invalid, Missing, NotAllowed
from core.models import Event, Membership, SignInLink, Token, User
from core.services.account import (
    change_password,
    create_user,
    deactivate,
    first_sign_in_link,
    make_reset_link,
    make_reset_link_as_operator,
    rename,
    use_reset_link,
    use_sign_in_link,
)
from tests.conftest import Actors
from tests.factories.account import PASSWORD, make_token, make_user
from tests.factories.project import add_member, make_project

pytestmark = pytest.mark.django_db
STRONG = "three quiet herons"


def secret_in(path: str | None) -> str:
    assert path is not None
    return path.rsplit("/", 1)[-1]


def test_a_fresh_installation_has_no_account_and_one_working_link() -> None:
    assert not User.objects.exists()
    first, second = first_sign_in_link(), first_sign_in_link()

    with pytest.raises(Missing):
        use_sign_in_link(secret_in(first), username="mallory", password=STRONG)
    alice = use_sign_in_link(secret_in(second), username="Alice", password=STRONG, display_name="Alice A.")

    assert (alice.username, str(alice), alice.may_create_projects) == ("alice", "Alice A.", True)
    assert first_sign_in_link() is None


def test_the_first_link_works_once_and_for_a_day() -> None:
    secret = secret_in(first_sign_in_link())
    SignInLink.objects.update(expires_at=Now() - timedelta(seconds=1))
    with pytest.raises(Missing):
        use_sign_in_link(secret, username="alice", password=STRONG)

    secret = secret_in(first_sign_in_link())
    use_sign_in_link(secret, username="alice", password=STRONG)
    with pytest.raises(Missing):
        use_sign_in_link(secret, username="mallory", password=STRONG)


def test_the_first_lead_owns_what_nobody_owns() -> None:
    demo = make_project("demo")
    add_member(demo, None, name="alice")

    alice = use_sign_in_link(secret_in(first_sign_in_link()), username="alice", password=STRONG)

    membership = Membership.objects.get(user=alice)
    assert (membership.project, membership.role, membership.name) == (demo, Role.OWNER, "alice (2)")


def test_only_digests_of_secrets_are_stored() -> None:
    secret = secret_in(first_sign_in_link())

    assert len(secret) >= 43
    stored = SignInLink.objects.get().digest
    assert secret not in stored
    assert len(stored) == 64


@pytest.mark.parametrize(
    ("username", "code"),
    [
        ("ALICE", "username-taken"),
        ("\uff21lice", "username-taken"),
        ("a b", "bad-username"),
        ("<b>", "bad-username"),
        ("", "bad-username"),
    ],
)
def test_names_are_taken_whatever_their_case(username: str, code: str, alice: User) -> None:
    with pytest.raises(Invalid) as refusal:
        create_user(username, password=STRONG)

    assert refusal.value.code == code
    assert [row["field"] for row in refusal.value.errors] == ["username"]


@pytest.mark.parametrize("password", ["short", "1234567890", "password123", "zoe.zoe.zoe", "x" * 1001])
def test_weak_passwords_are_refused(password: str, db: None) -> None:
    with pytest.raises(Invalid) as refusal:
        create_user("zoe.zoe.zoe", password=password)

    assert refusal.value.code == "weak-password"
    assert not User.objects.exists()


def test_a_name_holds_no_invisible_characters(alice: User) -> None:
    with pytest.raises(Invalid):
        rename(alice, "Al\u202eice")
    rename(alice, "  Alice   of  Troy ")

    assert User.objects.get(pk=alice.pk).display_name == "Alice of Troy"


def test_changing_the_password_revokes_all_tokens(bob: User) -> None:
    make_token(bob)
    make_token(bob)
    with pytest.raises(Invalid):
        change_password(bob, old="wrong", new=STRONG)
    assert Token.objects.filter(user=bob, revoked_at=None).count() == 2

    assert change_password(bob, old=PASSWORD, new=STRONG) == 2

    assert Token.objects.filter(user=bob, revoked_at=None).count() == 0
    assert User.objects.get(pk=bob.pk).check_password(STRONG)


def test_a_lead_makes_a_reset_link_that_works_once(actors: Actors) -> None:
    make_token(actors.bob)
    maker, member = actors.membership(actors.alice), actors.membership(actors.bob)
    earlier, secret = secret_in(make_reset_link(maker, member)), secret_in(make_reset_link(maker, member))

    with pytest.raises(Missing):
        use_reset_link(earlier, STRONG)
    with pytest.raises(Invalid):
        use_reset_link(secret, "weak")
    use_reset_link(secret, STRONG)

    assert User.objects.get(pk=actors.bob.pk).check_password(STRONG)
    assert Token.objects.filter(user=actors.bob, revoked_at=None).count() == 0
    with pytest.raises(Missing):
        use_reset_link(secret, STRONG)
    verbs = Event.objects.filter(verb__startswith="account.").values_list("verb", "actor__username", "thing")
    assert list(verbs.order_by("pk")) == [
        ("account.reset_link", "alice", "bob"),
        ("account.reset_link", "alice", "bob"),
        ("account.password_reset", "bob", "bob"),
    ]


def test_a_lead_resets_nobody_above_them(actors: Actors) -> None:
    frank = make_user("frank")
    lead = add_member(actors.project, frank, Role.LEAD)

    with pytest.raises(NotAllowed):
        make_reset_link(lead, actors.membership(actors.alice))


def test_a_reset_link_opens_no_project_that_is_closed_to_its_maker(actors: Actors) -> None:
    flowers = Membership.objects.get(user=actors.eve).project
    add_member(flowers, actors.bob)

    with pytest.raises(NotAllowed):
        make_reset_link(actors.membership(actors.alice), actors.membership(actors.bob))
    assert SignInLink.objects.count() == 0

    add_member(flowers, actors.alice, Role.LEAD)
    assert make_reset_link(actors.membership(actors.alice), actors.membership(actors.bob)).startswith(
        "/reset/"
    )


def test_a_lead_who_may_not_create_projects_resets_nobody_who_may(actors: Actors) -> None:
    frank = make_user("frank")
    lead = add_member(actors.project, frank, Role.LEAD)
    User.objects.filter(pk=actors.bob.pk).update(may_create_projects=True)

    with pytest.raises(NotAllowed):
        make_reset_link(lead, actors.membership(actors.bob))


def test_imported_annotators_have_no_password_to_reset(actors: Actors) -> None:
    imported = add_member(actors.project, None, name="w001")

    with pytest.raises(Conflict):
        make_reset_link(actors.membership(actors.alice), imported)


def test_a_deactivated_account_loses_tokens_and_links(actors: Actors) -> None:
    make_token(actors.bob)
    secret = secret_in(make_reset_link_as_operator(actors.bob))

    deactivate(actors.bob)

    assert Token.objects.filter(revoked_at=None).count() == 0
    with pytest.raises(Missing):
        use_reset_link(secret, STRONG)
