"""Items that are sent out again."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership, get_membership_by_project
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.parsers import body_of
from core.api.serializers import relabel as shapes
from core.choices import Doubt, RelabelFor, RelabelTo
from core.exceptions import Invalid
from core.models import Membership
from core.selectors.label import item_names
from core.selectors.membership import members_of
from core.selectors.relabel import (
    LEAST,
    MOST_ITEMS,
    Wanted,
    find_relabel,
    items_named,
    items_wanted,
    people_of_relabel,
    progress_of_relabels,
    relabel_of,
    relabels_of,
)
from core.services.relabel import Order, Sent, close_relabel, preview_send, send_again

FIELDS = frozenset(shapes.RelabelRequest().fields)
LARGEST = 2**31 - 1  # fits every column
LISTED_BY_SOURCE = frozenset(
    {RelabelFor.AGREEMENT, RelabelFor.GUIDELINE, RelabelFor.ERRORS, RelabelFor.UNCERTAIN}
)


class Relabels(APIView):
    """A project's relabel queues."""

    @extend_schema(parameters=PAGES, responses=shapes.RelabelList, operation_id="list_relabels")
    def get(self, request: Request, slug: str) -> Response:
        """All queues, newest first: how far each is, and how many labels it has changed."""
        allowed_parameters(request, (), paged=True)
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        page, following = paginate(request, relabels_of(member.project_id), descending=True)
        told = [shapes.relabel_out(one) for one in progress_of_relabels(member.project, page)]
        return Response({"next": following, "results": told})

    @extend_schema(
        request=shapes.RelabelRequest,
        responses={200: shapes.RelabelMade, 201: shapes.RelabelMade},
        operation_id="send_items_again",
    )
    def post(self, request: Request, slug: str) -> Response:
        """Ask one more person, the same or named people about a list of items, before all others. Earlier answers stay.

        200 where nothing could be sent, and for a dry run.
        """
        member = get_membership(request_actor(request), slug, Action.ITEMS_EDIT)
        body = body_of(request)
        unknown = set(body) - FIELDS
        if unknown:
            raise Invalid("unknown-field", f"There is no field {min(unknown)[:60]!r} here.")
        found = items_wanted(member, _wanted(member, body))
        order = _order(body)
        if not found.ids:
            return Response(_made(member, Sent(None, []), 0, found.left_out))
        if _flag(body, "dry_run", default=False):
            sent = preview_send(member, found.ids, order)
        else:
            sent = send_again(member, found.ids, body.get("reason", ""), drawn=found.drawn, order=order)
        drawn = len(found.drawn & set(sent.sent))
        return Response(_made(member, sent, drawn, found.left_out), status=201 if sent.relabel else 200)


class OneRelabel(APIView):
    """One relabel queue."""

    @extend_schema(responses=shapes.OneRelabelOut, operation_id="read_relabel")
    def get(self, request: Request, relabel_id: int) -> Response:
        """How far it is by items and by people, and what it changed."""
        allowed_parameters(request, ())
        relabel = find_relabel(relabel_id)
        member = get_membership_by_project(request_actor(request), relabel.project_id, Action.AGREEMENT_READ)
        (progress,) = progress_of_relabels(member.project, [relabel])
        people = shapes.people_out(people_of_relabel(member.project, relabel), member)
        return Response({**shapes.relabel_out(progress), "people": people})

    @extend_schema(responses=shapes.RelabelClosed, operation_id="close_relabel")
    def delete(self, request: Request, relabel_id: int) -> Response:
        """Close it: what is not at people just now is not asked for any more. The queue and every answer stay."""
        relabel = find_relabel(relabel_id)
        member = get_membership_by_project(request_actor(request), relabel.project_id, Action.ITEMS_EDIT)
        return Response({"dropped": close_relabel(member, relabel.pk)})


