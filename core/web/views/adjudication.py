"""Adjudication: what disagreement costs most, the queue, one item after the other, many at once, reviews."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.access import LEADS, Action
from core.choices import Cause, QuestionKind
from core.exceptions import DomainError, Invalid, Missing, NotAllowed, Stale
from core.models import Item, Membership, Resolution
from core.pipelines.adjudication import (
    STATES,
    Queue,
    Wanted,
    costly,
    patterns_in,
    question_asked,
    queue_of,
    queue_sizes,
)
from core.selectors.adjudication import (
    case_of,
    held_items,
    items_here,
    my_reviews,
    pattern_on,
    resolution_of,
    resolution_on,
    resolutions_of,
    review_of,
    reviewers_for,
    standing_of,
    value_said,
)
from core.selectors.display import as_text, blocks_of, excerpt_of
from core.selectors.guideline import guideline_html
from core.selectors.item import item_of, shown_name
from core.selectors.membership import members_of
from core.selectors.question import QuestionSpec, schema_of
from core.services import adjudication as service
from core.services.adjudication import Left, answer_review, settle_many, take_back
from core.web.access import project_view
from core.web.adjudication_words import cost_rows, headline, rule_url, said
from core.web.forms.adjudication import QueueForm, value_of
from core.web.pages import project_page

Json = dict[str, Any]

PAGE = 25
BULK = 100
MOST_PATTERNS = 20
SECTION = "adjudication"
DIGITS = frozenset("0123456789")
NAMES = ("question", "state", "a", "b", "cause", "person", "flagged", "uncertain", "pattern")
WORDS = {
    "open": gettext_lazy("To settle"),
    "waiting": gettext_lazy("With reviewers"),
    "reviewed": gettext_lazy("Reviews came back"),
    "overtaken": gettext_lazy("Answered anew since"),
    "gold": gettext_lazy("Gold candidates"),
    "settled": gettext_lazy("Settled"),
}
SETTLED = frozenset({"settled", "overtaken", "gold"})
LEFT = {
    Left.NOT_HERE: gettext_lazy("gone"),
    Left.WITHDRAWN: gettext_lazy("withdrawn"),
    Left.IN_HAND: gettext_lazy("in your hand"),
    Left.SETTLED: gettext_lazy("settled by somebody else"),
    Left.CHANGED: gettext_lazy("answered otherwise by now"),
}


# --- The queue ----------------------------------------------------------------------------------------


def _question(membership: Membership, query: Mapping[str, Any]) -> QuestionSpec:
    question = question_asked(membership.project, query.get("question") or None)
    if question is None:
        raise Http404
    return question


def _form(membership: Membership, question: QuestionSpec, query: Any) -> QueueForm:
    people = None
    if membership.role in LEADS:
        people = list(members_of(membership.project).order_by("name", "pk"))
    return QueueForm(query, schema_of(membership.project), question, people)


def _wanted(membership: Membership, question: QuestionSpec, query: QueryDict) -> Wanted:
    """The filter of an address. Raises Invalid ``bad-filter``."""
    if any(len(value) > 1000 or "\0" in value for value in query.values()):  # noqa: PLR2004 -- no name is longer
        raise Invalid("bad-filter", "A part of the address is too long or holds a NUL.")
    form = _form(membership, question, query)
    if not form.is_valid():
        raise Invalid("bad-filter", _("There is no such filter here."))
    return form.wanted(query.get("state") or "open", query.get("pattern") or None)


def _kept(query: Mapping[str, Any], **more: Any) -> str:
    """The choices of an address, to be put after a question mark."""
    found = {name: query[name] for name in NAMES if query.get(name)} | more
    return urlencode({name: value for name, value in found.items() if value})


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """The ten most costly disagreements in words, and the queue, most valuable first."""
    project = membership.project
    if not schema_of(project).questions:
        return project_page(request, membership, SECTION, "core/adjudication/page.html", {"question": None})
    question = _question(membership, request.GET)
    wanted = _wanted(membership, question, request.GET)
    costs = costly(project, question, real_names=membership.role in LEADS)
    standing = standing_of(membership, question)
    counts = queue_sizes(membership, question, standing)
    queue = queue_of(membership, question, wanted, standing)
    rows, following = _rows(membership, question, queue, request.GET)
    title, lead = headline(costs["top"], counts["open"])
    kept = _kept(request.GET)
    context: Json = {
        "question": question,
        "title": title,
        "lead": lead,
        "costs": cost_rows(membership, question, costs["top"]),
        "told": costs["top"] is not None,
        "form": _form(membership, question, request.GET),
        "state": wanted.state,
        "tabs": [
            {
                "url": f"?{_kept({'question': question.key}, state=state)}#queue",
                "word": WORDS[state],
                "n": counts[state],
                "current": state == wanted.state,
            }
            for state in STATES
            if counts[state] or state in {"open", "settled"}
        ],
        "narrowed": wanted != Wanted(state=wanted.state),
        "rows": rows,
        "total": len(queue.items),
        "held": queue.held,
        "next_url": following,
        "previous_url": f"?{kept}#queue" if request.GET.get("after") else None,
        "shows_value": wanted.state in SETTLED,
        "start_url": _item_url(membership, queue.items[0], kept)
        if queue.items and wanted.state not in SETTLED
        else None,
        "bulk_url": f"{reverse('adjudication_bulk', args=[project.slug])}?{kept}",
        "n_reviews": my_reviews(membership).count(),
        "api_url": f"{reverse('api:adjudications-next', args=[project.slug])}?question={question.key}&count=10",
    }
    return project_page(request, membership, SECTION, "core/adjudication/page.html", context)


def _item_url(membership: Membership, item_id: int, query: str) -> str:
    return f"{reverse('adjudication_item', args=[membership.project.slug, item_id])}?{query}"


def _rows(
    membership: Membership, question: QuestionSpec, queue: Queue, query: QueryDict
) -> tuple[list[Json], str | None]:
    """One page of the queue, from behind an item of it."""
    after = _number(query.get("after", ""))
    start = queue.items.index(after) + 1 if after in queue.items else 0
    shown = queue.items[start : start + PAGE]
    items, votes = items_here(membership.project, shown), pattern_on(question, shown)
    kept = _kept(query)
    settled = resolutions_of(membership.project).filter(question=question.id, item__in=shown)
    decided = {row.item_id: row for row in settled}
    rows = [
        {
            "value": _shown(question, decided[pk]) if pk in decided else "",
            "rule_url": _rule_url(membership, question, items[pk], decided.get(pk)),
            "worth": worth_shown(queue.value.get(pk)),
            "item": items[pk],
            "url": _item_url(membership, pk, kept),
            "text": excerpt_of(membership.project, items[pk]),
            "said": said(sorted(votes.get(pk, {}).items(), key=lambda vote: (-vote[1], vote[0]))),
        }
        for pk in shown
        if pk in items
    ]
    more = len(queue.items) > start + PAGE
    return rows, f"?{_kept(query, after=shown[-1])}#queue" if more else None


def worth_shown(worth: float | None) -> str:
    """The expected value of settling an item, as the API's ``worth``, in hundredths: it is a share of shares."""
    return "" if worth is None else _("%(worth)s %%") % {"worth": f"{100 * worth:.2f}"}


