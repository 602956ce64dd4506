"""Settling items: the queue, resolutions, reviews."""

from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import LEADS, Action, get_membership, get_membership_by_project
from core.api.authentication import request_actor
from core.api.etags import version_from
from core.api.pagination import PAGES, allowed_parameters, paginate, whole_number
from core.api.parsers import body_of
from core.api.serializers import adjudication as shapes
from core.choices import Cause
from core.exceptions import Conflict, Invalid, NotAllowed
from core.models import Membership, Resolution
from core.pipelines.adjudication import (
    STATES,
    Wanted,
    costly,
    patterns_in,
    question_asked,
    queue_of,
)
from core.selectors.adjudication import (
    Case,
    case_of,
    held_items,
    items_here,
    resolution_document,
    resolution_of,
    resolutions_of,
    review_document,
    review_of,
    reviews_of,
)
from core.selectors.item import item_named
from core.selectors.label import item_names
from core.selectors.relabel import items_named
from core.services.adjudication import answer_review, refer, settle, settle_many, take_back

IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description='The revision that was read, "0" where nobody has settled the item; not needed with `items`.',
)
FIELDS = frozenset(
    {"item", "items", "question", "value", "cause", "comment", "gold_candidate", "withdraw", "pattern"}
)
MOST_NEXT = 50
MOST_PATTERNS = 20
QUEUE = (
    OpenApiParameter("question", str, description="Its key; the first one without it."),
    OpenApiParameter("state", str, enum=STATES, default="open"),
    OpenApiParameter("a", str, description="Items to which somebody gave this class."),
    OpenApiParameter("b", str, description="And this one."),
    OpenApiParameter("cause", str, enum=Cause.values),
    OpenApiParameter("person", int, description="Items that this member has answered, by id; for leads."),
    OpenApiParameter("flagged", bool, description="Only items with a note that no lead has read."),
    OpenApiParameter("uncertain", bool, description="Only items of which somebody could not tell."),
    OpenApiParameter("pattern", str, description="Only items that were answered so; a key of `patterns`."),
)


class Adjudications(APIView):
    """What is settled."""

    @extend_schema(
        parameters=[
            OpenApiParameter("question", str),
            OpenApiParameter("cause", str, enum=Cause.values),
            OpenApiParameter("item", str, description="Every revision for this item, taken back ones too."),
            OpenApiParameter("overtaken", bool, description="Answered anew since."),
            OpenApiParameter("gold_candidate", bool),
            *PAGES,
        ],
        responses=shapes.ResolutionList,
        operation_id="list_adjudications",
    )
    def get(self, request: Request, slug: str) -> Response:
        """What is settled now, newest first; nothing of items that the caller has in hand."""
        names = ("question", "cause", "item", "overtaken", "gold_candidate")
        found = allowed_parameters(request, names, paged=True)
        member = get_membership(request_actor(request), slug, Action.AGREEMENT_READ)
        rows = resolutions_of(member.project)
        if "item" in found:
            item = item_named(member.project_id, found["item"])
            rows = Resolution.objects.filter(item=item).select_related(
                "item", "question", "settled_by__project", "guideline"
            )
        if "question" in found:
            asked = question_asked(member.project, found["question"])
            rows = rows.filter(question=asked.id if asked else None)
        if "cause" in found:
            rows = rows.filter(cause=_cause(found["cause"]))
        for name in ("overtaken", "gold_candidate"):
            if name in found:
                rows = rows.filter(**{name: _flag(found, name)})
        rows = rows.exclude(item__in=held_items(member))
        page, following = paginate(request, rows, descending=True)
        return Response({"next": following, "results": [resolution_document(row, member) for row in page]})

    @extend_schema(
        request=shapes.SettleRequest,
        parameters=[IF_MATCH],
        responses={
            201: PolymorphicProxySerializer(
                "Settled", [shapes.ResolutionOut, shapes.SettledMany], resource_type_field_name=None
            ),
            412: OpenApiResponse(description="Somebody else settled it since (`stale`)."),
        },
        operation_id="settle_items",
    )
    def post(self, request: Request, slug: str) -> Response:
        """Settle one item (with If-Match), or a list of items that nobody has settled yet. Answers stay."""
        member = get_membership(request_actor(request), slug, Action.ADJUDICATE)
        body = _body(request, FIELDS)
        if ("item" in body) == ("items" in body):
            raise _wrong("item", "item-or-items", "Send either item or items.")
        said: dict[str, Any] = {
            "cause": body.get("cause", ""),
            "comment": body.get("comment", ""),
            "gold_candidate": _truth(body, "gold_candidate"),
        }
        if "items" in body:
            return self._many(member, body, said)
        item = item_named(member.project_id, _text(body, "item"))
        made = settle(
            member,
            item.pk,
            _text(body, "question"),
            body.get("value"),
            revision=version_from(request),
            withdraw=_truth(body, "withdraw"),
            **said,
        )
        return _settled(resolution_of(made.pk), member, status=201)

    def _many(self, member: Membership, body: Mapping[str, Any], said: Mapping[str, Any]) -> Response:
        if body.get("withdraw"):
            raise _wrong("withdraw", "one-at-a-time", "Items are withdrawn one at a time.")
        pattern = body.get("pattern")
        if pattern is not None and not (
            isinstance(pattern, dict) and all(type(count) is int for count in pattern.values())
        ):
            raise _wrong("pattern", "bad-pattern", "pattern is an object: label to number of answers.")
        items = items_named(member.project, body.get("items"))
        done = settle_many(member, items, _text(body, "question"), body.get("value"), pattern=pattern, **said)
        names = item_names(list(done.left))
        rows = [resolution_of(one.pk) for one in done.made]
        left = [{"item": names[pk], "code": why.value} for pk, why in done.left.items()]
        return Response(
            {"settled": [resolution_document(row, member) for row in rows], "left": left},
            status=201 if rows else 200,
        )


