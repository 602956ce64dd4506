"""Gold: what is known to be true, what could become gold, and how far people are right on it."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core.access import Action
from core.choices import PausedBecause
from core.exceptions import DomainError
from core.models import Gold, Membership
from core.pipelines.gold import OnGold, gold_people
from core.selectors.adjudication import questions_by_id, value_said
from core.selectors.display import excerpt_of
from core.selectors.gold import (
    DoubtfulGold,
    candidates_of,
    doubtful_gold,
    gold_by_question,
    gold_of_project,
    gold_shown,
    supply_of,
)
from core.selectors.item import item_named
from core.selectors.question import schema_of
from core.services.gold import confirm_gold, remove_gold, set_gold
from core.web.access import project_view
from core.web.forms.gold import CONFIRMED, OUTSIDE, GoldFilter, GoldForm
from core.web.gold_words import told, warnings_about
from core.web.pages import project_page

Json = dict[str, Any]
SECTION = "gold"
PAGE = 25
MOST_DOUBTFUL = 25
MOST_PLOTTED = 40


@never_cache
@require_safe
@project_view(Action.GOLD_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Warnings first, then what waits for a decision, then people, then what there is."""
    project = membership.project
    questions, supply = gold_by_question(project), supply_of(project)
    doubtful = doubtful_gold(project)
    people = gold_people(project)
    n = sum(one.n for one in questions)
    context: Json = {
        "n": n,
        "questions": questions,
        "warnings": warnings_about(project, questions, supply, doubtful),
        "doubtful": [_doubted(one) for one in doubtful[:MOST_DOUBTFUL]],
        "n_doubtful": len(doubtful),
        "bound": None if project.gold_bound is None else float(project.gold_bound),
        "rate": project.gold_rate,
        "people": [_person(one) for one in people],
        "plot": [_plotted(one) for one in people if one.n][:MOST_PLOTTED],
        "form": GoldForm(None, schema_of(project)),
        "api_url": reverse("api:gold", args=[project.slug]),
        **_candidates(membership, request.GET),
        **_list(membership, request.GET),
    }
    return project_page(request, membership, SECTION, "core/gold/page.html", context)


def _doubted(one: DoubtfulGold) -> Json:
    return {
        "one": one,
        "value": told(one.value),
        "instead": told(one.instead),
        "fields": _fields(do="remove", gold=one.gold.pk),
    }


def _person(one: OnGold) -> Json:
    member = one.member
    return {
        "one": one,
        "figure": one.accuracy.to_dict(),
        "paused": one.state != PausedBecause.NOT,
        "because": PausedBecause(one.state).label,
        "in_training": member.training_round_id is not None,
    }


def _plotted(one: OnGold) -> Json:
    return {"name": one.member.name, "figure": one.accuracy.to_dict()}


def _candidates(membership: Membership, query: QueryDict) -> Json:
    """Twenty-five resolutions that are marked for gold, with the gold that is there already."""
    project, after = membership.project, _key(query.get("candidate", ""))
    rows = candidates_of(project)
    found = list((rows.filter(pk__gt=after) if after else rows)[: PAGE + 1])
    shown = found[:PAGE]
    specs = questions_by_id(project)
    present = {
        (gold.item_id, gold.question_id): gold
        for gold in gold_of_project(project).filter(item__in=[one.item_id for one in shown])
    }
    values = gold_shown(project, list(present.values()))
    candidates = []
    for one in shown:
        gold = present.get((one.item_id, one.question_id))
        candidates.append(
            {
                "row": one,
                "text": excerpt_of(project, one.item),
                "value": told(value_said(specs[one.question_id], one)),
                "gold": gold,
                "gold_value": told(values.get(gold.pk)) if gold else "",
                "fields": _fields(do="confirm", resolution=one.pk, replaces=gold.pk if gold else ""),
            }
        )
    following = f"?candidate={shown[-1].pk}#candidates" if len(found) > PAGE else None
    return {
        "candidates": candidates,
        "candidates_next": following,
        "candidates_first": "?" if after else None,
    }


def _list(membership: Membership, query: QueryDict) -> Json:
    """Twenty-five rows of all gold, by a filter."""
    project, after = membership.project, _key(query.get("gold", ""))
    form = GoldFilter(query, schema_of(project))
    rows = gold_of_project(project)
    kept: dict[str, str] = {}
    if form.is_valid():
        rows = _narrowed(rows, form.cleaned_data)
        kept = {name: value for name, value in form.cleaned_data.items() if value}
    found = list((rows.filter(pk__gt=after) if after else rows)[: PAGE + 1])
    shown = found[:PAGE]
    values = gold_shown(project, shown)
    address = QueryDict(mutable=True)
    address.update(kept)
    first = f"?{address.urlencode()}#all-gold" if after else None
    if len(found) > PAGE:
        address["gold"] = str(shown[-1].pk)
    return {
        "filter": form,
        "narrowed": bool(kept),
        "rows": [
            {"gold": one, "value": told(values.get(one.pk)), "fields": _fields(do="remove", gold=one.pk)}
            for one in shown
        ],
        "rows_first": first,
        "rows_next": f"?{address.urlencode()}#all-gold" if len(found) > PAGE else None,
    }


def _narrowed(rows: QuerySet[Gold], wanted: Json) -> QuerySet[Gold]:
    if wanted["question"]:
        rows = rows.filter(question__key=wanted["question"])
    if wanted["origin"] == OUTSIDE:
        rows = rows.filter(resolution=None)
    if wanted["origin"] == CONFIRMED:
        rows = rows.exclude(resolution=None)
    return rows


def _fields(**values: Any) -> list[Json]:
    return [{"name": name, "value": value} for name, value in values.items() if value != ""]


def _key(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0  # noqa: PLR2004 -- fits the column


@require_POST
@project_view(Action.GOLD_EDIT)
def confirm(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Make gold of a candidate (``do`` is ``confirm``) or of a value (``set``), or take gold away (``remove``)."""
    sent, do = request.POST, request.POST.get("do", "")
    address = reverse("gold", args=[membership.project.slug])
    try:
        if do == "confirm":
            replaces = _key(sent.get("replaces", "")) or None
            gold = confirm_gold(membership, _key(sent.get("resolution", "")), replaces=replaces)
            messages.success(request, _("%(item)s has gold now.") % {"item": gold.item.external_id})
            address += "#candidates"
        elif do == "remove":
            remove_gold(membership, _key(sent.get("gold", "")))
            messages.success(request, _("The gold is taken away. What was answered on it no longer counts."))
        else:
            _set(request, membership)
    except DomainError as error:
        messages.error(request, error.detail)
    return redirect(address)


def _set(request: HttpRequest, membership: Membership) -> None:
    """Gold as the form of the page sends it. Raises what set_gold raises."""
    form = GoldForm(request.POST, schema_of(membership.project))
    if not form.is_valid():
        messages.error(request, _("Say which item, which question, and what is true."))
        return
    fields = form.cleaned_data
    item = item_named(membership.project_id, fields["item"])
    gold = set_gold(membership, item.pk, fields["question"], form.read_value())
    messages.success(request, _("%(item)s has gold now.") % {"item": gold.item.external_id})