def _rule_url(membership: Membership, question: QuestionSpec, item: Item, row: Resolution | None) -> str:
    """Where the rule is written that was missing when an item was settled; empty where none was."""
    if row is None or row.cause != Cause.GUIDELINE_GAP:
        return ""
    value = value_said(question, row)
    names = value if isinstance(value, list) else [value]
    return rule_url(membership, question, [str(name) for name in names], item.external_id)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0  # noqa: PLR2004 -- fits the column


# --- One item -----------------------------------------------------------------------------------------


@require_safe
@never_cache
@project_view(Action.ADJUDICATE)
def one(request: HttpRequest, membership: Membership, item_id: int) -> HttpResponseBase:
    """What people said about one item, side by side, and the decision."""
    question = _question(membership, request.GET)
    return _item_page(request, membership, item_id, question, request.GET)


def _item_page(
    request: HttpRequest,
    membership: Membership,
    item_id: int,
    question: QuestionSpec,
    query: QueryDict,
    *,
    error: DomainError | None = None,
    status: int = 200,
) -> HttpResponse:
    project = membership.project
    case = case_of(item_of(project.pk, item_id), question, membership)
    queue = queue_of(membership, question, _wanted(membership, question, query))
    place = queue.items.index(item_id) + 1 if item_id in queue.items else 0
    sent = request.POST if request.method == "POST" else None
    current = value_said(question, case.resolution) if case.resolution else None
    context: Json = {
        "case": case,
        "item": case.item,
        "question": question,
        "blocks": blocks_of(project, case.item.data),
        "votes": _votes(question, [side.value for side in case.sides]),
        "decision": _decision(
            question, current, sent, [side.value for side in case.sides], before=case.resolution
        ),
        "causes": Cause.choices,
        "reviews": [_review(question, row, membership) for row in case.reviews],
        "earlier": [
            {"row": row, "who": shown_name(row.settled_by, membership), "value": _shown(question, row)}
            for row in case.earlier
        ],
        "value": "" if case.resolution is None else _shown(question, case.resolution),
        "reviewers": [] if case.held else reviewers_for(case.item, question.id, membership),
        "place": place,
        "left": len(queue.items),
        "skip_url": _after(membership, queue, item_id, query),
        "back_url": f"{reverse('adjudication', args=[project.slug])}?{_kept(query)}#queue",
        "query": _kept(query),
        "undo": _undo(membership, query, case.resolution.pk if case.resolution else 0),
        "may_withdraw": membership.role in LEADS,
        "guideline": project.guideline,
        "guideline_html": guideline_html(project, project.guideline.text) if project.guideline else "",
        "error": error,
    }
    return project_page(request, membership, SECTION, "core/adjudication/item.html", context, status=status)