class NextAdjudication(APIView):
    """The queue."""

    @extend_schema(
        parameters=[
            *QUEUE,
            OpenApiParameter("count", int, default=1, description=f"Items, 1 to {MOST_NEXT}."),
        ],
        responses=shapes.QueueOut,
        operation_id="next_adjudications",
    )
    def get(self, request: Request, slug: str) -> Response:
        """The items that are worth settling first, and what disagreement comes from."""
        names = [one.name for one in QUEUE]
        found = allowed_parameters(request, (*names, "count"))
        member = get_membership(request_actor(request), slug, Action.ADJUDICATE)
        count = whole_number(found.get("count", "1"), "count", least=1, most=MOST_NEXT)
        question = question_asked(member.project, found.get("question"))
        if question is None:
            nothing: dict[str, Any] = {
                "question": None,
                "left": 0,
                "results": [],
                "patterns": [],
                "costly": None,
            }
            return Response(nothing)
        queue = queue_of(member, question, _wanted(member, found))
        here = items_here(member.project, queue.items[:count])
        cases = [case_of(here[pk], question, member) for pk in queue.items[:count] if pk in here]
        patterns = patterns_in(member.project, question, queue)[:MOST_PATTERNS]
        body = {
            "question": question.key,
            "left": len(queue.items),
            "results": [_case(case, member, queue.value.get(case.item.pk, 0.0)) for case in cases],
            "patterns": [
                {"key": line.key, "said": dict(line.said), "n_items": len(line.items)} for line in patterns
            ],
            "costly": costly(member.project, question, real_names=member.role in LEADS),
        }
        return Response(body)


class OneAdjudication(APIView):
    """One resolution."""

    @extend_schema(responses=shapes.ResolutionOut, operation_id="read_adjudication")
    def get(self, request: Request, resolution_id: int) -> Response:
        """A resolution, whichever revision."""
        allowed_parameters(request, ())
        row = resolution_of(resolution_id)
        member = get_membership_by_project(request_actor(request), row.item.project_id, Action.AGREEMENT_READ)
        if row.item_id in held_items(member):
            raise Conflict("item-in-hand", "You have this item in hand: answer it first.")
        return _settled(row, member)

    @extend_schema(
        parameters=[IF_MATCH], responses=shapes.ResolutionOut, operation_id="take_back_adjudication"
    )
    def delete(self, request: Request, resolution_id: int) -> Response:
        """Take it back: a further revision without a value; the votes make the label again."""
        row = resolution_of(resolution_id)
        member = get_membership_by_project(request_actor(request), row.item.project_id, Action.ADJUDICATE)
        made = take_back(member, row.pk, version_from(request))
        return _settled(resolution_of(made.pk), member)


