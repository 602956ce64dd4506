"""Shapes of tokens."""

from typing import Any

from rest_framework import serializers

from core.choices import Scope
from core.models import Token
from core.services.token import LONGEST_DAYS, LONGEST_NAME


class TokenIn(serializers.Serializer[Any]):
    """What the token is for, what it may do, and for how long; ``project`` limits it to one (a slug)."""

    name = serializers.CharField(max_length=LONGEST_NAME)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices), min_length=1, max_length=len(Scope)
    )
    days = serializers.IntegerField(min_value=1, max_value=LONGEST_DAYS, default=30)
    project = serializers.SlugField(required=False, allow_null=True, default=None)


class TokenOut(serializers.Serializer[Any]):
    """A token without its secret."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    prefix = serializers.CharField()
    project = serializers.CharField(allow_null=True)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)


class TokenPage(serializers.Serializer[Any]):
    """One page of tokens."""

    results = TokenOut(many=True)
    next = serializers.URLField(allow_null=True)


class NewToken(TokenOut):
    """A new token with its secret, this once."""

    token = serializers.CharField()


def token_out(token: Token) -> dict[str, Any]:
    """A token as the API tells it."""
    return {
        "id": token.pk,
        "name": token.name,
        "prefix": token.prefix,
        "project": token.project.slug if token.project else None,
        "scopes": token.scopes,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
    }
