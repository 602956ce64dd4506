"""Training rounds: the list, a new one, and one with its items and people."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from core.access import Action
from core.choices import TrainingState
from core.exceptions import DomainError, Invalid, Stale
from core.models import Item, Membership, TrainingRound
from core.selectors.display import excerpt_of
from core.selectors.gold import settled_comments
from core.selectors.item import batches_of
from core.selectors.question import schema_of
from core.selectors.tag import tags_of
from core.selectors.training_round import (
    PersonInRound,
    RoundItem,
    counts_by_round,
    items_of_round,
    people_in,
    round_items_drawn,
    round_items_filtered,
    round_items_named,
    sendable_to,
    training_round_of,
    training_rounds_of,
    version_of,
)
from core.services.training_round import (
    LONGEST_EXPLANATION,
    create_round,
    edit_round,
    excuse_from,
    send_through,
)
from core.web.access import project_view
from core.web.forms.item import FilterForm
from core.web.forms.training_round import DRAWN, FILTER, USUAL_MOST, EditRoundForm, NewRoundForm, PeopleForm
from core.web.gold_words import told
from core.web.pages import project_page, tell_form

Json = dict[str, Any]
SECTION = "training_rounds"
MOST_ROUNDS = 200


@never_cache
@require_safe
@project_view(Action.GOLD_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Every round, newest first, with how many people it has."""
    project = membership.project
    rounds = list(training_rounds_of(project.pk)[:MOST_ROUNDS])
    counts = counts_by_round(rounds)
    context = {
        "rounds": [
            {"round": one, **counts[one.pk], "waiting": _waiting(one, counts[one.pk])} for one in rounds
        ],
        "joining": next((one for one in rounds if one.active), None),
        "api_url": reverse("api:training-rounds", args=[project.slug]),
    }
    return project_page(request, membership, SECTION, "core/training_round/index.html", context)


def _waiting(training: TrainingRound, counts: dict[str, int]) -> int:
    """How many people have no try left, so that a lead must decide."""
    return sum(one.waits for one in people_in(training)) if counts["before"] else 0


