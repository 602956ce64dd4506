"""Training rounds of new annotators."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership, get_membership_by_project
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.parsers import body_of
from core.api.serializers import training_round as shapes
from core.exceptions import Invalid, PreconditionRequired
from core.models import Membership, TrainingRound
from core.selectors.question import schema_of
from core.selectors.training_round import (
    MOST_ITEMS,
    counts_by_round,
    find_training_round,
    items_of_round,
    people_in,
    round_items_drawn,
    training_rounds_of,
    version_of,
)
from core.services.training_round import RoundChanges, change_round, create_round

NEW_FIELDS = frozenset(shapes.TrainingRoundRequest().fields)
FIELDS = frozenset(shapes.TrainingRoundChanges().fields)
PEOPLE_FIELDS = frozenset({"send", "excuse"})
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The ETag of the round as it was read. Not needed where only people are sent or excused.",
)


class TrainingRounds(APIView):
    """A project's training rounds."""

    @extend_schema(parameters=PAGES, responses=shapes.TrainingRoundList, operation_id="list_training_rounds")
    def get(self, request: Request, slug: str) -> Response:
        """All rounds, newest first."""
        allowed_parameters(request, (), paged=True)
        member = get_membership(request_actor(request), slug, Action.GOLD_READ)
        page, following = paginate(request, training_rounds_of(member.project_id), descending=True)
        counts = counts_by_round(page)
        told = [shapes.round_out(one, one.n_items, counts[one.pk]) for one in page]  # type: ignore[attr-defined]  # annotated
        return Response({"next": following, "results": told})

    @extend_schema(
        request=shapes.TrainingRoundRequest,
        responses={201: shapes.OneTrainingRoundOut},
        operation_id="create_training_round",
        examples=[
            OpenApiExample("These items", shapes.REQUEST_EXAMPLE, request_only=True),
            OpenApiExample("Drawn items", shapes.DRAWN_EXAMPLE, request_only=True),
        ],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Make a round of open items with gold. It is off unless the body says otherwise."""
        member = get_membership(request_actor(request), slug, Action.GOLD_EDIT)
        body = body_of(request)
        _known(body, NEW_FIELDS)
        if ("items" in body) == ("draw" in body):
            raise _wrong("items", "Send items, or draw them.")
        items = _items(body["items"]) if "items" in body else _drawn(member, body["draw"])
        return _answer(create_round(member, _changes(body, items)), status=201)


class OneTrainingRound(APIView):
    """One training round."""

    @extend_schema(responses=shapes.OneTrainingRoundOut, operation_id="read_training_round")
    def get(self, request: Request, round_id: int) -> Response:
        """Its items, and how far people are. The ETag is what a change must send back."""
        allowed_parameters(request, ())
        training = find_training_round(round_id)
        get_membership_by_project(request_actor(request), training.project_id, Action.GOLD_READ)
        return _answer(training)

    @extend_schema(
        request=shapes.TrainingRoundChanges,
        parameters=[IF_MATCH],
        responses=shapes.OneTrainingRoundOut,
        operation_id="edit_training_round",
    )
    def patch(self, request: Request, round_id: int) -> Response:
        """Change a round, send people through it, or let them label without it."""
        training = find_training_round(round_id)
        member = get_membership_by_project(request_actor(request), training.project_id, Action.GOLD_EDIT)
        body = body_of(request)
        _known(body, FIELDS)
        wanted, version = None, ""
        if set(body) - PEOPLE_FIELDS or not body:
            items = _items(body["items"]) if "items" in body else None
            wanted, version = _changes(body, items), _version(request)
        people = {name: _ids(body, name) for name in PEOPLE_FIELDS & set(body)}
        training = change_round(member, training.pk, wanted, version, **people)
        return _answer(training)


def _answer(training: TrainingRound, status: int = 200) -> Response:
    items = items_of_round(training)
    counts = counts_by_round([training])[training.pk]
    told = {
        **shapes.round_out(training, len(items), counts),
        "items": [shapes.round_item_out(one) for one in items],
        "people": [shapes.person_out(one) for one in people_in(training)],
    }
    return Response(told, status=status, headers={"ETag": f'"{version_of(training)}"'})


def _version(request: Request) -> str:
    header = request.headers.get("If-Match")
    if header is None:
        raise PreconditionRequired("Send If-Match with the ETag that you read, so that no edit is lost.")
    return header.strip().removeprefix("W/").strip('"')


def _changes(body: dict[str, Any], items: list[tuple[str, str]] | None) -> RoundChanges:
    return RoundChanges(body.get("name"), body.get("pass_mark"), body.get("tries"), body.get("active"), items)


def _drawn(member: Membership, draw: Any) -> list[tuple[str, str]]:
    if not isinstance(draw, dict) or set(draw) != {"question", "per_class"}:
        raise _wrong("draw", 'draw is {"question": key, "per_class": number}.')
    key, n = draw["question"], draw["per_class"]
    question = schema_of(member.project).question(key) if isinstance(key, str) else None
    if question is None:
        raise _wrong("draw", f"There is no question {str(key)[:60]!r} here.")
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MOST_ITEMS:
        raise _wrong("draw", f"per_class is a whole number from 1 to {MOST_ITEMS}.")
    return [(item.external_id, "") for item in round_items_drawn(member.project, question, n)]


def _items(documents: Any) -> list[tuple[str, str]]:
    if not isinstance(documents, list):
        raise _wrong("items", "items is a list.")
    found = []
    for place, one in enumerate(documents):
        item = one.get("item") if isinstance(one, dict) else None
        why = one.get("explanation", "") if isinstance(one, dict) else None
        if not isinstance(item, str) or not isinstance(why, str) or set(one) - {"item", "explanation"}:
            raise _wrong(f"items/{place}", 'An item is {"item": id, "explanation": text}.')
        found.append((item, why))
    return found


def _ids(body: dict[str, Any], name: str) -> list[int]:
    value = body[name]
    if not isinstance(value, list) or not all(
        isinstance(one, int) and not isinstance(one, bool) and 0 <= one < 2**63 for one in value
    ):
        raise _wrong(name, f"{name} lists ids of members.")
    return value


def _known(body: dict[str, Any], fields: frozenset[str]) -> None:
    unknown = set(body) - fields
    if unknown:
        raise Invalid("unknown-field", f"There is no field {min(unknown)[:60]!r} here.")


def _wrong(name: str, detail: str) -> Invalid:
    row = {"pointer": f"/{name}", "code": f"bad-{name.partition('/')[0]}", "detail": detail}
    return Invalid(row["code"], detail, errors=[row])
