"""The guideline: read by everybody, written by leads, compared version by version."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.access import LEADS, Action, role_may
from core.choices import ItemState
from core.exceptions import DomainError, Missing, Stale
from core.models import GuidelineVersion, Inquiry, Item, Membership
from core.selectors.guideline import (
    changes_between,
    class_read,
    examples_by_class,
    guideline_html,
    known_to_all,
    touched_by,
    versions_of,
    whole_versions_of,
    withheld_from,
)
from core.selectors.inquiry import inquiry_of
from core.selectors.question import QuestionSpec, schema_of
from core.services.guideline import mark_read, publish_guideline
from core.web.access import project_view
from core.web.forms.guideline import ExampleFormSet, GuidelineForm, class_choices
from core.web.pages import project_page, tell_form

SECTION = "guideline"
MOST_NAMED = 50  # classes in an address
LONGEST_ID = 200  # of an item


@require_safe
@project_view(Action.GUIDELINE_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """The version in force with its examples, what changed since the reader last read it, and the list of all."""
    project = membership.project
    guideline = whole_versions_of(project, reader=membership).filter(pk=project.guideline_id or 0).first()
    read = membership.guideline_read
    unread = guideline is not None and read < guideline.number
    context: dict[str, Any] = {
        "guideline": guideline,
        "html": guideline_html(project, guideline.text) if guideline else "",
        "groups": examples_by_class(project, guideline) if guideline else [],
        "withheld": withheld_from(membership, guideline) if guideline else 0,
        "versions": versions_of(project),
        "may_edit": role_may(membership.role, Action.GUIDELINE_EDIT),
        "may_read_items": role_may(membership.role, Action.ITEMS_READ),
        "unread": unread,
        "since": _since(membership, guideline) if guideline and unread and read else None,
        "relabel": _relabel(membership, guideline) if guideline else None,
    }
    return project_page(request, membership, SECTION, "core/guideline/page.html", context)


def _since(membership: Membership, newest: GuidelineVersion) -> dict[str, Any] | None:
    """What changed since the version that somebody read last, and why."""
    project, read = membership.project, membership.guideline_read
    old = whole_versions_of(project, reader=membership).filter(number=read).first()
    if old is None:
        return None
    later = versions_of(project).filter(number__gt=read)
    return {
        "old": old,
        "notes": [version for version in later if version.note],
        "changes": changes_between(project, old, newest),
    }


def _relabel(membership: Membership, version: GuidelineVersion) -> dict[str, Any] | None:
    """What the lead can do after a change: send out again what it touches, or look how far that is."""
    if membership.role not in LEADS or version.number == 1:
        return None
    return {
        "names": ", ".join(spec.name for spec in touched_by(version)),
        "queue": version.relabels.order_by("pk").values_list("pk", flat=True).first(),
    }


@require_safe
@project_view(Action.GUIDELINE_READ)
def version(request: HttpRequest, membership: Membership, number: int) -> HttpResponseBase:
    """One version, and what it changed against another (``against``, else the one before it)."""
    project = membership.project
    versions = whole_versions_of(project, reader=membership)
    shown = versions.filter(number=number).first()
    if shown is None:
        raise Http404
    against = request.GET.get("against", "")
    wanted = int(against) if against.isdecimal() and len(against) < 10 else number - 1  # noqa: PLR2004 -- digits of a number of versions
    other = versions.filter(number=wanted).first()
    context = {
        "version": shown,
        "in_force": project.guideline_id == shown.pk,
        "other": other,
        "changes": changes_between(project, other, shown) if other else None,
        "touched": touched_by(shown),
        "others": versions_of(project).exclude(number=number),
        "html": guideline_html(project, shown.text),
        "groups": examples_by_class(project, shown),
        "withheld": withheld_from(membership, shown),
        "may_read_items": role_may(membership.role, Action.ITEMS_READ),
    }
    return project_page(request, membership, SECTION, "core/guideline/version.html", context)


# --- A new version ------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.GUIDELINE_EDIT)
def new(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Write a new version; ``preview`` shows it without putting it in force.

    ``inquiry`` makes a rule of a question; ``item``, ``class`` (any number) and ``question`` of a case: the item
    becomes an example, the classes are ticked.
    """
    if request.method != "POST":
        form, examples = _blank(membership, request.GET)
        return _form_page(request, membership, form, examples)
    form, examples = _sent(membership, request.POST)
    if not (form.is_valid() and examples.is_valid()):
        return _form_page(request, membership, form, examples, status=422)
    fields = form.cleaned_data
    documents, places = examples.documents(schema_of(membership.project).questions)
    if "preview" in request.POST:
        html = guideline_html(membership.project, fields["text"])
        return _form_page(request, membership, form, examples, preview=html)
    spoilt = known_to_all(membership.project, [one["item"] for one in documents])
    if spoilt and not fields["known"]:
        return _form_page(request, membership, form, examples, status=422, spoilt=spoilt)
    try:
        made = publish_guideline(
            membership,
            fields["text"],
            fields["note"],
            examples=documents,
            touches=fields["touches"],
            seen=fields["based_on"],
            inquiry_id=fields["inquiry"],
        )
    except Stale as error:
        return _passed_by(request, membership, fields["based_on"], error.data["version"])
    except Missing:
        raise
    except DomainError as error:
        _tell(form, examples, places, error)
        return _form_page(request, membership, form, examples, status=422)
    messages.success(request, _("Version %d is in force. Answers from now on carry it.") % made.number)
    return redirect("guideline", membership.project.slug)


