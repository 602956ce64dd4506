"""Tokens: shown once, stored as a digest, limited, revoked."""

import pytest

from core.choices import Scope
from core.exceptions import Conflict, Invalid, Missing
from core.models import Event, Membership, Token
from core.selectors.account import digest_of
from core.services import token as tokens
from core.services.token import create_token, revoke_token
from tests.conftest import Actors

pytestmark = pytest.mark.django_db


def test_a_token_is_shown_once_and_stored_as_a_digest(actors: Actors) -> None:
    token, secret = create_token(actors.bob, name="pull labels", scopes=[Scope.LABELS_READ], days=30)

    stored = Token.objects.values().get(pk=token.pk)
    assert stored["digest"] == digest_of(secret)
    assert stored["prefix"] == secret[:11]
    assert not any(secret in str(value) for value in stored.values())
    assert secret not in str(list(Event.objects.values()))


def test_a_token_ends_after_its_days(actors: Actors) -> None:
    token, _secret = create_token(actors.bob, name="pull", scopes=[Scope.LABELS_READ], days=30)
    token.refresh_from_db()

    assert round((token.expires_at - token.created_at).total_seconds() / 86400, 3) == 30


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"scopes": ["root"]}, "unknown-scope"),
        ({"scopes": []}, "unknown-scope"),
        ({"days": 0}, "bad-days"),
        ({"days": 367}, "bad-days"),
        ({"name": " "}, "bad-name"),
        ({"name": "a\nb\x00"}, "bad-name"),
    ],
)
def test_what_a_token_cannot_be(actors: Actors, changes: dict[str, object], code: str) -> None:
    asked = {"name": "pull", "scopes": [Scope.LABELS_READ], "days": 30, **changes}

    with pytest.raises(Invalid) as refusal:
        create_token(actors.bob, **asked)  # type: ignore[arg-type]

    assert refusal.value.code == code


def test_a_token_is_not_made_for_somebody_elses_project(actors: Actors) -> None:
    flowers = Membership.objects.get(user=actors.eve).project

    with pytest.raises(Missing):
        create_token(actors.bob, name="spy", scopes=[Scope.LABELS_READ], days=1, project=flowers)


def test_a_token_is_revoked_by_its_owner_only(actors: Actors) -> None:
    token, _secret = create_token(actors.bob, name="pull", scopes=[Scope.LABELS_READ], days=30)

    with pytest.raises(Missing):
        revoke_token(actors.eve, token.pk)
    first = revoke_token(actors.bob, token.pk).revoked_at

    assert first is not None
    assert revoke_token(actors.bob, token.pk).revoked_at == first
    assert Event.objects.filter(verb="token.revoked").count() == 1


def test_nobody_has_more_than_so_many_tokens(actors: Actors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST_TOKENS", 1)
    token, _secret = create_token(actors.bob, name="one", scopes=[Scope.ANNOTATE], days=1)

    with pytest.raises(Conflict):
        create_token(actors.bob, name="two", scopes=[Scope.ANNOTATE], days=1)
    revoke_token(actors.bob, token.pk)
    create_token(actors.bob, name="two", scopes=[Scope.ANNOTATE], days=1)
