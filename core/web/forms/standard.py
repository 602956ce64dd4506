"""What a lead ticks and writes to standardise texts, as rules."""

import json
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from core.exceptions import Invalid

ARROW = "=>"
MOST_LINES = 1000
Rules = list[dict[str, str]]


def chosen_rules(posted: QueryDict) -> Rules:
    """The ticked variants of the ticked groups, then the lead's own lines, as rules. Raises Invalid."""
    rules: Rules = []
    for number in posted.getlist("cluster"):
        to = " ".join(posted.get(f"to-{number}", "").split())
        rules += [{"from": text, "to": to} for text in posted.getlist(f"from-{number}") if text != to]
    return rules + _own(posted.get("own", ""))


def _own(lines: str) -> Rules:
    """Lines ``text => text`` and ``/pattern/ => text``. Raises Invalid naming the line."""
    rules: Rules = []
    for number, line in enumerate(lines.splitlines()[:MOST_LINES], start=1):
        if not line.strip():
            continue
        left, arrow, right = line.rpartition(ARROW)
        left = left.strip()
        if not arrow or not left:
            raise Invalid(
                "bad-rules",
                _("Line %(number)d has no “=>”: write what is read, =>, and what it is read as.")
                % {"number": number},
            )
        pattern = len(left) > 2 and left.startswith("/") and left.endswith("/")  # noqa: PLR2004 -- the two slashes
        to = " ".join(right.split())
        rules.append({"pattern": left[1:-1], "to": to} if pattern else {"from": left, "to": to})
    return rules


def sent_rules(posted: Mapping[str, Any]) -> Any:
    """The rules that the preview showed. Raises Invalid."""
    try:
        return json.loads(posted.get("rules", ""))
    except (ValueError, RecursionError):
        raise Invalid("bad-rules", _("This form was not sent from the page of standard texts.")) from None