def _after(membership: Membership, queue: Queue, item_id: int, query: Mapping[str, Any]) -> str:
    """The item behind this one in the queue, or the queue where there is none."""
    at = queue.items.index(item_id) + 1 if item_id in queue.items else 0
    if at < len(queue.items) and queue.items[at] != item_id:
        return _item_url(membership, queue.items[at], _kept(query))
    return f"{reverse('adjudication', args=[membership.project.slug])}?{_kept(query)}#queue"


def _votes(question: QuestionSpec, values: list[str]) -> list[Json]:
    """Who said what, the most first, with the colour of the class."""
    colours = {spec.name: spec.colour for spec in question.classes}
    n = {value: values.count(value) for value in dict.fromkeys(values)}
    ranked = sorted(n.items(), key=lambda vote: (-vote[1], vote[0]))
    return [{"name": name, "n": count, "colour": colours.get(name)} for name, count in ranked]


def _decision(
    question: QuestionSpec,
    current: Any,
    sent: QueryDict | None,
    values: list[str],
    *,
    before: Resolution | None = None,
) -> Json:
    """What the form shows: the classes with their keys, those of the label page, and what is chosen.

    That is what was sent; else what is in force: its value (``current``) and the rest of it (``before``).
    """
    chosen = current if sent is None else value_of(question, sent)
    ticked = set(chosen) if isinstance(chosen, list) else {chosen}
    return {
        "classes": [
            {"spec": spec, "key": key, "chosen": spec.name in ticked}
            for spec, key in zip(question.classes, _keys(question), strict=True)
        ],
        "text": "" if chosen is None else as_text(chosen),
        "offers": [] if question.is_choice else list(dict.fromkeys(values))[:9],
        **_beside(sent, before),
    }


def _beside(sent: QueryDict | None, before: Resolution | None) -> Json:
    """Cause, comment and whether it is a candidate for gold: as sent, else as in force."""
    if sent is not None:
        return {
            "cause": sent.get("cause", ""),
            "comment": sent.get("comment", ""),
            "gold": "gold_candidate" in sent,
        }
    if before is None:
        return {"cause": "", "comment": "", "gold": False}
    return {"cause": before.cause, "comment": before.comment, "gold": before.gold_candidate}


def _says_the_same(question: QuestionSpec, row: Resolution, sent: QueryDict) -> bool:
    """Whether a form says what is in force already. Line ends differ by browser; a line of text holds none."""
    current, given = value_said(question, row), value_of(question, sent)
    if question.kind == QuestionKind.TEXT:
        current, given = _one_line(current), _one_line(given)
    elif isinstance(current, list) and isinstance(given, list):
        current, given = set(current), set(given)
    now = _beside(None, row)
    again = _beside(sent, None)
    now["comment"], again["comment"] = _lines(now["comment"]), _lines(again["comment"])
    return current is not None and bool(current == given) and now == again


