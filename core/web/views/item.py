"""Items: the filtered list, one item with everything known about it, and what a lead may do with it."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.access import LEADS, Action
from core.choices import ItemState, Pass
from core.exceptions import Conflict, DomainError, Invalid, Missing, Stale
from core.models import Annotation, Item, Membership, Pick
from core.pipelines.archive import import_archive
from core.selectors.annotation import answers_of
from core.selectors.display import as_text, blocks_of, excerpt_of
from core.selectors.history import item_history
from core.selectors.item import (
    assets_of,
    batch_of,
    batches_of,
    gold_of,
    history_of,
    holds,
    is_done,
    item_of,
    items_of,
    pass_told,
    reads_gold,
    shown_name,
    tag_names,
)
from core.selectors.membership import members_of
from core.selectors.selection import picks_of_item
from core.selectors.tag import tags_of
from core.services.item import (
    assign_batch,
    correct_item,
    resolve_flags,
    restore_item,
    return_item,
    withdraw_item,
)
from core.services.tag import add_tag, remove_tag
from core.web.access import project_view
from core.web.forms.imports import ImagesForm
from core.web.forms.item import BatchForm, CorrectForm, FilterForm, TagForm
from core.web.history_words import history_line
from core.web.pages import project_page, tell_form
from core.web.selection_words import pick_reason

PAGE = 50
MOST_ASSETS = 50
MOST_ROUNDS = 5


# --- The list -----------------------------------------------------------------------------------------


@require_safe
@project_view(Action.ITEMS_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Items in the order in which they came in, narrowed by a filter, fifty at a time."""
    project = membership.project
    known_tags = list(tags_of(project.pk))
    form = FilterForm(request.GET, list(batches_of(project.pk)), known_tags)
    rows: list[Item] = []
    previous = following = None
    if form.is_valid():
        try:
            rows, previous, following = _slice(request, membership, form.filters())
        except Invalid as error:
            form.add_error(None, error.detail)
    context = {
        "form": form,
        "rows": [
            {
                "item": item,
                "text": excerpt_of(membership.project, item),
                "state": _state(item),
                "tags": tag_names(item),
            }
            for item in rows
        ],
        "previous_url": previous,
        "next_url": following,
        "narrowed": form.is_valid() and bool(form.filters()),
        "may_import": membership.role in LEADS,
        "tag_form": TagForm(),
        "known_tags": known_tags,
        "query": request.GET.urlencode(),
    }
    status = 422 if form.errors else 200
    return project_page(request, membership, "items", "core/item/index.html", context, status=status)


def _slice(
    request: HttpRequest, membership: Membership, filters: dict[str, str]
) -> tuple[list[Item], str | None, str | None]:
    """One page by key, never by offset: the cost does not grow with the place in the list."""
    items = items_of(membership.project_id, filters)
    before, after = _number(request, "before"), _number(request, "after")
    if before is not None:
        found = list(items.filter(pk__lt=before).order_by("-pk")[: PAGE + 1])
        rows, more_before, more_after = found[:PAGE][::-1], len(found) > PAGE, True
    else:
        found = list((items.filter(pk__gt=after) if after is not None else items)[: PAGE + 1])
        rows, more_before, more_after = found[:PAGE], after is not None, len(found) > PAGE
    kept = [(name, value) for name, value in request.GET.items() if name not in {"before", "after"} and value]
    previous = f"?{urlencode([*kept, ('before', rows[0].pk)])}" if rows and more_before else None
    following = f"?{urlencode([*kept, ('after', rows[-1].pk)])}" if rows and more_after else None
    return rows, previous, following


def _number(request: HttpRequest, name: str) -> int | None:
    value = request.GET.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None  # noqa: PLR2004 -- fits the column


def _state(item: Item) -> dict[str, str]:
    if is_done(item):
        return {"key": "done", "word": _("done")}
    return {"key": item.state, "word": str(ItemState(item.state).label)}


# --- One item -----------------------------------------------------------------------------------------


