"""Items that are sent out again."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.parsers import body_of
from core.api.serializers import relabel as shapes
from core.choices import RelabelTo
from core.exceptions import Invalid
from core.selectors.label import item_names
from core.selectors.relabel import items_named, progress_of_relabels, relabels_of
from core.services.relabel import send_again

FIELDS = frozenset({"items", "reason", "to"})


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
        request=shapes.RelabelRequest, responses={201: shapes.RelabelMade}, operation_id="send_items_again"
    )
    def post(self, request: Request, slug: str) -> Response:
        """Ask one more person about each of up to 2,000 items, before all others. Earlier answers stay."""
        member = get_membership(request_actor(request), slug, Action.ITEMS_EDIT)
        body = body_of(request)
        unknown = set(body) - FIELDS
        if unknown:
            raise Invalid("unknown-field", f"There is no field {min(unknown)[:60]!r} here.")
        to = body.get("to", RelabelTo.OTHERS)
        if to not in RelabelTo.values:
            row = {
                "pointer": "/to",
                "code": "bad-to",
                "detail": f"to is one of {', '.join(RelabelTo.values)}.",
            }
            raise Invalid("bad-to", row["detail"], errors=[row])
        items = items_named(member.project, body.get("items"))
        sent = send_again(member, items, body.get("reason", ""), to=RelabelTo(to))
        names = item_names(list(sent.skipped))
        made = None
        if sent.relabel is not None:
            relabel = relabels_of(member.project_id).get(pk=sent.relabel.pk)
            made = shapes.relabel_out(progress_of_relabels(member.project, [relabel])[0])
        skipped = [{"item": names[pk], "code": why.value} for pk, why in sent.skipped.items()]
        return Response({"relabel": made, "skipped": skipped}, status=201 if made else 200)


class OneRelabel(APIView):
    """To be written."""
