"""A person's own record in words: what they agree on with others, and what that means."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.access import Action
from core.models import Membership
from core.pipelines.record import LEAST_ITEMS, own_record
from core.templatetags.charts import percent, percent_interval
from core.web.access import project_view
from core.web.pages import project_page

Json = dict[str, Any]


@require_safe
@never_cache
@project_view(Action.OWN_WORK_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponse:
    """One's own figures beside the group's mean; nobody else's, and nothing of items that are open."""
    record = own_record(membership)
    questions = [{**row, "headline": headline(row), "meaning": meaning(row)} for row in record["questions"]]
    context = {
        "record": record,
        "questions": questions,
        "title": questions[0]["headline"] if len(questions) == 1 else _("How far you agree with the others"),
        "as_of": parse_datetime(record["as_of"]),
        "least": LEAST_ITEMS,
    }
    return project_page(request, membership, "record", "core/record/page.html", context)


def headline(row: Json) -> str:
    """The answer in one sentence."""
    figure, group = row["with_others"], row["group"]["with_others"]
    if figure["value"] is None:
        return _("Cannot tell yet how far you agree with the others.")
    values = {"share": percent(figure["value"]), "ends": percent_interval(figure), "group": percent(group)}
    return (
        _("You say what most others say on %(share)s of items (%(ends)s); people here do on %(group)s.")
        % values
    )


def meaning(row: Json) -> list[str]:
    """What the figures mean, and what to do."""
    return [
        sentence for sentence in (_with_others(row), _with_oneself(row), _unsure(row), _gold(row)) if sentence
    ]


def _with_others(row: Json) -> str:
    figure, group = row["with_others"], row["group"]["with_others"]
    if figure["value"] is None or not figure["ci"] or group is None:
        return ""
    if figure["ci"][1] < group:
        return _(
            "You differ from the others more than people do on average. That is no fault in itself: you may see "
            "what they miss. Read the guideline once more, and ask the lead about what it leaves open."
        )
    if figure["ci"][0] > group:
        return _("You agree with the others more than people do on average.")
    return _("That is within what chance makes of people like you: nothing to worry about.")


def _with_oneself(row: Json) -> str:
    figure = row["with_oneself"]
    if figure["value"] is None:
        return ""
    values = {"share": percent(figure["value"]), "ends": percent_interval(figure)}
    return (
        _(
            "When the same item came to you a second time, you gave the same answer on %(share)s of items "
            "(%(ends)s). Nobody reaches 100 %%; much less speaks of hard items, haste or long sittings."
        )
        % values
    )


def _unsure(row: Json) -> str:
    figure, group = row["abstention_rate"], row["group"]["abstention_rate"]
    if figure["value"] is None or not group:
        return ""
    values = {"share": percent(figure["value"]), "group": percent(group)}
    if figure["ci"] and figure["ci"][0] > group:
        return (
            _("You cannot tell on %(share)s of items, others on %(group)s: tell the lead what would help.")
            % values
        )
    if figure["ci"] and figure["ci"][1] < group:
        return (
            _(
                "You cannot tell on %(share)s of items, others on %(group)s: it is all right to say so more often."
            )
            % values
        )
    return _("You cannot tell on %(share)s of items, about as often as others (%(group)s).") % values


def _gold(row: Json) -> str:
    figure = row["gold"]
    if figure is None:
        return ""
    values = {"share": percent(figure["value"]), "ends": percent_interval(figure)}
    return _("Where the right answer is known, you gave it on %(share)s of items (%(ends)s).") % values
