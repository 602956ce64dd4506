"""Data validation: what changed since the last batch, one report, the schema, the rules."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.access import Action
from core.choices import Gate, JobKind
from core.exceptions import DomainError, Invalid, Missing, Stale
from core.models import DataSchema, Membership, Validation, ValidationRule
from core.pipelines.validation import beside_last_batch, change_data_schema, preview_rule, save_rule
from core.selectors.job import unfinished_jobs
from core.selectors.validation import (
    batch_called,
    data_schemas_of,
    items_named,
    newest_data_schema,
    rule_of,
    rules_of,
    schema_difference,
    validation_of,
    validations_of,
)
from core.services.validation import remove_rule, start_validation
from core.web.access import project_view
from core.web.forms.validation import (
    MOST_ROWS,
    RULES,
    FieldForm,
    RuleForm,
    SchemaFields,
    SchemaForm,
    VersionForm,
)
from core.web.pages import project_page, tell_form
from core.web.validation_words import TONES, crossed_words, field_words, headline, name_of, shown

Json = dict[str, Any]
MOST_REPORTS = 100
MOST_VERSIONS = 20


def _page(
    request: HttpRequest, membership: Membership, template: str, context: Json, status: int = 200
) -> HttpResponse:
    address = f"core/validation/{template}.html"
    return project_page(request, membership, "validations", address, context, status=status)


@never_cache
@require_safe
@project_view(Action.IMPORTS_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """What changed since the last batch, in words first; then every report."""
    project = membership.project
    reports = list(validations_of(project.pk)[:MOST_REPORTS])
    newest = reports[0] if reports else None
    words = dict(RULES)
    context = {
        "reports": [_row(one) for one in reports],
        "newest": newest,
        "headline": headline(newest) if newest else "",
        "newest_name": name_of(newest) if newest else "",
        "alarms": [shown(one) for one in newest.findings if one["severity"] != "note"] if newest else [],
        "rules": [
            {
                "rule": one,
                "says": words.get(one.document.get("rule", ""), ""),
                "field": one.document.get("field", ""),
            }
            for one in rules_of(project.pk)
        ],
        "schema": newest_data_schema(project.pk),
        "gate": Gate(project.validation_gate).label,
        "job": unfinished_jobs(project.pk).filter(kind=JobKind.VALIDATE).first(),
    }
    return _page(request, membership, "index", context)


def _row(report: Validation) -> Json:
    alarms = [one for one in report.findings if one["severity"] != "note"]
    return {
        "report": report,
        "name": name_of(report),
        "tone": TONES[report.severity],
        "word": report.get_severity_display(),
        "n_alarms": len(alarms),
        "n_notes": len(report.findings) - len(alarms),
    }


@require_safe
@project_view(Action.IMPORTS_READ)
def one(request: HttpRequest, membership: Membership, validation_id: int) -> HttpResponseBase:
    """One report: the findings with their rows."""
    report = validation_of(membership.project_id, validation_id)
    findings = [shown(found) for found in report.findings]
    if report.batch is not None:
        number = report.batch.number
        for row in (row for found in findings for row in found["rows"]):
            row["item"] = row["id"] or f"b{number}-{row['row']}"
        named = {row["item"] for found in findings for row in found["rows"]}
        keys = items_named(membership.project_id, sorted(named))
        for row in (row for found in findings for row in found["rows"]):
            row["key"] = keys.get(row["item"])
    context = {"report": report, "name": name_of(report), "headline": headline(report), "findings": findings}
    return _page(request, membership, "report", context)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.IMPORTS_EDIT)
def schema(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """The schema in force and a new version of it, by the field or as JSON; ``batch`` checks one again."""
    if request.method == "POST" and "batch" in request.POST:
        return _check_again(request, membership)
    newest = newest_data_schema(membership.project_id)
    many = newest is not None and len(newest.document["fields"]) > MOST_ROWS
    if "document" in request.POST or "json" in request.GET or many:
        return _schema_as_json(request, membership, newest, many=many)
    version, fields = VersionForm.of(request.POST or None, newest), SchemaFields(request.POST or None, newest)
    refused = _refused_fields(version, fields, newest) if request.method == "POST" else 0
    if request.method == "POST" and not refused:
        try:
            if "preview" not in request.POST:
                return _new_version(request, membership, version.cleaned_data, fields.document())
            beside_last_batch(membership.project, fields.document())
        except DomainError as error:
            refused = 412 if error.code == "stale" else 422
            if not (isinstance(error, Invalid) and fields.tell(error)):
                tell_form(version, error)
    context = {"form": version, **_rows(membership, fields, readable=not refused)}
    return _schema_page(request, membership, context, refused or 200)


def _refused_fields(version: VersionForm, fields: SchemaFields, newest: DataSchema | None) -> int:
    """The status with which a form is refused before it is read as a document; 0 where it is not."""
    if not version.is_valid():
        return 422
    if version.cleaned_data["number"] != (newest.number if newest else 0):
        tell_form(version, Stale("stale", _("Somebody has changed the schema since you read it.")))
        return 412
    return 0 if fields.is_valid() else 422


def _schema_as_json(
    request: HttpRequest, membership: Membership, newest: DataSchema | None, *, many: bool
) -> HttpResponse:
    form = SchemaForm.of(request.POST or None, newest)
    status = 422 if form.errors else 200
    if request.method == "POST" and form.is_valid():
        try:
            return _new_version(request, membership, form.cleaned_data, form.cleaned_data["document"])
        except DomainError as error:
            tell_form(form, error)
            status = 412 if error.code == "stale" else 422
    return _schema_page(request, membership, {"form": form, "as_json": True, "many": many}, status)


def _new_version(request: HttpRequest, membership: Membership, said: Json, document: Any) -> HttpResponse:
    made = change_data_schema(membership, document, said["note"], said["number"], check=said["check"])
    messages.success(request, _("Version %d of the schema is in force.") % made.number)
    return redirect("validations", membership.project.slug)


def _rows(membership: Membership, fields: SchemaFields, *, readable: bool) -> Json:
    """A row for each field: its form, what it says, what the newest batch would say, and where that crosses it."""
    document = fields.document() if readable else {"fields": fields.before}
    beside = beside_last_batch(membership.project, document)
    inferred = beside["fields"] if beside else {}
    crossed: dict[str, list[str]] = {}
    for one in beside["crossed"] if beside else ():
        crossed.setdefault(one["field"], []).append(crossed_words(one))
    rows = [_field_row(one, document["fields"], inferred, crossed) for one in fields.forms]
    return {
        "fields": fields.formset,
        "rows": rows,
        "beside": beside,
        "n_crossed": sum(len(row["crossed"]) for row in rows),
        "names": sorted(set(inferred) - set(fields.before)),
        "previewed": fields.formset.is_bound and readable,
        "has_errors": any(one.errors for one in fields.forms),
    }


def _field_row(form: FieldForm, now: Json, inferred: Json, crossed: dict[str, list[str]]) -> Json:
    name = form.called
    return {
        "form": form,
        "name": name,
        "now": field_words(now[name]) if name in now else "",
        "inferred": field_words(inferred[name]) if name in inferred else "",
        "crossed": crossed.get(name, []) if name in now else [],
        "open": bool(form.errors) or (form.is_bound and form.has_changed()),
    }


def _schema_page(request: HttpRequest, membership: Membership, context: Json, status: int) -> HttpResponse:
    versions = list(data_schemas_of(membership.project_id)[: MOST_VERSIONS + 1])
    before = {one.number: one.document for one in versions}
    told = [
        {"version": one, "changes": schema_difference(one.document, before.get(one.number - 1))}
        for one in versions[:MOST_VERSIONS]
    ]
    shared = {"versions": told, "schema": versions[0] if versions else None}
    return _page(request, membership, "schema", {**shared, **context}, status)


def _check_again(request: HttpRequest, membership: Membership) -> HttpResponse:
    number = request.POST["batch"]
    if not (number.isascii() and number.isdigit() and len(number) < 10):  # noqa: PLR2004 -- digits of a number
        raise Missing
    try:
        start_validation(membership, batch_called(membership.project_id, int(number)))
    except DomainError as error:
        if isinstance(error, Missing):
            raise
        messages.error(request, error.detail)
    else:
        messages.success(request, _("Batch %s is being checked again.") % number)
    return redirect("validations", membership.project.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.IMPORTS_EDIT)
def rule(request: HttpRequest, membership: Membership, rule_id: int) -> HttpResponseBase:
    """Change a rule, or see what it would find."""
    found = rule_of(membership.project_id, rule_id)
    return _rule(request, membership, found)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.IMPORTS_EDIT)
def rule_new(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Make a rule, or see what it would find."""
    return _rule(request, membership, None)


