"""Classes and how they are read: pairs that look like one, what a merger would do, doing it and taking it back."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core.access import Action, role_may
from core.choices import MappingKind
from core.exceptions import DomainError, Invalid, Missing, Stale
from core.models import Mapping, Membership, Project
from core.pipelines.mapping import Merge, suggest
from core.pipelines.mapping import preview as what_if
from core.selectors.mapping import class_names, mapping_document, mappings_of
from core.selectors.question import QuestionSpec, schema_of
from core.services.mapping import apply_merge
from core.services.mapping import revert as revert_mapping
from core.web.access import project_view
from core.web.agreement_words import shown, spread
from core.web.forms.mapping import MergeForm
from core.web.pages import project_page, tell_form

Json = dict[str, Any]
SECTION = "mappings"
MOST_PAIRS = 10
MOST_MAPPINGS = 100
LIKELY, UNLIKELY = 0.5, 0.05  # probabilities that two classes cannot be told apart


def _choices(project: Project) -> list[QuestionSpec]:
    return [spec for spec in schema_of(project).questions if spec.is_choice]


def _question(membership: Membership, key: str | None) -> QuestionSpec:
    """The choice question that is named, or the first one. Raises Missing."""
    found = _choices(membership.project)
    question = next((spec for spec in found if key in {None, "", spec.key}), None)
    if question is None:
        raise Missing
    return question


def _address(membership: Membership, name: str, question: QuestionSpec, *class_ids: int) -> str:
    query = [("question", question.key), *(("class", pk) for pk in class_ids)]
    return f"{reverse(name, args=[membership.project.slug])}?{urlencode(query)}"


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """The classes with how they are read, pairs that look like one, and every mapping."""
    choices = _choices(membership.project)
    context: Json = {
        "question": None,
        "mappings": _mappings(membership),
        "mapping_version": membership.project.mapping_version,
        "may_edit": role_may(membership.role, Action.PROJECT_EDIT),
    }
    if choices:
        question = _question(membership, request.GET.get("question"))
        found = suggest(membership.project, question.key)
        n_of = {row["id"]: row["n"] for row in found["classes"]}
        rows = sorted(found["pairs"], key=lambda row: row["refused"] is not None)
        pairs = [_pair(membership, question, row) for row in rows]
        n_first = min(MOST_PAIRS, sum(1 for row in pairs if row["url"]))
        context |= {
            "question": question,
            "questions": choices if len(choices) > 1 else (),
            "headline": headline(found),
            "found": found,
            "classes": [
                {
                    "spec": spec,
                    "n": n_of[spec.id],
                    "read_here": [one.name for one in question.merged if one.into == spec.id],
                }
                for spec in question.classes
            ],
            "pairs": pairs[:n_first],
            "further": pairs[n_first:],
        }
    return project_page(request, membership, SECTION, "core/mapping/page.html", context)


def headline(found: Json) -> str:
    """What the pairs come to, in a sentence."""
    first = next((row for row in found["pairs"] if row["refused"] is None), None)
    if first is None and found["pairs"]:
        return _("No two classes that could be one were mixed up")
    if first is None:
        return _("No two classes were mixed up on an item")
    names = {"a": shown(first["a"]), "b": shown(first["b"])}
    if first["cannot_tell"] >= LIKELY:
        return _("People hardly tell %(a)s from %(b)s") % names
    if first["cannot_tell"] >= UNLIKELY:
        return _("Whether people can tell %(a)s from %(b)s is not sure yet") % names
    return _("People can tell all classes apart; %(a)s and %(b)s least") % names


def _pair(membership: Membership, question: QuestionSpec, row: Json) -> Json:
    return {
        **row,
        "a": shown(row["a"]),
        "b": shown(row["b"]),
        "told": spread(row["told_apart"]) if row["told_apart"]["value"] is not None else "",
        "url": "" if row["refused"] else _address(membership, "mapping_preview", question, *row["ids"]),
    }


def _mappings(membership: Membership) -> list[Json]:
    names = class_names(membership.project_id)
    rows = mappings_of(membership.project_id)[:MOST_MAPPINGS]
    return [
        {"row": row, "words": told(mapping_document(row, names)), "in_force": row.reverted_at is None}
        for row in rows
    ]


def told(mapping: Json) -> str:
    """What a mapping does, in a sentence."""
    if mapping["kind"] == MappingKind.STANDARDISE:
        n = len(mapping["rules"])
        return ngettext("%(n)d rule for texts", "%(n)d rules for texts", n) % {"n": n}
    if mapping["kind"] == MappingKind.RENAME:
        before, after = mapping["name"]
        return _("%(before)s is called %(after)s") % {"before": shown(before), "after": shown(after)}
    gone = [shown(name) for name in mapping["classes"] if name != mapping["into"]]
    sentence = _("%(classes)s read as %(into)s") % {
        "classes": ", ".join(gone),
        "into": shown(mapping["into"]),
    }
    if mapping["name"]:
        sentence += ", " + _("called %(name)s") % {"name": shown(mapping["name"][1])}
    return sentence


@require_safe
@never_cache
@project_view(Action.AGREEMENT_READ)
def preview(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """What a merger of the chosen classes would do, and the form that does it."""
    question = _question(membership, request.GET.get("question"))
    given = request.GET.getlist("class")
    chosen = [spec for spec in question.classes if str(spec.id) in given]
    form = MergeForm(
        chosen,
        initial={
            "into": chosen[0].id if chosen else None,
            "version": membership.project.mapping_version,
            "question": question.key,
        },
    )
    return _preview_page(request, membership, question, form)


def _preview_page(
    request: HttpRequest,
    membership: Membership,
    question: QuestionSpec,
    form: MergeForm,
    status: int = 200,
    *,
    meanwhile: list[str] | None = None,
) -> HttpResponse:
    """``meanwhile``: what somebody else changed since the page was opened that the form was sent from."""
    ids = tuple(spec.id for spec in form.chosen)
    context: Json = {
        "form": form,
        "question": question,
        "chosen": form.chosen,
        "meanwhile": meanwhile,
        "back_url": _address(membership, "mappings", question),
        "may_edit": role_may(membership.role, Action.PROJECT_EDIT),
    }
    try:
        found = what_if(membership.project, question.key, [Merge(ids, ids[0] if ids else 0)])
    except DomainError as error:
        context["refused"] = error.detail
        status = 422 if meanwhile is None else status
        return project_page(request, membership, SECTION, "core/mapping/preview.html", context, status=status)
    context |= {
        "found": found,
        "title": _("What if %(classes)s were one class?")
        % {"classes": ", ".join(shown(spec.name) for spec in form.chosen)},
        "rows": _rows(found),
        "facts": facts(found),
        "information": _information(found["information"]),
    }
    return project_page(request, membership, SECTION, "core/mapping/preview.html", context, status=status)


def _rows(found: Json) -> list[Json]:
    """The figures before and after, with the difference on the same items."""
    agreement, hlp, model = found["agreement"], found["hlp"], found["model"]
    old, new = agreement["before"]["coefficients"], agreement["after"]["coefficients"]
    rows = [
        _row(_("Krippendorff's alpha"), old, new, agreement["difference"], "krippendorff_alpha"),
        _row(_("Two people give the same answer"), old, new, agreement["difference"], "percent_agreement"),
    ]
    if hlp is not None:
        before, after, change = hlp["before"], hlp["after"], hlp["difference"]
        if before["gold"]["value"] is not None:
            rows.append(_row(_("People's answers equal gold"), before, after, change, "gold"))
        if before["leave_one_out"]["value"] is not None:
            rows.append(_row(_("One person against the others"), before, after, {}, "leave_one_out"))
    if model is not None:
        figures = model["macro_f1"]
        name = _("Macro-F1 of %(run)s, on the holdout") % {"run": model["run"]["name"]}
        rows.append({"name": name, **{key: _cell(figures[key]) for key in ("before", "after", "difference")}})
    return rows


def _row(name: str, before: Json, after: Json, difference: Json, key: str) -> Json:
    change = difference.get(key)
    return {
        "name": name,
        "before": _cell(before[key]),
        "after": _cell(after[key]),
        "difference": _cell(change) if change else "",
    }


def _cell(figure: Json) -> str:
    return spread(figure) if figure["value"] is not None else _("cannot tell yet")


def facts(found: Json) -> list[str]:
    """What a merger would do, in numbers."""
    rows, labels = found["rows"], found["labels"]
    sentences = [
        _("%(n)s of %(all)s answers on %(items)s items are read otherwise; none of them is changed.")
        % {"n": f"{rows['answers']:,}", "all": f"{rows['of_answers']:,}", "items": f"{rows['items']:,}"},
        _("%(before)s classes become %(after)s.")
        % {"before": rows["classes_before"], "after": rows["classes_after"]},
    ]
    if rows["gold"] or rows["predictions"]:
        sentences.append(
            _("The same goes for gold (%(gold)s) and predictions (%(predictions)s).")
            % {"gold": f"{rows['gold']:,}", "predictions": f"{rows['predictions']:,}"}
        )
    if labels is not None:
        sentences.append(
            _("Labels that tie between classes: %(before)s before, %(after)s after.")
            % {"before": f"{labels['tied_before']:,}", "after": f"{labels['tied_after']:,}"}
        )
    return sentences


def _information(found: Json | None) -> list[str]:
    """How much less the labels would tell."""
    if found is None:
        return []
    told_less = _("The labels lose %(bits)s bits of %(all).2f (%(share).0f %%).") % {
        "bits": spread(found["lost"]),
        "all": found["entropy_before"],
        "share": 100 * (found["lost_share"] or 0),
    }
    if found["shared_lost"]["value"] is None:
        return [told_less]
    return [
        told_less,
        _(
            "Of what two people's answers to one item have in common, %(bits)s bits of %(all).2f are lost (%(share).0f %%)."
        )
        % {
            "bits": spread(found["shared_lost"]),
            "all": found["shared_before"],
            "share": 100 * (found["shared_lost_share"] or 0),
        },
    ]


@require_POST
@project_view(Action.PROJECT_EDIT)
def apply(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Merge the chosen classes. Whether they still are what the page showed comes before everything else."""
    question = _question(membership, request.POST.get("question"))
    given = request.POST.getlist("class")
    form = MergeForm([spec for spec in question.classes if str(spec.id) in given], request.POST)
    seen = _number(request.POST.get("version", ""))
    if seen is not None and seen != membership.project.mapping_version:
        return _passed_by(request, membership, question, form, seen)
    status = 422
    if form.is_valid():
        fields = form.cleaned_data
        try:
            made = apply_merge(
                membership,
                question.key,
                [spec.id for spec in form.chosen],
                fields["into"],
                name=fields["name"] or None,
                note=fields["note"],
                version=fields["version"],
            )
        except Stale:
            return _passed_by(request, membership, question, form, fields["version"])
        except DomainError as error:
            tell_form(form, error)
        else:
            messages.success(request, _("Merged: %s.") % _words(membership, made))
            return redirect(_address(membership, "mappings", question))
    return _preview_page(request, membership, question, form, status)