@require_safe
@project_view(Action.ITEMS_READ)
def one(request: HttpRequest, membership: Membership, item_id: int) -> HttpResponseBase:
    """An item as annotators see it, where it came from, what people answered, and what can be done."""
    project = membership.project
    item = item_of(project.pk, item_id)
    is_lead = membership.role in LEADS
    # Blind for whoever is about to answer it, also for a lead.
    is_held = holds(membership, item)
    history = [] if is_held else [_annotation(membership, item, row) for row in history_of(item, membership)]
    sees_gold = reads_gold(membership) and not is_held
    flags = item.flagged.select_related("annotator").order_by("pk")
    context: dict[str, Any] = {
        "item": item,
        "state": _state(item),
        "blocks": blocks_of(project, item.data),
        "meta": [(key, as_text(value)) for key, value in item.meta.items()],
        "is_held": is_held,
        "current": [row for row in history if row["counts"]],
        "earlier": [row for row in history if not row["counts"]],
        "gold": [(key, as_text(value)) for key, value in gold_of(item).items()] if sees_gold else [],
        "picks": [] if is_held else [_pick(one) for one in _picks_of(item)],
        "flags": [{"name": shown_name(flag.annotator, membership), "flag": flag} for flag in flags],
        "versions": [
            {"version": old, "blocks": blocks_of(project, old.data)}
            for old in item.versions.select_related("replaced_by").order_by("-version")
        ],
        "is_lead": is_lead,
        "withdraw_facts": _withdraw_facts(item),
        "tags": tag_names(item),
        "tag_form": TagForm(),
        "known_tags": tags_of(project.pk),
    }
    return project_page(request, membership, "items", "core/item/page.html", context)


def _picks_of(item: Item) -> list[Pick]:
    """The last rounds that put an item into the queue."""
    return [one for one in picks_of_item(item) if one.selection.applied_at][:MOST_ROUNDS]


def _pick(pick: Pick) -> dict[str, Any]:
    """The round that put an item into the queue, and why."""
    return {
        "number": pick.selection.number,
        "when": pick.selection.applied_at,
        "why": pick_reason(pick.stream, pick.reason),
    }


def _annotation(membership: Membership, item: Item, row: Annotation) -> dict[str, Any]:
    return {
        "row": row,
        "pass": Pass(pass_told(row.pass_kind, membership)).label,
        "name": shown_name(row.annotator, membership),
        "answers": [(key, as_text(value)) for key, value in answers_of(row).items()],
        "counts": row.current and not row.voided and row.item_version == item.version,
    }


def _withdraw_facts(item: Item) -> list[str]:
    kept = ngettext("%d answer is kept.", "%d answers are kept.", item.done) % item.done
    held = ngettext(
        "%d person who has it in hand gets another.", "%d people who have it in hand get others.", item.leased
    )
    return [_("Nobody gets it any more, and it leaves the count of items."), kept, held % item.leased]


Change = Callable[[Membership, int], Item]


def _change(
    request: HttpRequest, membership: Membership, item_id: int, change: Change, words: str
) -> HttpResponse:
    try:
        change(membership, item_id)
    except Conflict as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, words)
    return redirect("item", membership.project.slug, item_id)


@require_POST
@project_view(Action.ITEMS_EDIT)
def withdraw(request: HttpRequest, membership: Membership, item_id: int) -> HttpResponseBase:
    """Take an item out; its answers are kept."""
    return _change(request, membership, item_id, withdraw_item, _("Withdrawn. It can be restored here."))


@require_POST
@project_view(Action.ITEMS_EDIT)
def restore(request: HttpRequest, membership: Membership, item_id: int) -> HttpResponseBase:
    """Undo a withdrawal."""
    return _change(request, membership, item_id, restore_item, _("Restored."))


@require_POST
@project_view(Action.ITEMS_EDIT)
def send_back(request: HttpRequest, membership: Membership, item_id: int) -> HttpResponseBase:
    """Give an item that waits for the lead back to the annotators."""
    return _change(request, membership, item_id, return_item, _("Back in the queue: it is handed out first."))


@require_POST
@project_view(Action.ITEMS_EDIT)
def flags_read(request: HttpRequest, membership: Membership, item_id: int) -> HttpResponseBase:
    """The lead has read the flags of an item."""
    return _change(request, membership, item_id, resolve_flags, _("Flags marked as read."))


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.ITEMS_EDIT)
def correct(request: HttpRequest, membership: Membership, item_id: int) -> HttpResponseBase:
    """Correct an item's data: a new version; answers stay with the old one."""
    item = item_of(membership.project_id, item_id)
    form = (
        CorrectForm(request.POST)
        if request.method == "POST"
        else CorrectForm(initial=CorrectForm.initial_of(item))
    )
    status = 200
    if request.method == "POST" and form.is_valid():
        fields = form.cleaned_data
        try:
            made = correct_item(
                membership, item_id, fields["version"], data=fields["item_data"], meta=fields["item_meta"]
            )
        except Stale:
            status = 412
            form.add_error(
                None,
                _(
                    "Somebody else corrected this item since you opened the page. Nothing of yours is saved: "
                    "open the item again and compare."
                ),
            )
        except Invalid as error:
            tell_form(form, error)
        else:
            changed = made.version != item.version
            messages.success(
                request,
                _("Saved as version %d. People are asked again.") % made.version if changed else _("Saved."),
            )
            return redirect("item", membership.project.slug, item_id)
    if form.errors and status == 200:  # noqa: PLR2004 -- nothing more particular was said
        status = 422
    context = {"form": form, "item": item}
    return project_page(request, membership, "items", "core/item/correct.html", context, status=status)


