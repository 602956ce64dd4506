"""Items that are sent out again: which and to whom, how far every queue is, and what it changed."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.access import LEADS, Action
from core.choices import Doubt, RelabelFor, RelabelTo
from core.exceptions import DomainError
from core.models import Membership
from core.selectors.item import batches_of, shown_name
from core.selectors.question import schema_of
from core.selectors.relabel import (
    LEAST,
    Found,
    Skipped,
    Wanted,
    checks_of_batches,
    items_named,
    items_wanted,
    n_drawable,
    people_of_relabel,
    progress_of_relabels,
    reachable_people,
    relabel_of,
    relabels_of,
)
from core.selectors.tag import tags_of
from core.services.relabel import Order, Sent, close_relabel, preview_send, send_again
from core.web.access import project_view
from core.web.forms.item import FilterForm
from core.web.forms.relabel import FILTER, IDS, NewRelabelForm
from core.web.pages import project_page, tell_form

PAGE = 25
SECTION = "relabels"
MOST_PEOPLE = 200
MOST_CHECKS = 50
SKIPPED = {
    Skipped.NOT_HERE: gettext_lazy("gone"),
    Skipped.NOT_OPEN: gettext_lazy("withdrawn or with the lead"),
    Skipped.NOT_ANSWERED: gettext_lazy("not answered yet"),
    Skipped.WAITS_ALREADY: gettext_lazy("in a queue already"),
    Skipped.NOBODY_LEFT: gettext_lazy("nobody can be asked"),
}


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """The queues, newest first, twenty-five at a time; ``queue`` shows one with its people."""
    project = membership.project
    chosen = _key(request.GET.get("queue", ""))
    before = _key(request.GET.get("before", ""))
    queues = relabels_of(project.pk)
    if before:
        queues = queues.filter(pk__lt=before)
    found = list(queues[: PAGE + 1])
    shown = found[:PAGE]
    context: dict[str, Any] = {
        "rows": progress_of_relabels(project, shown),
        "one": _one(membership, chosen) if chosen else None,
        "may_edit": membership.role in LEADS,
        "previous_url": reverse("relabels", args=[project.slug]) if before else None,
        "next_url": f"?before={shown[-1].pk}" if len(found) > PAGE else None,
        "api_url": reverse("api:relabels", args=[project.slug]),
    }
    return project_page(request, membership, SECTION, "core/relabel/page.html", context)


def _key(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0  # noqa: PLR2004 -- fits the column


def _one(membership: Membership, relabel_id: int) -> dict[str, Any]:
    """One queue with how far everybody is."""
    relabel = relabel_of(membership.project_id, relabel_id)
    (progress,) = progress_of_relabels(membership.project, [relabel])
    people = people_of_relabel(membership.project, relabel)
    return {
        "progress": progress,
        "people": [
            {"name": shown_name(person.member, membership), "progress": person}
            for person in people[:MOST_PEOPLE]
        ],
        "close_facts": [_waiting_words(progress.places - progress.places_answered)],
    }


def _waiting_words(n: int) -> str:
    words = ngettext(
        "At most %(n)s answer is not asked for any more; what somebody has in hand can still be answered.",
        "At most %(n)s answers are not asked for any more; what somebody has in hand can still be answered.",
        n,
    )
    return words % {"n": f"{n:,}"}


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@project_view(Action.ITEMS_EDIT)
def new(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Choose items and people; ``count`` says what would happen, ``send`` does it."""
    form, filters = _forms(request, membership)
    if request.method != "POST":
        return _new_page(request, membership, form, filters)
    if not (form.is_valid() and filters.is_valid()):
        return _new_page(request, membership, form, filters, status=422)
    try:
        found, order = _asked(membership, form, filters)
        if not found.ids:
            form.add_error("source", _("There is no such item."))
            return _new_page(request, membership, form, filters, status=422)
        if request.POST.get("do") != "send":
            counted = _words(membership, found, preview_send(membership, found.ids, order), order)
            return _new_page(request, membership, form, filters, counted=counted)
        sent = send_again(membership, found.ids, form.cleaned_data["reason"], drawn=found.drawn, order=order)
    except DomainError as error:
        tell_form(form, error)
        return _new_page(request, membership, form, filters, status=422)
    if sent.relabel is None:
        counted = _words(membership, found, sent, order)
        return _new_page(request, membership, form, filters, status=422, counted=counted)
    messages.success(request, _done_words(sent))
    return redirect(f"{reverse('relabels', args=[membership.project.slug])}?queue={sent.relabel.pk}")


def _forms(request: HttpRequest, membership: Membership) -> tuple[NewRelabelForm, FilterForm]:
    project = membership.project
    data = request.POST if request.method == "POST" else None
    asked = request.GET
    initial = {
        name: asked[name]
        for name in ("source", "guideline", "validation", "least", "to", "reason")
        if name in asked
    }
    form = NewRelabelForm(
        data,
        versions=list(project.guidelines.filter(number__gt=1).order_by("-number")),
        questions=list(schema_of(project).questions),
        people=list(reachable_people(project).order_by("pk")),
        checks=list(checks_of_batches(project)[:MOST_CHECKS]),
        n_drawable=n_drawable(project),
        initial=initial,
    )
    filters = FilterForm(
        request.POST if data is not None else asked, list(batches_of(project.pk)), list(tags_of(project.pk))
    )
    return form, filters