class Reviews(APIView):
    """Whom was asked about which item."""

    @extend_schema(
        parameters=[
            OpenApiParameter("mine", bool, description="Only what the caller was asked."),
            OpenApiParameter("answered", bool),
            *PAGES,
        ],
        responses=shapes.ReviewList,
        operation_id="list_reviews",
    )
    def get(self, request: Request, slug: str) -> Response:
        """Reviews of items as they are now, newest first."""
        found = allowed_parameters(request, ("mine", "answered"), paged=True)
        member = get_membership(request_actor(request), slug, Action.ADJUDICATE)
        rows = reviews_of(member.project)
        if "mine" in found and _flag(found, "mine"):
            rows = rows.filter(reviewer=member)
        if "answered" in found:
            rows = rows.filter(answered_at__isnull=not _flag(found, "answered"))
        rows = rows.exclude(item__in=held_items(member))
        page, following = paginate(request, rows, descending=True)
        return Response({"next": following, "results": [review_document(row, member) for row in page]})

    @extend_schema(
        request=shapes.ReferRequest, responses={201: shapes.ReviewOut(many=True)}, operation_id="refer_item"
    )
    def post(self, request: Request, slug: str) -> Response:
        """Ask reviewers about an item; they are told. It leaves the queue until they have answered."""
        member = get_membership(request_actor(request), slug, Action.ADJUDICATE)
        body = _body(request, {"item", "question", "reviewers", "note"})
        item = item_named(member.project_id, _text(body, "item"))
        wanted = body.get("reviewers")
        if (
            not isinstance(wanted, Sequence)
            or isinstance(wanted, str)
            or any(type(pk) is not int for pk in wanted)
        ):
            raise _wrong("reviewers", "bad-reviewers", "reviewers lists the ids of members.")
        made = refer(member, item.pk, _text(body, "question"), wanted, body.get("note", ""))
        rows = [review_of(one.pk) for one in made]
        return Response([review_document(row, member) for row in rows], status=201)


class OneReview(APIView):
    """One review."""

    @extend_schema(request=shapes.ReviewRequest, responses=shapes.ReviewOut, operation_id="answer_review")
    def patch(self, request: Request, review_id: int) -> Response:
        """What the caller, who was asked, says about the item. Whoever settles it sees it."""
        row = review_of(review_id)
        member = get_membership_by_project(request_actor(request), row.item.project_id, Action.ADJUDICATE)
        body = _body(request, {"value", "cause", "comment"})
        said = answer_review(
            member,
            row.pk,
            body.get("value"),
            cause=body.get("cause", ""),
            comment=body.get("comment", ""),
        )
        return Response(review_document(review_of(said.pk), member))


# --- What is read and told ----------------------------------------------------------------------------


def _settled(row: Resolution, member: Membership, *, status: int = 200) -> Response:
    headers = {"ETag": f'"{row.revision}"'}
    return Response(resolution_document(row, member), status=status, headers=headers)


def _case(case: Case, member: Membership, worth: float) -> dict[str, Any]:
    return {
        "item": case.item.external_id,
        "question": case.question.key,
        "worth": worth,
        "revision": case.revision,
        "data": case.item.data,
        "answers": [
            {
                "who": side.who,
                "mine": side.mine,
                "value": side.value,
                "uncertain": side.uncertain,
                "comment": side.comment,
                "guideline_version": side.guideline,
                "elapsed_ms": side.elapsed_ms,
                "at": side.at,
            }
            for side in case.sides
        ],
        "notes": [
            {"who": note.who, "note": note.note, "broken": note.broken, "at": note.at} for note in case.notes
        ],
        "reviews": [review_document(row, member) for row in case.reviews],
        "resolution": None if case.resolution is None else resolution_document(case.resolution, member),
        "own": case.own,
    }


def _wanted(member: Membership, found: Mapping[str, str]) -> Wanted:
    person = whole_number(found["person"], "person") if "person" in found else None
    if person is not None and member.role not in LEADS:
        raise NotAllowed("Only leads look at the items of one person.", code="names-for-leads")
    return Wanted(
        state=found.get("state", "open"),
        a=found.get("a"),
        b=found.get("b"),
        cause=found.get("cause"),
        person=person,
        flagged=_flag(found, "flagged"),
        uncertain=_flag(found, "uncertain"),
        pattern=found.get("pattern"),
    )


def _flag(found: Mapping[str, str], name: str) -> bool:
    value = found.get(name, "false")
    if value not in {"0", "1", "false", "true"}:
        raise Invalid("bad-filter", f"{name} is true or false.")
    return value in {"1", "true"}


def _cause(value: str) -> str:
    if value not in Cause.values:
        raise Invalid("bad-filter", f"cause must be one of {', '.join(Cause.values)}.")
    return value


def _wrong(name: str, code: str, detail: str) -> Invalid:
    return Invalid(code, detail, errors=[{"pointer": f"/{name}", "code": code, "detail": detail}])


def _body(request: Request, fields: frozenset[str] | set[str]) -> Mapping[str, Any]:
    body = body_of(request)
    unknown = set(body) - fields
    if unknown:
        raise Invalid("unknown-field", f"There is no field {min(unknown)[:60]!r} here.")
    return body


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise _wrong(name, f"bad-{name}", f"{name} is a text.")
    return value


def _truth(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise _wrong(name, f"bad-{name}", f"{name} is true or false.")
    return value
