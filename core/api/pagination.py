"""Lists in pages that stay right while rows are added: by key, with an opaque signed cursor."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

from django.core import signing
from django.db.models import Field, Model, Q, QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from core.exceptions import Invalid
from core.selectors.site import public_address

PAGE_SIZE = 50
LARGEST_PAGE = 200
PAGE_PARAMETERS = frozenset({"cursor", "page_size"})
PAGES = [
    OpenApiParameter(
        "cursor", str, description="Where the page begins; taken from `next` of the page before."
    ),
    OpenApiParameter(
        "page_size", int, description=f"Rows to a page, 1 to {LARGEST_PAGE}; {PAGE_SIZE} without it."
    ),
]
LONGEST_VALUE = 1000
SALT = "core.api.pagination"
AnyModel = TypeVar("AnyModel", bound=Model)
Row = TypeVar("Row")


def allowed_parameters(request: Request, names: Collection[str], *, paged: bool = False) -> dict[str, str]:
    """The query parameters, if all of them are allowed and each occurs once.

    A name that ends in a dot allows every parameter that begins with it (``meta.``). ``paged`` allows
    those of a list. Raises Invalid (``unknown-filter``, ``repeated-filter``, ``bad-filter``).
    """
    allowed = {*names, *PAGE_PARAMETERS} if paged else set(names)
    prefixes = tuple(name for name in allowed if name.endswith("."))
    found: dict[str, str] = {}
    for name, values in request.query_params.lists():
        known = name in allowed or (bool(prefixes) and name.startswith(prefixes))
        if not known or name in prefixes:
            raise Invalid(
                "unknown-filter", f"There is no filter {name[:60]!r} here.", allowed=sorted(allowed)
            )
        if len(values) > 1:
            raise Invalid("repeated-filter", f"{name[:60]!r} may be given once.")
        if len(values[0]) > LONGEST_VALUE or "\0" in values[0]:
            raise Invalid("bad-filter", f"The value of {name[:60]!r} is too long or holds a NUL.")
        found[name] = values[0]
    return found


def whole_number(text: str, name: str, *, least: int = 0, most: int = 2**31 - 1) -> int:
    """A parameter that must be a whole number between two bounds; raises Invalid ``bad-filter``."""
    if (
        not (text.isascii() and text.isdigit())
        or len(text) > len(str(most))
        or not least <= int(text) <= most
    ):
        raise Invalid("bad-filter", f"{name} must be a whole number from {least} to {most}.")
    return int(text)


def paginate(
    request: Request, rows: QuerySet[AnyModel], *, order: Sequence[str] = ("pk",), descending: bool = False
) -> tuple[list[AnyModel], str | None]:
    """One page of rows and the address of the next one (None on the last).

    ``order`` names columns of the model, the last of them unique; all run in one direction.
    """
    size = _page_size(request)
    cursor = request.query_params.get("cursor")
    if cursor is not None:
        rows = rows.filter(_after(order, _values_of(cursor, order, rows.model), descending=descending))
    sign = "-" if descending else ""
    page = list(rows.order_by(*(sign + name for name in order))[: size + 1])
    if len(page) <= size:
        return page, None
    del page[size:]
    last = [_plain(getattr(page[-1], name)) for name in order]
    query = request.query_params.copy()
    query["cursor"] = signing.dumps({"by": list(order), "at": last}, salt=SALT)
    return page, public_address(request, f"{request.path}?{query.urlencode()}")


def paginate_list(
    request: Request, rows: Iterable[Row], key: Callable[[Row], Sequence[str]]
) -> tuple[list[Row], str | None]:
    """As paginate, for rows in memory, in the order of their keys; every key is there once."""
    size, cursor = _page_size(request), request.query_params.get("cursor")
    found = sorted(rows, key=lambda row: list(key(row)))
    if cursor is not None:
        after = _position_in_list(cursor)
        found = found[bisect_right(found, after, key=lambda row: list(key(row))) :]
    if len(found) <= size:
        return found, None
    query = request.query_params.copy()
    query["cursor"] = signing.dumps({"by": "list", "at": list(key(found[size - 1]))}, salt=SALT)
    return found[:size], public_address(request, f"{request.path}?{query.urlencode()}")


def _position_in_list(cursor: str) -> list[str]:
    try:
        content = signing.loads(cursor, salt=SALT)
    except signing.BadSignature:
        raise Invalid("bad-cursor", "This cursor was not made here.") from None
    if content["by"] != "list":
        raise Invalid("bad-cursor", "This cursor belongs to another list.")
    return list(content["at"])


def _page_size(request: Request) -> int:
    text = request.query_params.get("page_size")
    if text is None:
        return PAGE_SIZE
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 20:  # noqa: PLR2004 -- no number is longer
        raise Invalid("bad-page-size", f"page_size must be a whole number from 1 to {LARGEST_PAGE}.")
    return min(max(int(text), 1), LARGEST_PAGE)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else str(value)


def _values_of(cursor: str, order: Sequence[str], model: type[Model]) -> list[Any]:
    try:
        content = signing.loads(cursor, salt=SALT)
    except signing.BadSignature:
        raise Invalid("bad-cursor", "This cursor was not made here.") from None
    if content["by"] != list(order):
        raise Invalid("bad-cursor", "This cursor belongs to another list.")
    fields = [_field(model, name) for name in order]
    return [field.to_python(value) for field, value in zip(fields, content["at"], strict=True)]


def _field(model: type[Model], name: str) -> "Field[Any, Any]":
    meta = model._meta  # noqa: SLF001 -- Django's documented API
    field = meta.pk if name == "pk" else meta.get_field(name)
    assert isinstance(field, Field)  # noqa: S101 -- lists are ordered by columns
    return field


def _after(order: Sequence[str], values: Sequence[Any], *, descending: bool) -> Q:
    """Rows beyond a position: (a > x) or (a = x and b > y) and so on."""
    comparison = "lt" if descending else "gt"
    beyond = Q()
    for place, name in enumerate(order):
        same = dict(zip(order[:place], values[:place], strict=True))
        beyond |= Q(**same, **{f"{name}__{comparison}": values[place]})
    return beyond
