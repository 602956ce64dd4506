"""One's tokens."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, Actor, get_membership
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.serializers import token as shapes
from core.choices import Scope
from core.exceptions import NotAllowed
from core.selectors.account import tokens_of
from core.services.token import create_token, revoke_token


class Tokens(APIView):
    """The caller's tokens."""

    @extend_schema(parameters=PAGES, responses=shapes.TokenPage, operation_id="list_tokens")
    def get(self, request: Request) -> Response:
        """The caller's tokens, the newest first, without their secrets."""
        allowed_parameters(request, (), paged=True)
        page, following = paginate(request, tokens_of(_manager(request).user), descending=True)
        return Response({"results": [shapes.token_out(token) for token in page], "next": following})

    @extend_schema(request=shapes.TokenIn, responses={201: shapes.NewToken}, operation_id="create_token")
    def post(self, request: Request) -> Response:
        """A token; its secret is told in this answer only.

        Only a signed-in browser may make one: a token that makes tokens would outlive its own end.
        """
        actor = request_actor(request)
        if actor.token:
            raise NotAllowed(
                "A token cannot make tokens. Sign in, or use manage.py token.", code="session-only"
            )
        body = shapes.TokenIn(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        project = (
            get_membership(actor, given["project"], Action.PROJECT_READ).project if given["project"] else None
        )
        token, secret = create_token(
            actor.user, name=given["name"], scopes=given["scopes"], days=given["days"], project=project
        )
        told = {**shapes.token_out(token), "token": secret}
        return Response(told, status=201, headers={"Cache-Control": "no-store"})


class OneToken(APIView):
    """One of the caller's tokens."""

    @extend_schema(responses={204: None}, operation_id="revoke_token")
    def delete(self, request: Request, token_id: int) -> Response:
        """End it at once. Every token may end itself; other ones take a browser or the scope ``lead``."""
        actor = request_actor(request)
        if actor.token is None or actor.token.pk != token_id:
            actor = _manager(request)
        revoke_token(actor.user, token_id)
        return Response(status=204)


def _manager(request: Request) -> Actor:
    """The actor, if it may see and end the user's other tokens."""
    actor = request_actor(request)
    if actor.token and (Scope.LEAD not in actor.token.scopes or actor.token.project_id):
        raise NotAllowed("This token's scopes do not allow this.", code="scope")
    return actor