def _rule(request: HttpRequest, membership: Membership, found: ValidationRule | None) -> HttpResponse:
    form = RuleForm.of(request.POST or None, found)
    context: Json = {"form": form, "rule": found, "names": _field_names(membership)}
    status = 200
    if request.method == "POST" and form.is_valid():
        body = form.body()
        try:
            if "preview" in request.POST:
                context["preview"] = preview_rule(membership.project, body["document"])
            else:
                made = save_rule(
                    membership,
                    body,
                    None if found is None else found.pk,
                    form.cleaned_data["version"] or 0,
                )
                messages.success(request, _("The rule “%s” is kept.") % made.name)
                return redirect("validations", membership.project.slug)
        except DomainError as error:
            tell_form(form, error)
            status = 412 if error.code == "stale" else 422
    elif form.errors:
        status = 422
    return _page(request, membership, "rule", context, status)


def _field_names(membership: Membership) -> list[str]:
    newest = newest_data_schema(membership.project_id)
    return sorted(newest.document.get("fields", {})) if newest else []


@require_POST
@project_view(Action.IMPORTS_EDIT)
def rule_remove(request: HttpRequest, membership: Membership, rule_id: int) -> HttpResponseBase:
    """Remove a rule."""
    found = rule_of(membership.project_id, rule_id)
    try:
        remove_rule(membership, found.pk)
    except DomainError as error:
        if isinstance(error, Missing):
            raise
        messages.error(request, error.detail)
    else:
        messages.success(request, _("The rule “%s” is removed.") % found.name)
    return redirect("validations", membership.project.slug)
