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
from core.exceptions import DomainError, Missing
from core.models import Membership, Validation, ValidationRule
from core.pipelines.validation import change_data_schema, preview_rule, save_rule
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
from core.web.forms.validation import RULES, RuleForm, SchemaForm
from core.web.pages import project_page, tell_form
from core.web.validation_words import TONES, headline, name_of, shown

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
    """The schema in force, a new version of it, and what earlier ones changed; ``batch`` checks one again."""
    project = membership.project
    if request.method == "POST" and "batch" in request.POST:
        return _check_again(request, membership)
    form = SchemaForm.of(request.POST or None, newest_data_schema(project.pk))
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            made = change_data_schema(
                membership, said["document"], said["note"], said["number"], check=said["check"]
            )
        except DomainError as error:
            tell_form(form, error)
            status = 412 if error.code == "stale" else 422
            return _schema_page(request, membership, form, status)
        messages.success(request, _("Version %d of the schema is in force.") % made.number)
        return redirect("validations", project.slug)
    return _schema_page(request, membership, form, 422 if form.errors else 200)


def _schema_page(request: HttpRequest, membership: Membership, form: SchemaForm, status: int) -> HttpResponse:
    versions = list(data_schemas_of(membership.project_id)[: MOST_VERSIONS + 1])
    before = {one.number: one.document for one in versions}
    told = [
        {"version": one, "changes": schema_difference(one.document, before.get(one.number - 1))}
        for one in versions[:MOST_VERSIONS]
    ]
    context = {"form": form, "versions": told, "schema": versions[0] if versions else None}
    return _page(request, membership, "schema", context, status)


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