def _one_line(text: Any) -> str:
    return "".join(str(text).splitlines())


def _lines(text: str) -> list[str]:
    return text.strip().splitlines()


def _keys(question: QuestionSpec) -> list[str]:
    """The classes' own keys where they are digits, for letters do other things here; else 1 to 9 in their order."""
    own = [spec.key for spec in question.classes]
    if all(key in DIGITS for key in own):
        return own
    return [str(place) if place < len(DIGITS) else "" for place in range(1, len(own) + 1)]


def _shown(question: QuestionSpec, row: Any) -> str:
    """The value of a resolution or review in words; nothing where it was taken back."""
    value = value_said(question, row)
    if value is None:
        return ""
    return as_text(value) or _("(empty)")


def _review(question: QuestionSpec, row: Any, reader: Membership) -> Json:
    return {"row": row, "who": shown_name(row.reviewer, reader), "value": _shown(question, row)}


def _undo(membership: Membership, query: Mapping[str, Any], own: int) -> Json | None:
    """The resolution that u takes back: that of this item, else the one settled just before."""
    number = own or _number(query.get("undo", ""))
    if not number:
        return None
    try:
        row = resolution_of(number)
    except Missing:
        return None
    if (
        row.item.project_id != membership.project_id
        or not row.current
        or row.item_id in held_items(membership)
    ):
        return None
    question = question_asked(membership.project, row.question.key)
    if question is None:
        return None
    return {
        "row": row,
        "value": _shown(question, row),
        "own": bool(own),
        "rule_url": _rule_url(membership, question, row.item, row),
    }


@require_POST
@project_view(Action.ADJUDICATE)
def settle(request: HttpRequest, membership: Membership, item_id: int) -> HttpResponseBase:
    """Settle an item, and go on to the next one of the same queue. What is settled so already stays as it is."""
    query = QueryDict(request.POST.get("query", ""))
    question = _question(membership, query)
    following = _next_url(membership, question, item_id, query)
    if _is_settled_so(request, membership, item_id, question):
        messages.info(request, _("Nothing was changed: the item was settled so already."))
        return _go_on(membership, query, following)
    try:
        made = service.settle(
            membership,
            item_id,
            question.key,
            value_of(question, request.POST),
            cause=request.POST.get("cause", ""),
            comment=request.POST.get("comment", ""),
            gold_candidate="gold_candidate" in request.POST,
            withdraw="withdraw" in request.POST and request.POST.get("cause") == Cause.BROKEN,
            revision=_number(request.POST.get("revision", "")),
        )
    except Stale as error:
        return _item_page(request, membership, item_id, question, query, error=error, status=412)
    except (Invalid, NotAllowed) as error:
        return _item_page(request, membership, item_id, question, query, error=error, status=422)
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect(_item_url(membership, item_id, _kept(query)))
    if following is None:
        messages.success(request, _told_last(membership, question, made))
        return _go_on(membership, query, None)
    return _go_on(membership, query, following, f"&undo={made.pk}")


def _is_settled_so(
    request: HttpRequest, membership: Membership, item_id: int, question: QuestionSpec
) -> bool:
    """Whether what was sent is in force word by word. An item that was answered anew since is settled anew."""
    row = resolution_on(item_of(membership.project_id, item_id), question.id)
    if row is None or row.overtaken or row.item_id in held_items(membership) or "withdraw" in request.POST:
        return False
    return row.revision == _number(request.POST.get("revision", "")) and _says_the_same(
        question, row, request.POST
    )


def _go_on(
    membership: Membership, query: Mapping[str, Any], following: int | None, more: str = ""
) -> HttpResponse:
    """To the next item, or to the queue where none is left."""
    kept = _kept(query)
    if following is None:
        return redirect(f"{reverse('adjudication', args=[membership.project.slug])}?{kept}#queue")
    return redirect(_item_url(membership, following, kept + more))


def _told_last(membership: Membership, question: QuestionSpec, made: Resolution) -> str:
    """What is said after the last item, with a link to the rule where one was missing."""
    words = _("Settled. That was the last one here.")
    url = _rule_url(membership, question, made.item, made)
    return format_html('{} <a href="{}">{}</a>', words, url, _("Write the rule")) if url else words