def _passed_by(
    request: HttpRequest, membership: Membership, question: QuestionSpec, form: MergeForm, seen: int
) -> HttpResponse:
    """What was typed, with the news that somebody else changed the classes first; sent again, it is a decision."""
    membership.project = Project.objects.get(pk=membership.project_id)
    question = _question(membership, question.key)
    ids = {spec.id for spec in form.chosen}
    sent = request.POST.copy()
    form = MergeForm([spec for spec in question.classes if spec.id in ids], sent)
    if sent.get("into") not in {str(spec.id) for spec in form.chosen}:
        sent["into"] = ""
    form = form.seen_again(str(membership.project.mapping_version))
    form.add_error(
        None,
        _(
            "Somebody else changed how classes or texts are read since you opened the page. Nothing of yours is done "
            "yet. Look at the figures again, and merge once more if you still want to."
        ),
    )
    meanwhile = _meanwhile(membership, membership.project.mapping_version - seen)
    return _preview_page(request, membership, question, form, 412, meanwhile=meanwhile)


def _meanwhile(membership: Membership, n: int) -> list[str]:
    """The last ``n`` things that were done to mappings, the newest first, in words."""
    somebody = _("somebody")
    done = []
    for row in mappings_of(membership.project_id)[:MOST_MAPPINGS]:
        words = _words(membership, row)
        said = f"{words} ({row.created_by or somebody})"
        done.append((row.created_at, f"{said}: {row.note}" if row.note else said))
        if row.reverted_at is not None:
            back = _("Reverted: %(what)s (%(who)s)") % {"what": words, "who": row.reverted_by or somebody}
            done.append((row.reverted_at, back))
    return [said for _at, said in sorted(done, reverse=True)[: max(n, 0)]]


def _number(text: str) -> int | None:
    """A version as a form sends it; None where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004 -- of the column's kind


def _words(membership: Membership, mapping: Mapping) -> str:
    return told(mapping_document(mapping, class_names(membership.project_id)))


@require_POST
@project_view(Action.PROJECT_EDIT)
def revert(request: HttpRequest, membership: Membership, number: int) -> HttpResponseBase:
    """Take a mapping back."""
    mapping = mappings_of(membership.project_id).filter(number=number).first()
    if mapping is None:
        raise Missing
    version = _number(request.POST.get("version", ""))
    if version is None:
        raise Invalid("bad-version", _("This form was not sent from the page of classes."))
    try:
        made = revert_mapping(membership, mapping.pk, version)
    except Stale:
        messages.error(
            request, _("Somebody else changed a mapping meanwhile. Nothing was reverted; look again.")
        )
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("Reverted: %s.") % _words(membership, made))
    address = reverse("mappings", args=[membership.project.slug])
    return redirect(
        f"{address}?{urlencode({'question': mapping.question.key})}" if _is_of_classes(mapping) else address
    )


def _is_of_classes(mapping: Mapping) -> bool:
    return mapping.kind != MappingKind.STANDARDISE
