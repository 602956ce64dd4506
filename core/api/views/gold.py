"""Gold: what is known to be true, and how far people are right on it."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.parsers import body_of
from core.api.serializers import gold as shapes
from core.exceptions import Invalid, Missing, Stale
from core.models import Gold, Membership
from core.pipelines.gold import gold_people
from core.selectors.gold import (
    candidates_of,
    doubtful_gold,
    gold_by_question,
    gold_of_project,
    gold_on,
    gold_shown,
    supply_of,
)
from core.selectors.item import item_named
from core.selectors.question import schema_of
from core.services.gold import confirm_gold, remove_gold, set_gold

FIELDS = frozenset(shapes.GoldRequest().fields)
MOST_TOLD = 100
LARGEST_ID = 2**63 - 1


class GoldItems(APIView):
    """A project's gold."""

    @extend_schema(parameters=PAGES, responses=shapes.GoldList, operation_id="list_gold")
    def get(self, request: Request, slug: str) -> Response:
        """All gold in the order of its making; with the first page a summary, candidates and gold that looks wrong."""
        found = allowed_parameters(request, (), paged=True)
        member = get_membership(request_actor(request), slug, Action.GOLD_READ)
        page, following = paginate(request, gold_of_project(member.project))
        values = gold_shown(member.project, page)
        told = {
            "next": following,
            "results": [shapes.gold_out(one, values.get(one.pk)) for one in page],
            "summary": None if "cursor" in found else _summary(member),
        }
        return Response(told)

    @extend_schema(
        request=shapes.GoldRequest,
        responses={200: shapes.GoldMade, 201: shapes.GoldMade},
        operation_id="make_gold",
        examples=[
            OpenApiExample("A resolution is confirmed", {"resolution": 12}, request_only=True),
            OpenApiExample(
                "Known from elsewhere",
                {"item": "q-17", "question": "answer", "value": "yes"},
                request_only=True,
            ),
            OpenApiExample(
                "Taken away", {"item": "q-17", "question": "answer", "value": None}, request_only=True
            ),
        ],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Make gold of a resolution or of a value, one item at a time; a value of null takes gold away (200).

        Gold that is there already is replaced only where `replaces` names it.
        """
        member = get_membership(request_actor(request), slug, Action.GOLD_EDIT)
        body = body_of(request)
        unknown = set(body) - FIELDS
        if unknown:
            raise Invalid("unknown-field", f"There is no field {min(unknown)[:60]!r} here.")
        replaces = _number(body, "replaces") if body.get("replaces") is not None else None
        if "resolution" in body:
            if {"item", "question", "value"} & set(body):
                raise _wrong("resolution", "Send a resolution, or an item with its question and value.")
            made = confirm_gold(member, _number(body, "resolution"), replaces=replaces)
            return Response(_made(member, made), status=201)
        item, question = _text(body, "item"), _text(body, "question")
        if "value" not in body:
            raise _wrong("value", "value says what is true; null takes gold away.")
        if body["value"] is not None:
            found = item_named(member.project_id, item)
            made = set_gold(member, found.pk, question, body["value"], replaces=replaces)
            return Response(_made(member, made), status=201)
        present = _present(member, item, question)
        if replaces not in {None, present.pk}:
            raise Stale("stale", "The gold of this item is another since you read it.", gold=present.pk)
        remove_gold(member, present.pk)
        return Response({"gold": None})


class GoldPeople(APIView):
    """People's accuracy on gold."""

    @extend_schema(responses=shapes.GoldPeopleOut, operation_id="list_people_on_gold")
    def get(self, request: Request, slug: str) -> Response:
        """Everybody by name, with an interval that holds however often one looks, and who is paused."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.GOLD_READ)
        bound = member.project.gold_bound
        return Response(
            {
                "bound": None if bound is None else float(bound),
                "results": [one.to_dict() for one in gold_people(member.project)],
            }
        )


def _summary(member: Membership) -> dict[str, Any]:
    project = member.project
    return shapes.summary_out(
        member,
        gold_by_question(project),
        supply_of(project),
        list(candidates_of(project)[:MOST_TOLD]),
        doubtful_gold(project)[:MOST_TOLD],
    )


def _made(member: Membership, gold: Gold) -> dict[str, Any]:
    value = gold_shown(member.project, [gold]).get(gold.pk)
    gold.refresh_from_db(fields=["created_at"])
    return {"gold": shapes.gold_out(gold, value)}


def _present(member: Membership, item: str, question: str) -> Gold:
    spec = schema_of(member.project).question(question)
    if spec is None:
        raise _wrong("question", f"There is no question {question[:60]!r} here.")
    present = gold_on(item_named(member.project_id, item), spec.id)
    if present is None:
        raise Missing("This item has no gold for this question.")
    return present


def _wrong(name: str, detail: str) -> Invalid:
    row = {"field": name, "pointer": f"/{name}", "code": f"bad-{name}", "detail": detail}
    return Invalid(row["code"], detail, errors=[row])


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise _wrong(name, f"{name} is a text.")
    return value


def _number(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_ID:
        raise _wrong(name, f"{name} is the id of one.")
    return value