def _next_url(membership: Membership, question: QuestionSpec, item_id: int, query: QueryDict) -> int | None:
    """The item to go on with: the one behind this, else the first that is left."""
    items = queue_of(membership, question, _wanted(membership, question, query)).items
    at = items.index(item_id) + 1 if item_id in items else 0
    rest = [pk for pk in items[at:] + items[:at] if pk != item_id]
    return next(iter(rest), None)


@require_POST
@project_view(Action.ADJUDICATE)
def undo(request: HttpRequest, membership: Membership, item_id: int) -> HttpResponseBase:
    """Take back how an item is settled, and show it again."""
    query = QueryDict(request.POST.get("query", ""))
    item = item_of(membership.project_id, item_id)
    kept = _kept(query)
    try:
        row = resolution_of(_number(request.POST.get("resolution", "")))
        if row.item_id != item.pk:
            raise Missing
        kept = _kept(query, question=row.question.key)
        take_back(membership, row.pk, _number(request.POST.get("revision", "")))
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("Taken back: the votes make the label again."))
    return redirect(_item_url(membership, item.pk, kept))


@require_POST
@project_view(Action.ADJUDICATE)
def refer(request: HttpRequest, membership: Membership, item_id: int) -> HttpResponseBase:
    """Ask reviewers, and go on."""
    query = QueryDict(request.POST.get("query", ""))
    question = _question(membership, query)
    following = _next_url(membership, question, item_id, query)
    people = [_number(text) for text in request.POST.getlist("reviewer")]
    try:
        made = service.refer(membership, item_id, question.key, people, request.POST.get("note", ""))
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect(_item_url(membership, item_id, _kept(query)))
    words = ngettext("%(n)s reviewer was asked.", "%(n)s reviewers were asked.", len(made))
    messages.success(request, words % {"n": len(made)})
    return _go_on(membership, query, following)