# --- A new one ------------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.GOLD_EDIT)
def new(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Name a round and choose its items; explanations, order and people come on its own page."""
    project = membership.project
    data = request.POST if request.method == "POST" else None
    questions = [one for one in schema_of(project).questions if one.is_choice]
    form = NewRoundForm(data, questions)
    filters = FilterForm(data, list(batches_of(project.pk)), list(tags_of(project.pk)))
    if data is not None and form.is_valid() and filters.is_valid():
        try:
            items = _chosen(membership, form, filters)
            reasons = settled_comments([item.pk for item in items], LONGEST_EXPLANATION)
            wanted = [(item.external_id, reasons.get(item.pk, "")) for item in items]
            made = create_round(membership, form.changes(items=wanted))
        except DomainError as error:
            _tell(form, error, form.cleaned_data["source"])
        else:
            messages.success(
                request,
                _("The round is made and still off. Say why each answer is right, then switch it on."),
            )
            return redirect("training_round_edit", project.slug, made.pk)
    status = 200 if data is None else 422
    context = {"form": form, "filters": filters}
    return project_page(request, membership, SECTION, "core/training_round/new.html", context, status=status)


def _chosen(membership: Membership, form: NewRoundForm, filters: FilterForm) -> list[Item]:
    """The items that a valid form asks for. Raises Invalid."""
    fields = form.cleaned_data
    if fields["source"] == DRAWN:
        question = schema_of(membership.project).question(fields["question"])
        if question is None or not fields["per_class"]:
            raise Invalid("bad-items", _("Say of which question, and how many items of every class."))
        return round_items_drawn(membership.project, question, fields["per_class"])
    if fields["source"] == FILTER:
        return round_items_filtered(membership.project, filters.filters(), fields["most"] or USUAL_MOST)
    return round_items_named(membership.project, form.names())


def _tell(form: NewRoundForm, error: DomainError, source: str) -> None:
    """Show a refusal at the field that it is about."""
    fields = {"items": "per_class" if source == DRAWN else "most" if source == FILTER else "ids"}
    fields |= {"pass_mark": "pass_percent"}
    for row in error.errors:
        row["field"] = fields.get(row.get("field", ""), row.get("field", ""))
    tell_form(form, error)


# --- One of them ----------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.GOLD_EDIT)
def edit(request: HttpRequest, membership: Membership, round_id: int) -> HttpResponseBase:
    """Its settings and items (``do`` is ``save``), and its people (``send``, ``excuse``)."""
    training = training_round_of(membership.project_id, round_id)
    if request.method != "POST":
        return _page(request, membership, training)
    do = request.POST.get("do")
    if do in {"send", "excuse"}:
        return _people(request, membership, training)
    form = EditRoundForm(request.POST, items_of_round(training))
    if not form.is_valid():
        return _page(request, membership, training, form, status=422)
    try:
        edit_round(membership, training.pk, form.wanted(), form.cleaned_data["version"])
    except Stale:
        return _stale(request, membership, training)
    except DomainError as error:
        for row in error.errors:
            row["field"] = {"items": "more", "pass_mark": "pass_percent"}.get(row["field"], row["field"])
        tell_form(form, error)
        return _page(request, membership, training, form, status=422)
    messages.success(request, _("Saved."))
    return redirect("training_round_edit", membership.project.slug, training.pk)


def _stale(request: HttpRequest, membership: Membership, training: TrainingRound) -> HttpResponse:
    """What was typed stays in the fields, above the round as it is by now: a second save is a decision."""
    training.refresh_from_db()
    data: QueryDict = request.POST.copy()
    data["version"] = version_of(training)
    items = items_of_round(training)
    for one in items:  # what somebody else has put in meanwhile was not on the page
        data.setdefault(f"order-{one.item.pk}", str(one.order))
        data.setdefault(f"why-{one.item.pk}", one.explanation)
    form = EditRoundForm(data, items)
    form.add_error(
        None,
        _(
            "Somebody else changed this round since you opened the page. Nothing of yours is saved yet. Save again to "
            "put yours in force."
        ),
    )
    return _page(request, membership, training, form, status=412)


def _people(request: HttpRequest, membership: Membership, training: TrainingRound) -> HttpResponse:
    """Send people through the round, or let them label without it."""
    do, sent = request.POST["do"], request.POST.getlist("members")
    ids = [int(text) for text in sent if text.isascii() and text.isdigit() and len(text) < 19]  # noqa: PLR2004 -- fits the column
    try:
        if do == "send":
            n = len(send_through(membership, training.pk, ids))
            words = ngettext(
                "%(n)s person gets this round before anything else, and is told.",
                "%(n)s people get this round before anything else, and are told.",
                n,
            )
        else:
            n = len(excuse_from(membership, training.pk, ids))
            words = ngettext(
                "%(n)s person labels without having passed.", "%(n)s people label without having passed.", n
            )
        messages.success(request, words % {"n": n})
    except DomainError as error:
        messages.error(request, error.detail)
    address = reverse("training_round_edit", args=[membership.project.slug, training.pk])
    return redirect(f"{address}#people")


def _page(
    request: HttpRequest,
    membership: Membership,
    training: TrainingRound,
    form: EditRoundForm | None = None,
    status: int = 200,
) -> HttpResponse:
    project = membership.project
    if form is None:
        form = EditRoundForm.of(training, items_of_round(training), version_of(training))
    titles = {one.key: one.title or one.key for one in schema_of(project).questions}
    people = people_in(training)
    sendable = list(sendable_to(training))
    context: Json = {
        "training": training,
        "form": form,
        "rows": [_row(project_row, membership, titles) for project_row in form.rows()],
        "unusable": sum(not one.usable for one in form.items),
        "without_reason": sum(not one.explanation for one in form.items),
        "people": [_person(one) for one in people],
        "people_form": PeopleForm(None, sendable) if sendable else None,
        "api_url": reverse("api:training-round", args=[training.pk]),
    }
    return project_page(request, membership, SECTION, "core/training_round/edit.html", context, status=status)


def _row(row: Json, membership: Membership, titles: dict[str, str]) -> Json:
    one: RoundItem = row["item"]
    gold = [{"title": titles[key], "value": told(value)} for key, value in one.gold.items()]
    return {**row, "one": one, "text": excerpt_of(membership.project, one.item), "gold": gold}


def _person(one: PersonInRound) -> Json:
    if one.state == TrainingState.PASSED:
        tone, word = "good", _("passed")
    elif one.waits:
        tone, word = "attention", _("not passed: waits for you")
    elif one.state == TrainingState.FAILED:
        tone, word = "bad", _("not passed")
    elif one.state == TrainingState.RUNNING and one.before_them:
        tone, word = "active", _("under way")
    elif one.before_them:
        tone, word = "neutral", _("not begun")
    else:
        tone, word = "neutral", _("excused")
    return {"one": one, "tone": tone, "word": word}