def _asked(membership: Membership, form: NewRelabelForm, filters: FilterForm) -> tuple[Found, Order]:
    """The items and the order that valid forms ask for. Raises as items_wanted."""
    fields = form.cleaned_data
    source = RelabelFor.LIST if fields["source"] in {IDS, FILTER} else RelabelFor(fields["source"])
    names = [line.strip() for line in fields["ids"].splitlines() if line.strip()]
    guideline = fields["guideline"] if source == RelabelFor.GUIDELINE else None
    wanted = Wanted(
        ids=items_named(membership.project, names) if fields["source"] == IDS else None,
        source=source,
        filters=filters.filters() if fields["source"] == FILTER else {},
        question=fields["question"] or None,
        least=fields["least"] or LEAST,
        guideline=guideline,
        doubt=Doubt(fields["doubt"] or Doubt.CONFIDENCE),
        validation=fields["validation"],
        most=fields["most"],
        drawn=fields["drawn"],
    )
    to = RelabelTo(fields["to"])
    members = fields["members"] if to == RelabelTo.NAMED else ()
    order = Order(to=to, members=members, blind=not fields["shown"], source=source, guideline=guideline)
    return items_wanted(membership, wanted), order


def _new_page(
    request: HttpRequest,
    membership: Membership,
    form: NewRelabelForm,
    filters: FilterForm,
    *,
    counted: Mapping[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {"form": form, "filters": filters, "counted": counted}
    return project_page(request, membership, SECTION, "core/relabel/new.html", context, status=status)


def _words(membership: Membership, found: Found, sent: Sent, order: Order) -> dict[str, Any]:
    """What would happen, in numbers."""
    names = dict(membership.project.memberships.values_list("pk", "name"))
    drawn = len(found.drawn & set(sent.sent))
    facts = [_items_words(len(sent.sent), sent.places)]
    if drawn:
        words = ngettext(
            "%(n)s of them was drawn from the audit slice by chance.",
            "%(n)s of them were drawn from the audit slice by chance.",
            drawn,
        )
        facts.append(words % {"n": f"{drawn:,}"})
    facts += [
        ngettext("%(name)s: %(n)s item", "%(name)s: %(n)s items", n) % {"name": names[pk], "n": f"{n:,}"}
        for pk, n in sorted(sent.people.items())[:MOST_PEOPLE]
    ]
    if order.to == RelabelTo.OTHERS and sent.sent:
        facts.append(_("Whoever has not answered an item may get it."))
    if sent.unreachable:
        people = ", ".join(names[pk] for pk in sorted(sent.unreachable)[:MOST_PEOPLE])
        facts.append(
            _("Cannot be asked again, because they cannot sign in here: %(people)s.") % {"people": people}
        )
    if sent.skipped:
        counts = Counter(sent.skipped.values())
        reasons = ", ".join(f"{n:,} {SKIPPED[code]}" for code, n in sorted(counts.items()))
        facts.append(_("Passed over: %(reasons)s.") % {"reasons": reasons})
    if found.left_out:
        words = ngettext("%(n)s more is left out.", "%(n)s more are left out.", found.left_out)
        facts.append(words % {"n": f"{found.left_out:,}"})
    send = ngettext("Send %(n)s item", "Send %(n)s items", len(sent.sent)) % {"n": f"{len(sent.sent):,}"}
    return {"facts": facts, "send": send if sent.sent else ""}


def _items_words(items: int, places: int) -> str:
    words = ngettext(
        "%(items)s item is sent out again; %(places)s answers are asked for.",
        "%(items)s items are sent out again; %(places)s answers are asked for.",
        items,
    )
    return words % {"items": f"{items:,}", "places": f"{places:,}"}


def _done_words(sent: Sent) -> str:
    words = ngettext(
        "%(items)s item is sent out again, before everything else. %(places)s answers are asked for.",
        "%(items)s items are sent out again, before everything else. %(places)s answers are asked for.",
        len(sent.sent),
    )
    return words % {"items": f"{len(sent.sent):,}", "places": f"{sent.places:,}"}


@require_POST
@project_view(Action.ITEMS_EDIT)
def close(request: HttpRequest, membership: Membership, relabel_id: int) -> HttpResponseBase:
    """End a queue; every answer stays."""
    try:
        dropped = close_relabel(membership, relabel_id)
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        words = ngettext(
            "The queue is closed: %(n)s answer is not asked for any more.",
            "The queue is closed: %(n)s answers are not asked for any more.",
            dropped,
        )
        messages.success(request, words % {"n": f"{dropped:,}"})
    return redirect(f"{reverse('relabels', args=[membership.project.slug])}?queue={relabel_id}")
