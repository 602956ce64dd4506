"""Items, the batches that they came in with, and their images."""

from collections.abc import Callable
from typing import Any

from django.http import FileResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.access import Action, get_membership
from core.api.authentication import request_actor
from core.api.etags import IF_MATCH, etag_of, version_from
from core.api.pagination import PAGES, allowed_parameters, paginate
from core.api.serializers import item as shapes
from core.api.uploads import PARSERS, uploaded_file
from core.exceptions import Invalid, Missing
from core.models import Item, Membership
from core.pipelines.archive import import_archive
from core.selectors import item as read
from core.selectors.history import item_history
from core.services import item as items
from core.services.asset import CONTENT_TYPES, asset_path

FILTERS = [
    OpenApiParameter("state", str, enum=sorted(read.STATES)),
    OpenApiParameter("batch", int, description="Number of a batch."),
    OpenApiParameter("tag", str, description="Name of a tag."),
    OpenApiParameter("q", str, description="Text within the data, or an id."),
    OpenApiParameter("disagreement_min", float, description="Least share of pairs of answers that differ."),
    OpenApiParameter("uncertain", bool, description="Whether somebody could not tell."),
    OpenApiParameter("flagged", bool, description="Whether somebody left a note."),
]
SHOWN_TYPES = frozenset(CONTENT_TYPES.values())
DAY_SECONDS = 86_400


class Items(APIView):
    """A project's items."""

    @extend_schema(parameters=[*FILTERS, *PAGES], responses=shapes.ItemList, operation_id="list_items")
    def get(self, request: Request, slug: str) -> Response:
        """Items in the order in which they came in; `meta.<key>=<value>` filters by metadata."""
        filters = allowed_parameters(request, read.FILTERS | read.LATER, paged=True)
        if read.LATER & set(filters):
            name = min(read.LATER & set(filters))
            raise Invalid("unknown-filter", f"Items cannot be filtered by {name} yet.")
        member = get_membership(request_actor(request), slug, Action.ITEMS_READ)
        chosen = {name: value for name, value in filters.items() if name not in {"cursor", "page_size"}}
        page, following = paginate(request, read.items_of(member.project_id, chosen))
        return Response({"next": following, "results": [read.item_line(item) for item in page]})


class OneItem(APIView):
    """One item."""

    @extend_schema(responses=shapes.ItemOut, operation_id="read_item")
    def get(self, request: Request, slug: str, name: str) -> Response:
        """Data, places, provenance, earlier versions, and everything that was answered."""
        allowed_parameters(request, ())
        actor = request_actor(request)
        member = get_membership(actor, slug, Action.ITEMS_READ)
        item = read.item_named(member.project_id, name)
        document = read.item_document(item, member, may_read_labels=actor.may(Action.LABELS_READ))
        return Response(document, headers={"ETag": etag_of(item)})

    @extend_schema(
        request=shapes.ItemCorrection,
        parameters=[IF_MATCH],
        responses=shapes.ItemOut,
        operation_id="correct_item",
    )
    def patch(self, request: Request, slug: str, name: str) -> Response:
        """Correct the data (a new version without answers; the old ones stay with the old) or the metadata."""
        actor = request_actor(request)
        member = get_membership(actor, slug, Action.ITEMS_EDIT)
        item = read.item_named(member.project_id, name)
        version = version_from(request)
        sent: Any = request.data
        unknown = set(sent) - {"data", "meta"}
        if unknown:
            raise Invalid("unknown-field", f"There is no field {min(unknown)[:60]!r} here.")
        item = items.correct_item(member, item.pk, version, data=sent.get("data"), meta=sent.get("meta"))
        document = read.item_document(item, member, may_read_labels=actor.may(Action.LABELS_READ))
        return Response(document, headers={"ETag": etag_of(item)})


def _withdraw(member: Membership, item_id: int) -> Item:
    return items.withdraw_item(member, item_id)


class ChangeItem(APIView):
    """Withdraw, restore, return from the lead."""

    change: Callable[[Membership, int], Item] = staticmethod(_withdraw)

    @extend_schema(request=None, responses=shapes.ItemOut)
    def post(self, request: Request, slug: str, name: str) -> Response:
        """Change the item's state; its answers are kept."""
        actor = request_actor(request)
        member = get_membership(actor, slug, Action.ITEMS_EDIT)
        item = self.change(member, read.item_named(member.project_id, name).pk)
        document = read.item_document(item, member, may_read_labels=actor.may(Action.LABELS_READ))
        return Response(document, headers={"ETag": etag_of(item)})