def _blank(membership: Membership, asked: QueryDict) -> tuple[GuidelineForm, Any]:
    """The editor with the version in force, and with what a question or a case adds to it."""
    project = membership.project
    questions = schema_of(project).questions
    newest = whole_versions_of(project, items=False).filter(pk=project.guideline_id or 0).first()
    initial: dict[str, Any] = {"text": newest.text, "based_on": newest.number} if newest else {"based_on": 0}
    rows = [
        {
            "item": one.item.external_id,
            "label_class": class_read(one.label_class).pk if one.label_class else "",
            "near_miss": one.near_miss,
            "note": one.note,
        }
        for one in (newest.examples.all() if newest else ())
    ]
    touched = _classes_named(questions, asked)
    if touched:
        initial["touches"] = touched
    item = asked.get("item", "")
    if _may_show(membership, item) and all(row["item"] != item for row in rows):
        rows.append({"item": item, "label_class": touched[0] if len(touched) == 1 else ""})
    inquiry = _inquiry(membership, asked.get("inquiry", ""))
    if inquiry is not None:
        rule = inquiry.answer or inquiry.text
        initial |= {
            "inquiry": inquiry.pk,
            "text": f"{initial.get('text', '').rstrip()}\n\n{rule}\n".lstrip(),
            "note": _("Question about %(item)s") % {"item": inquiry.item.external_id},
        }
        if not inquiry.item.gold.exists():
            rows.append({"item": inquiry.item.external_id})
    choices = class_choices(questions)
    return (
        GuidelineForm(questions=questions, initial=initial),
        ExampleFormSet(initial=rows, prefix="examples", form_kwargs={"choices": choices}),
    )


def _classes_named(questions: Sequence[QuestionSpec], asked: QueryDict) -> list[int]:
    """The ids of the classes that an address names, as they are read now; of all questions where it names none."""
    key = asked.get("question", "")
    named = [
        question.class_named(name)
        for question in questions
        if question.is_choice and key in {"", question.key}
        for name in asked.getlist("class")[:MOST_NAMED]
    ]
    found = {spec.id for spec in named if spec is not None}
    reads = {pk: spec.id for question in questions for pk, spec in question.reads.items()}
    return sorted({reads[pk] for pk in found})


def _may_show(membership: Membership, item: str) -> bool:
    """Whether there is such an item, by its own id, that can be an example."""
    if not 0 < len(item) <= LONGEST_ID or "\0" in item:
        return False
    found = Item.objects.filter(project=membership.project_id, external_id=item, gold=None)
    return found.exclude(state=ItemState.WITHDRAWN).exists()


def _sent(membership: Membership, data: Any) -> tuple[GuidelineForm, Any]:
    questions = schema_of(membership.project).questions
    examples = ExampleFormSet(data, prefix="examples", form_kwargs={"choices": class_choices(questions)})
    return GuidelineForm(data, questions=questions), examples


def _inquiry(membership: Membership, number: str) -> Inquiry | None:
    """A question of this project, by the id in an address or form."""
    if not (number.isascii() and number.isdigit()) or len(number) > 18:  # noqa: PLR2004 -- fits the column
        return None
    try:
        found = inquiry_of(int(number))
    except Missing:
        return None
    return found if found.item.project_id == membership.project_id else None


def _passed_by(request: HttpRequest, membership: Membership, seen: int, number: int) -> HttpResponse:
    """What was typed, with the news that somebody else published first; sent again, it is a decision."""
    data = request.POST.copy()
    data["based_on"] = str(number)
    form, examples = _sent(membership, data)
    words = _("Version %d was published while you wrote. Compare it with yours, then publish again.")
    form.add_error(None, words % number)
    versions = {one.number: one for one in whole_versions_of(membership.project)}
    changes = None
    if seen in versions and number in versions:
        changes = changes_between(membership.project, versions[seen], versions[number])
    context = {"theirs": versions.get(number), "changes": changes}
    return _form_page(request, membership, form, examples, status=412, **context)


def _tell(form: GuidelineForm, examples: Any, places: list[int], error: DomainError) -> None:
    """A refusal beside the rows that it names, else above the form."""
    rows = [row for row in error.errors if row["pointer"].startswith("/examples/")]
    for row in rows:
        place = places[int(row["pointer"].removeprefix("/examples/"))]
        examples.forms[place].add_error("note" if row["code"] == "bad-note" else "item", row["detail"])
    if rows:
        form.add_error(None, _("Look at the examples: not all of them can be used."))
    else:
        tell_form(form, error)


def _form_page(
    request: HttpRequest,
    membership: Membership,
    form: GuidelineForm,
    examples: Any,
    *,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    inquiry = _inquiry(membership, str(form["inquiry"].value() or ""))
    context = {"form": form, "examples": examples, "inquiry": inquiry, **context}
    return project_page(request, membership, SECTION, "core/guideline/new.html", context, status=status)


@require_POST
@project_view(Action.GUIDELINE_READ)
def read(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Note that the reader has read a version (``version``, else the one in force). 204 for scripts."""
    guideline = membership.project.guideline
    number = request.POST.get("version", "")
    newest = guideline.number if guideline else 0
    mark_read(membership, min(int(number), newest) if number.isdecimal() and len(number) < 10 else newest)  # noqa: PLR2004 -- as above
    if "application/json" in request.headers.get("Accept", ""):
        return HttpResponse(status=204)
    return redirect("guideline", membership.project.slug)