# --- Tags ---------------------------------------------------------------------------------------------


@require_POST
@project_view(Action.ITEMS_TAG)
def tags(request: HttpRequest, membership: Membership, item_id: int) -> HttpResponseBase:
    """Put a tag on this item or take one off."""
    item = item_of(membership.project_id, item_id)
    _tag(request, membership, [item.external_id])
    return redirect("item", membership.project.slug, item_id)


@require_POST
@project_view(Action.ITEMS_TAG)
def tag_several(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Put a tag on the items that were ticked in the list, or take it off them."""
    chosen = request.POST.getlist("item")
    if chosen:
        _tag(request, membership, chosen)
    else:
        messages.error(request, _("Tick the items that the tag is for."))
    kept = QueryDict(request.POST.get("query", "")).urlencode()
    return redirect(f"{reverse('items', args=[membership.project.slug])}{'?' if kept else ''}{kept}")


def _tag(request: HttpRequest, membership: Membership, items: list[str]) -> None:
    remove = request.POST.get("do") == "remove"
    change = remove_tag if remove else add_tag
    try:
        name, n = change(membership, request.POST.get("name"), items)
    except (Invalid, Conflict) as error:
        messages.error(request, error.detail)
        return
    if remove:
        words = ngettext("“%(tag)s” is off %(n)d item.", "“%(tag)s” is off %(n)d items.", n)
    else:
        words = ngettext("“%(tag)s” is on %(n)d more item.", "“%(tag)s” is on %(n)d more items.", n)
    messages.success(request, words % {"tag": name, "n": n})


# --- Batches and images -------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.ITEMS_EDIT)
def batch(request: HttpRequest, membership: Membership, number: int) -> HttpResponseBase:
    """Give a batch to named people, or back to everybody."""
    shown = batch_of(membership.project_id, number)
    people = [one for one in members_of(membership.project) if one.active and one.user_id]
    if request.method == "POST":
        form = BatchForm(people, request.POST)
        if form.is_valid():
            try:
                assign_batch(membership, number, form.cleaned_data["members"])
            except Invalid as error:
                tell_form(form, error)
            else:
                messages.success(request, _("Saved. Items that are in people's hands stay with them."))
                return redirect("imports", membership.project.slug)
    else:
        form = BatchForm(people, initial={"members": [member.pk for member in shown.members.all()]})
    context = {"form": form, "batch": shown}
    status = 422 if form.errors else 200
    return project_page(request, membership, "imports", "core/imports/batch.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.IMPORTS_EDIT)
def images(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Upload a zip of images: all of them, or none."""
    form = ImagesForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            added = import_archive(membership, form.cleaned_data["file"])
        except Missing:
            raise
        except DomainError as error:
            form.add_error("file", error.detail)
        else:
            words = ngettext("%d image is here.", "%d images are here.", len(added)) % len(added)
            messages.success(request, words)
            return redirect("images", membership.project.slug)
    assets = assets_of(membership.project_id)
    context = {"form": form, "n_assets": assets.count(), "assets": assets[:MOST_ASSETS]}
    status = 422 if form.errors else 200
    return project_page(request, membership, "imports", "core/imports/images.html", context, status=status)


@require_safe
@project_view(Action.ITEMS_READ)
def history(request: HttpRequest, membership: Membership, item_id: int) -> HttpResponseBase:
    """Everything that ever happened to an item, in order."""
    item = item_of(membership.project_id, item_id)
    events = item_history(item, membership)
    lines = [history_line(membership.project.slug, item, event) for event in events or ()]
    context = {"item": item, "is_held": events is None, "lines": lines}
    return project_page(request, membership, "items", "core/item/history.html", context)