class Batches(APIView):
    """A project's batches."""

    @extend_schema(responses=shapes.BatchOut(many=True), operation_id="list_batches")
    def get(self, request: Request, slug: str) -> Response:
        """All batches, and the people that they were given to."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.ITEMS_READ)
        return Response([read.batch_document(batch) for batch in read.batches_of(member.project_id)])


class OneBatch(APIView):
    """One batch."""

    @extend_schema(responses=shapes.BatchOut, operation_id="read_batch")
    def get(self, request: Request, slug: str, number: int) -> Response:
        """The batch, and the people that it was given to."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.ITEMS_READ)
        return Response(read.batch_document(read.batch_of(member.project_id, number)))

    @extend_schema(request=shapes.BatchRequest, responses=shapes.BatchOut, operation_id="assign_batch")
    def patch(self, request: Request, slug: str, number: int) -> Response:
        """Give the batch to these members alone; an empty list gives it back to everybody."""
        member = get_membership(request_actor(request), slug, Action.ITEMS_EDIT)
        body = shapes.BatchRequest(data=request.data)
        body.is_valid(raise_exception=True)
        items.assign_batch(member, number, body.validated_data["members"])
        return Response(read.batch_document(read.batch_of(member.project_id, number)))


class Assets(APIView):
    """A project's images."""

    parser_classes = PARSERS

    @extend_schema(parameters=PAGES, responses=shapes.AssetList, operation_id="list_assets")
    def get(self, request: Request, slug: str) -> Response:
        """All images, in the order in which they came."""
        allowed_parameters(request, (), paged=True)
        member = get_membership(request_actor(request), slug, Action.ITEMS_READ)
        page, following = paginate(request, read.assets_of(member.project_id))
        return Response({"next": following, "results": [read.asset_document(asset) for asset in page]})

    @extend_schema(
        request={"multipart/form-data": shapes.ArchiveRequest},
        responses={201: shapes.ArchiveOut},
        operation_id="add_assets",
    )
    def post(self, request: Request, slug: str) -> Response:
        """Add a zip of PNG, JPEG, GIF or WebP images: all of them or, when one is refused, none."""
        member = get_membership(request_actor(request), slug, Action.IMPORTS_EDIT)
        file, _form = uploaded_file(request, ())
        made = import_archive(member, file)  # type: ignore[arg-type]  # it reads as a binary file does
        shown = [read.asset_document(asset) for asset in made[:100]]
        return Response({"count": len(made), "results": shown}, status=201)


class OneAsset(APIView):
    """An image's bytes."""

    @extend_schema(
        responses={(200, "image/*"): OpenApiTypes.BINARY, 304: OpenApiResponse(description="Not changed.")},
        operation_id="read_asset",
    )
    def get(self, request: Request, slug: str, name: str) -> HttpResponseBase:
        """The image, with the type that its bytes have; it can run nothing in a browser."""
        allowed_parameters(request, ())
        member = get_membership(request_actor(request), slug, Action.ASSETS_READ)
        asset = read.asset_of(member.project_id, name)
        etag = f'"{asset.sha256}"'
        response: HttpResponseBase
        if etag in parse_etags(request.headers.get("If-None-Match", "")):
            response = HttpResponseNotModified()
        else:
            path = asset_path(member.project_id, asset.sha256)
            if not path.exists():
                raise Missing
            shown = asset.content_type in SHOWN_TYPES
            response = FileResponse(
                path.open("rb"),
                content_type=asset.content_type if shown else "application/octet-stream",
                as_attachment=not shown,
                filename=asset.name.rsplit("/", 1)[-1],
            )
        response["ETag"] = etag
        response["Cache-Control"] = f"private, max-age={DAY_SECONDS}"
        response["Content-Security-Policy"] = "sandbox; default-src 'none'"
        response["X-Content-Type-Options"] = "nosniff"
        return response


class ItemHistory(APIView):
    """Everything that happened to an item."""

    @extend_schema(responses=shapes.ItemHistoryOut, operation_id="read_item_history")
    def get(self, request: Request, slug: str, name: str) -> Response:
        """Every event in order, with who, when and the guideline version; nothing for who has the item in hand."""
        allowed_parameters(request, ())
        actor = request_actor(request)
        member = get_membership(actor, slug, Action.ITEMS_READ)
        item = read.item_named(member.project_id, name)
        may_read_labels = actor.may(Action.LABELS_READ)
        events = item_history(item, member, may_read_labels=may_read_labels)
        hidden = None if events is not None else "held" if may_read_labels else "scope"
        told = [shapes.history_event_out(event) for event in events or ()]
        return Response({"id": item.external_id, "hidden_because": hidden, "events": told})
