"""A list of a report that is searched, sorted and cut into pages by the server."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from django.http import HttpRequest

PAGE = 50
LONGEST_NUMBER = 8

Sorts = dict[str, Callable[[Any], Any]]


class Asking(Protocol):
    """A request for a report, with its choices as parameters of addresses."""

    @property
    def request(self) -> HttpRequest:
        """The request itself."""

    @property
    def chosen(self) -> dict[str, str]:
        """The choices as parameters of an address."""

    def address(self, name: str, *args: str, **more: Any) -> str:
        """Another address of the report with the same choices."""


class Listing:
    """One page of the rows, and what the templates of lists read (``context``)."""

    def __init__(
        self,
        page: Asking,
        name: str,
        rows: Sequence[Any],
        *,
        sorts: Sorts,
        default: str,
        text_of: Callable[[Any], str],
    ) -> None:
        asked = page.request.GET
        wanted = asked.get("q", "").casefold().split()
        sort = asked.get("sort") if asked.get("sort") in sorts else default
        found = [row for row in rows if all(word in text_of(row).casefold() for word in wanted)]
        found.sort(key=sorts[sort or default])
        last = max(1, -(-len(found) // PAGE))
        text = asked.get("page", "")
        is_number = text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER
        number = min(max(int(text), 1), last) if is_number else 1
        self.rows = found[(number - 1) * PAGE : number * PAGE]
        kept = {"q": asked.get("q") or None, "sort": sort if sort != default else None}
        at = partial(page.address, name)
        self.context = {
            "rows": self.rows,
            "total": len(found),
            "all": len(rows),
            "number": number,
            "last": last,
            "q": asked.get("q", ""),
            "sort": sort,
            "sort_urls": {key: at(q=kept["q"], sort=key) for key in sorts},
            "hidden": list((page.chosen | ({"sort": sort} if sort != default else {})).items()),
            "plain_url": at(),
            "previous_url": at(**kept, page=number - 1) if number > 1 else "",
            "next_url": at(**kept, page=number + 1) if number < last else "",
        }


def low_first(value: float | None) -> tuple[bool, float]:
    """A key that sorts from low to high; those without a value come last."""
    return value is None, value or 0.0