# --- Many at once -------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@project_view(Action.ADJUDICATE)
def bulk(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Items that were answered alike: the patterns by number of items, and one of them to settle at once."""
    query = QueryDict(request.POST.get("query", "")) if request.method == "POST" else request.GET
    question = _question(membership, query)
    if request.method == "POST":
        return _settle_bulk(request, membership, question, query)
    return _bulk_page(request, membership, question, query)


def _bulk_page(
    request: HttpRequest,
    membership: Membership,
    question: QuestionSpec,
    query: QueryDict,
    *,
    error: DomainError | None = None,
    status: int = 200,
) -> HttpResponse:
    project, wanted = membership.project, _wanted(membership, question, query)
    queue = queue_of(membership, question, replace(wanted, state="open", pattern=None))
    lines = patterns_in(project, question, queue)
    chosen = next((line for line in lines if line.key == wanted.pattern), None)
    context: Json = {
        "question": question,
        "patterns": [
            {
                "said": said(line.said),
                "n": len(line.items),
                "url": f"?{_kept(query, pattern=line.key)}",
            }
            for line in lines[:MOST_PATTERNS]
        ],
        "n_patterns": len(lines),
        "back_url": f"{reverse('adjudication', args=[project.slug])}?{_kept(query, pattern='')}#queue",
        "all_url": f"?{_kept(query, pattern='')}",
        "gone": bool(wanted.pattern) and chosen is None,
        "chosen": None,
        "query": _kept(query),
        "error": error,
    }
    if chosen is not None:
        shown = chosen.items[:BULK]
        items = items_here(project, shown)
        context |= {
            "chosen": chosen,
            "said": said(chosen.said),
            "pattern": json.dumps(dict(chosen.said)),
            "rows": [
                {"item": items[pk], "text": excerpt_of(project, items[pk])} for pk in shown if pk in items
            ],
            "total": len(chosen.items),
            "votes": _votes(question, [name for name, n in chosen.said for _each in range(n)]),
            "decision": _decision(
                question,
                None,
                request.POST if request.method == "POST" else None,
                [name for name, _n in chosen.said],
            ),
            "causes": Cause.choices,
        }
    return project_page(request, membership, SECTION, "core/adjudication/bulk.html", context, status=status)


def _settle_bulk(
    request: HttpRequest, membership: Membership, question: QuestionSpec, query: QueryDict
) -> HttpResponse:
    wanted = [number for number in map(_number, request.POST.getlist("item")) if number]
    try:
        done = settle_many(
            membership,
            wanted,
            question.key,
            value_of(question, request.POST),
            pattern=_pattern(request.POST.get("pattern", "")),
            cause=request.POST.get("cause", ""),
            comment=request.POST.get("comment", ""),
            gold_candidate="gold_candidate" in request.POST,
        )
    except Invalid as error:
        return _bulk_page(request, membership, question, query, error=error, status=422)
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect(f"{request.path}?{_kept(query)}")
    if done.made:
        words = ngettext("%(n)s item was settled.", "%(n)s items were settled.", len(done.made))
        told = words % {"n": len(done.made)}
        url = _rule_url(membership, question, done.made[0].item, done.made[0])
        messages.success(
            request, format_html('{} <a href="{}">{}</a>', told, url, _("Write the rule")) if url else told
        )
    if done.left:
        reasons = ", ".join(
            f"{list(done.left.values()).count(why)} {word}"
            for why, word in LEFT.items()
            if why in done.left.values()
        )
        messages.warning(request, _("Left as they were: %(reasons)s.") % {"reasons": reasons})
    return redirect(f"{request.path}?{_kept(query, pattern='')}")


def _pattern(text: str) -> dict[str, int]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(type(n) is int for n in found.values()):
        raise Invalid("bad-pattern", _("The page did not say what people had answered. Open it again."))
    return found


# --- Reviews ------------------------------------------------------------------------------------------


@require_safe
@never_cache
@project_view(Action.ADJUDICATE)
def reviews(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """What the reader was asked to look at, the oldest first, and what they have said lately."""
    project = membership.project
    waiting = list(my_reviews(membership)[:BULK])
    answered = list(my_reviews(membership, answered=True).order_by("-answered_at", "-pk")[:PAGE])
    context: Json = {
        "waiting": [
            {
                "row": row,
                "text": excerpt_of(project, row.item),
                "question": row.question.title or row.question.key,
                "by": row.asked_by,
            }
            for row in waiting
        ],
        "answered": [
            {"row": row, "value": _shown(question, row)}
            for row in answered
            if (question := question_asked(project, row.question.key)) is not None
        ],
        "api_url": f"{reverse('api:reviews', args=[project.slug])}?mine=1",
    }
    return project_page(request, membership, SECTION, "core/adjudication/reviews.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@project_view(Action.ADJUDICATE)
def answer(request: HttpRequest, membership: Membership, review_id: int) -> HttpResponseBase:
    """One review: the item as annotators see it; what they said shows when the reviewer has said what they think."""
    project = membership.project
    row = review_of(review_id)
    if row.item.project_id != project.pk:
        raise Missing
    if row.reviewer_id != membership.pk:
        messages.error(request, _("Somebody else was asked about this item."))
        return redirect("reviews", project.slug)
    question = question_asked(project, row.question.key)
    if question is None:
        raise Missing
    error: DomainError | None = None
    if request.method == "POST":
        try:
            answer_review(
                membership,
                row.pk,
                value_of(question, request.POST),
                cause=request.POST.get("cause", ""),
                comment=request.POST.get("comment", ""),
            )
        except DomainError as refused:
            error = refused
        else:
            following = my_reviews(membership).first()
            messages.success(request, _("Noted. Whoever settles the item sees it."))
            if following is None:
                return redirect("reviews", project.slug)
            return redirect("review_answer", project.slug, following.pk)
    item = item_of(project.pk, row.item_id)
    case = case_of(item, question, membership)
    done = row.answered_at is not None
    context: Json = {
        "review": row,
        "item": item,
        "question": question,
        "blocks": blocks_of(project, item.data),
        "held": case.held,
        "overtaken": row.item_version != item.version,
        "settled": resolution_on(item, question.id) is not None and done,
        "value": _shown(question, row),
        "votes": _votes(question, [side.value for side in case.sides]) if done else [],
        "own": case.own,
        "decision": _decision(question, None, request.POST if request.method == "POST" else None, []),
        "causes": Cause.choices,
        "guideline": project.guideline,
        "guideline_html": guideline_html(project, project.guideline.text) if project.guideline else "",
        "error": error,
    }
    status = 200 if error is None else 422
    return project_page(request, membership, SECTION, "core/adjudication/review.html", context, status=status)