def _wanted(member: Membership, body: dict[str, Any]) -> Wanted:
    """Which items a body asks for: exactly one of ids, a filter, and a source that lists them itself."""
    source = RelabelFor(_chosen(body, "source", RelabelFor.values, RelabelFor.LIST))
    named, filters = body.get("items"), body.get("filter")
    if filters is not None and not (
        isinstance(filters, dict) and all(isinstance(value, str) for value in filters.values())
    ):
        raise _wrong("filter", "filter is an object of texts, as in the list of items.")
    if named is not None and filters is not None:
        raise _wrong("filter", "Send items or a filter, not both.")
    validation = _optional(body, "validation")
    if validation is not None and source != RelabelFor.DRIFT:
        raise _wrong("validation", "validation belongs to the source drift.")
    listed = source in LISTED_BY_SOURCE or validation is not None
    if filters is not None and listed:
        raise _wrong("filter", "A filter cannot be combined with a source that lists items itself.")
    ids = None
    if named is not None or (filters is None and not listed):
        ids = items_named(member.project, named)
    question = body.get("question")
    if question is not None and not isinstance(question, str):
        raise _wrong("question", "question is the key of a question.")
    return Wanted(
        ids=ids,
        source=source,
        filters=filters or {},
        question=question,
        least=_share(body, "least", LEAST),
        guideline=_optional(body, "guideline"),
        doubt=Doubt(_chosen(body, "doubt", Doubt.values, Doubt.CONFIDENCE)),
        validation=validation,
        most=_number(body, "most", MOST_ITEMS),
        drawn=_number(body, "drawn", 0),
    )


def _order(body: dict[str, Any]) -> Order:
    return Order(
        to=RelabelTo(_chosen(body, "to", RelabelTo.values, RelabelTo.OTHERS)),
        members=body.get("members", ()),
        blind=_flag(body, "blind", default=True),
        source=RelabelFor(body.get("source", RelabelFor.LIST)),
        guideline=_optional(body, "guideline"),
    )


def _wrong(name: str, detail: str) -> Invalid:
    row = {"pointer": f"/{name}", "code": f"bad-{name.replace('_', '-')}", "detail": detail}
    return Invalid(row["code"], detail, errors=[row])


def _chosen(body: dict[str, Any], name: str, values: list[str], default: str) -> str:
    value = body.get(name, default)
    if not isinstance(value, str) or value not in values:
        raise _wrong(name, f"{name} is one of {', '.join(values)}.")
    return value


def _flag(body: dict[str, Any], name: str, *, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise _wrong(name, f"{name} is true or false.")
    return value


def _number(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(name, f"{name} is a whole number.")
    return max(-1, min(value, LARGEST))


def _optional(body: dict[str, Any], name: str) -> int | None:
    return None if body.get(name) is None else _number(body, name, 0)


def _share(body: dict[str, Any], name: str, default: float) -> float:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(name, f"{name} is a number.")
    return float(value)


def _made(member: Membership, sent: Sent, drawn: int, left_out: int) -> dict[str, Any]:
    made = None
    if sent.relabel is not None:
        relabel = relabel_of(member.project_id, sent.relabel.pk)
        made = shapes.relabel_out(progress_of_relabels(member.project, [relabel])[0])
    names = item_names(list(sent.skipped))
    called = dict(
        members_of(member.project)
        .filter(pk__in=[*sent.people, *sent.unreachable])
        .prefetch_related(None)
        .values_list("pk", "name")
    )
    return {
        "relabel": made,
        "items": len(sent.sent),
        "drawn": drawn,
        "answers": sent.places,
        "left_out": left_out,
        "people": [{"id": pk, "name": called[pk], "items": n} for pk, n in sorted(sent.people.items())],
        "unreachable": [
            {"id": pk, "name": called[pk], "items": n} for pk, n in sorted(sent.unreachable.items())
        ],
        "skipped": [{"item": names[pk], "code": why.value} for pk, why in sent.skipped.items()],
    }
