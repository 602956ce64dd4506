"""Imports: upload, look at the first rows, say what the columns are, start, decide."""

from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.access import Action
from core.choices import Gate, ImportKind, ImportState, JobState, OnError, Severity
from core.exceptions import DomainError, Invalid, Missing, TooLarge
from core.models import Import, Membership
from core.pipelines.importing import refused_csv
from core.pipelines.preview import preview_upload
from core.selectors.health import worker_seen
from core.selectors.imports import INLINE_ERRORS, import_of, imports_of, refused_rows, replaced_by
from core.selectors.item import batches_of
from core.selectors.membership import members_of
from core.selectors.validation import validation_of_import
from core.services.imports import accept_import, discard_import, start_import
from core.services.job import request_cancel
from core.services.upload import drop_upload, keep_upload, open_upload
from core.web.access import project_view
from core.web.forms.imports import ColumnsForm, FilePreview, UploadForm, file_preview
from core.web.pages import project_page, tell_form
from core.web.validation_words import shown

UPLOAD_SECONDS = 3600
MOST_IMPORTS = 100


def _page(
    request: HttpRequest, membership: Membership, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    return project_page(
        request, membership, "imports", f"core/imports/{template}.html", context, status=status
    )


@require_safe
@project_view(Action.IMPORTS_READ)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Every import, and the batches with the people who may have them."""
    project = membership.project
    context = {
        "imports": imports_of(project.pk)[:MOST_IMPORTS],
        "batches": batches_of(project.pk),
        "people": [one for one in members_of(project) if one.active and one.user_id],
    }
    return _page(request, membership, "index", context)


# --- A new one ----------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.IMPORTS_EDIT)
def new(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Upload a file; the answer to a good one is the page that shows its first rows."""
    form = UploadForm(
        request.POST or None,
        request.FILES or None,
        initial={
            "kind": request.GET.get("kind", ImportKind.ITEMS),
            "run": request.GET.get("run", ""),
        },
    )
    if request.method == "POST" and form.is_valid():
        fields = form.cleaned_data
        try:
            stored = keep_upload(fields["file"])
            try:
                _preview(stored, fields)
            except DomainError:
                drop_upload(stored)
                raise
        except (Invalid, TooLarge) as error:
            form.add_error("file", error.detail)
        else:
            upload = {**fields, "file": stored, "name": fields["file"].name, "member": membership.pk}
            token = signing.dumps(upload, salt=__name__, compress=True)
            return redirect(f"{reverse('import_columns', args=[membership.project.slug])}?upload={token}")
    return _page(request, membership, "new", {"form": form}, 422 if form.errors else 200)


def _preview(stored: str, upload: dict[str, Any]) -> FilePreview:
    with open_upload(stored) as file:
        found = preview_upload(
            file, kind=upload["kind"], format=upload["format"], encoding=upload["encoding"]
        )
    return file_preview(found)


def _upload(membership: Membership, token: str) -> dict[str, Any]:
    """What was uploaded, of this very member and within the last hour. Raises Missing."""
    try:
        upload: dict[str, Any] = signing.loads(token, salt=__name__, max_age=UPLOAD_SECONDS)
    except signing.BadSignature:
        raise Missing from None
    if upload["member"] != membership.pk:
        raise Missing
    return upload


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.IMPORTS_EDIT)
def columns(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """The first rows of an upload, and what its columns are; then the import starts."""
    token = request.POST.get("upload") or request.GET.get("upload", "")
    try:
        upload = _upload(membership, token)
        preview = _preview(upload["file"], upload)
    except Missing:
        messages.error(
            request, _("That upload is no longer here: it is kept for an hour. Upload the file again.")
        )
        return redirect("import_new", membership.project.slug)
    form = ColumnsForm(upload["kind"], preview, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            with open_upload(upload["file"]) as file:
                source = start_import(
                    membership,
                    file,
                    upload["name"],
                    kind=upload["kind"],
                    format=upload["format"],
                    encoding=upload["encoding"],
                    columns=form.mapping(),
                    on_error=OnError.HOLD,
                    run=upload["run"],
                )
        except DomainError as error:
            tell_form(form, error)
        else:
            drop_upload(upload["file"])
            return redirect("import", membership.project.slug, source.pk)
    context = {
        "form": form,
        "preview": preview,
        "upload": upload,
        "token": token,
        "kind": ImportKind(upload["kind"]).label,
        "by_role": upload["kind"] == ImportKind.ITEMS and not preview.nested,
    }
    return _page(request, membership, "columns", context, 422 if form.errors else 200)


# --- One import ---------------------------------------------------------------------------------------


@require_safe
@project_view(Action.IMPORTS_READ)
def one(request: HttpRequest, membership: Membership, import_id: int) -> HttpResponseBase:
    """How an import fares, what was refused of it, and the decision when it is held."""
    source = import_of(membership.project_id, import_id)
    refused = list(refused_rows(source)[:INLINE_ERRORS])
    context = {**_state(source), "refused": refused, "decide": source.state == ImportState.HELD}
    report = validation_of_import(source)
    if report is not None and membership.project.validation_gate != Gate.OFF:
        context |= {
            "report": report,
            "findings": [shown(found) for found in report.findings if found["severity"] != Severity.NOTE],
        }
    return _page(request, membership, "page", context)


@require_safe
@project_view(Action.IMPORTS_READ)
def job(request: HttpRequest, membership: Membership, import_id: int) -> HttpResponseBase:
    """The job of an import as a fragment, asked again every second; at its end the page reloads."""
    source = import_of(membership.project_id, import_id)
    context = {**_state(source), "project": membership.project, "worker_missing": not worker_seen()[0]}
    response = render(request, "core/imports/_job.html", context)
    if source.job is None or source.job.state not in {JobState.QUEUED, JobState.RUNNING}:
        response["HX-Refresh"] = "true"
    return response


@require_POST
@project_view(Action.JOBS_EDIT)
def cancel(request: HttpRequest, membership: Membership, import_id: int) -> HttpResponseBase:
    """Stop reading the file; nothing of it is published."""
    source = import_of(membership.project_id, import_id)
    if source.job_id is not None:
        request_cancel(source.job_id)
    messages.info(request, _("The import is being cancelled; nothing of it is published."))
    return redirect("import", membership.project.slug, import_id)


def _state(source: Import) -> dict[str, Any]:
    rows = ngettext("%d row read", "%d rows read", source.rows) % source.rows
    refused = ngettext("%d refused", "%d refused", source.rejected) % source.rejected
    running = source.job is not None and source.job.state in {JobState.QUEUED, JobState.RUNNING}
    return {
        "import": source,
        "running": running,
        "detail": f"{rows}, {refused}",
        "replaced": replaced_by(source),
    }


@require_POST
@project_view(Action.IMPORTS_EDIT)
def accept(request: HttpRequest, membership: Membership, import_id: int) -> HttpResponseBase:
    """Publish the accepted rows of a held import."""
    return _decide(request, membership, import_id, accept=True)


@require_POST
@project_view(Action.IMPORTS_EDIT)
def discard(request: HttpRequest, membership: Membership, import_id: int) -> HttpResponseBase:
    """Drop a held import."""
    return _decide(request, membership, import_id, accept=False)


def _decide(request: HttpRequest, membership: Membership, import_id: int, *, accept: bool) -> HttpResponse:
    try:
        source = accept_import(membership, import_id) if accept else discard_import(membership, import_id)
    except DomainError as error:
        if isinstance(error, Missing):
            raise
        messages.error(request, error.detail)
    else:
        words = (
            _("The accepted rows are being published.") if accept else _("Discarded. Nothing of %s was kept.")
        )
        messages.success(request, words if accept else words % source.file_name)
    return redirect("import", membership.project.slug, import_id)


@require_safe
@project_view(Action.IMPORTS_READ)
def errors(request: HttpRequest, membership: Membership, import_id: int) -> HttpResponseBase:  # noqa: ARG001 -- every view takes it
    """All refused rows as a CSV file."""
    source = import_of(membership.project_id, import_id)
    response = StreamingHttpResponse(refused_csv(source), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="import-{source.pk}-refused.csv"'
    return response
