"""The list of projects, making one, a project's home, its settings, and its state."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.access import LEADS, REVIEWERS, Action, actor_of, may_create_projects
from core.choices import CHOICE_KINDS, ItemsChoice, ProjectState, Uncertain
from core.exceptions import Conflict, DomainError, Invalid, NotAllowed, Stale
from core.models import Membership, Project, User
from core.pipelines.report import Kind, kept_at, kept_report
from core.selectors.membership import members_of
from core.selectors.overlap import deciding_question, saving_of
from core.selectors.progress import Progress, progress_by_project, progress_of, told_to
from core.selectors.project import Attention, attention_of, data_fields, memberships_of, overlap_effect
from core.selectors.question import schema_of
from core.selectors.selection import learnable_question
from core.services.project import clone_project, create_project, edit_project, set_state
from core.web.access import project_view
from core.web.forms.project import CloneForm, DisplayForm, DocumentForm, ProjectEditor, SettingsForm
from core.web.pages import project_page, tell_form

# Up to so many answers the home page itself makes the first agreement report; beyond, it links to its page.
MOST_FOR_HEADLINE = 20_000


@require_safe
def root(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 -- every view takes it
    """The bare address leads to the list of projects."""
    return redirect("projects")


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """The reader's projects, with role, progress and state."""
    actor = actor_of(request.user)
    memberships = list(memberships_of(actor.user))
    progress = progress_by_project([one.project_id for one in memberships])
    context = {
        "rows": [
            {"membership": one, "progress": told_to(one, progress[one.project_id])} for one in memberships
        ],
        "may_create": may_create_projects(actor),
    }
    return render(request, "core/project/index.html", context)


# --- Making one ---------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """Make a project by form. ``edit`` adds or removes a row and judges nothing."""
    user = _maker(request)
    if request.method != "POST":
        return _editor_page(request, ProjectEditor())
    if "edit" in request.POST:
        editor = ProjectEditor(request.POST, bound=False)
        editor.edit(request.POST["edit"])
        return _editor_page(request, editor)
    editor = ProjectEditor(request.POST)
    if editor.is_valid():
        try:
            project = create_project(user, editor.document())
        except (Invalid, Conflict) as error:
            editor.tell(error)
        else:
            return _made(request, project)
    return _editor_page(request, editor, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new_from_document(request: HttpRequest) -> HttpResponse:
    """Make a project from a pasted project document."""
    user = _maker(request)
    form = DocumentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            project = create_project(user, form.cleaned_data["document"])
        except (Invalid, Conflict) as error:
            for row in error.errors or [{"pointer": "", "detail": error.detail}]:
                form.add_error("document", f"{row['pointer']} {row['detail']}".strip())
        else:
            return _made(request, project)
    status = 422 if form.errors else 200
    return render(request, "core/project/new_document.html", {"form": form}, status=status)


def _maker(request: HttpRequest) -> User:
    actor = actor_of(request.user)
    if not may_create_projects(actor):
        raise NotAllowed(_("Only people who lead a project may make another. Ask the lead who invited you."))
    return actor.user


def _editor_page(request: HttpRequest, editor: ProjectEditor, status: int = 200) -> HttpResponse:
    return render(request, "core/project/new.html", {"editor": editor, "form": editor.form}, status=status)


def _made(request: HttpRequest, project: Project) -> HttpResponse:
    messages.success(request, _("The project is made. Bring in the items next."))
    return redirect("project", project.slug)


# --- Home ---------------------------------------------------------------------------------------------


@require_safe
@project_view(Action.PROJECT_READ)
def home(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """How far the project is and what to do next; for annotators, the way to the label page."""
    project = membership.project
    progress = told_to(membership, progress_of(project.pk))
    context: dict[str, Any] = {
        "progress": progress,
        "guideline": project.guideline,
        "questions": schema_of(project).questions,
    }
    if membership.role in LEADS:
        attention = attention_of(project)
        context |= {
            "attention": attention,
            "steps": _steps(project, progress, attention),
            "people": [one for one in members_of(project) if one.active or one.answered],
            "state_facts": _state_facts(progress, attention),
        }
    if membership.role in REVIEWERS:
        context["agreement"] = _headline(membership, progress)
        context["saving"] = saving_of(project)
        context["learnable"] = learnable_question(project) is not None
    return project_page(request, membership, "home", "core/project/home.html", context)


def _steps(project: Project, progress: Progress, attention: Attention) -> list[dict[str, str]]:
    """At most three things to do next, the most urgent first."""
    slug = project.slug
    steps: list[tuple[bool, str, str]] = [
        (
            attention.held_imports > 0,
            reverse("imports", args=[slug]),
            ngettext("Decide on %d held import", "Decide on %d held imports", attention.held_imports)
            % attention.held_imports,
        ),
        (
            progress.items == 0 and not attention.held_imports,
            reverse("import_new", args=[slug]),
            _("Import the first items"),
        ),
        (
            attention.people < 2 and not attention.invitations,  # noqa: PLR2004 -- somebody besides the lead
            reverse("people", args=[slug]),
            _("Invite the people who will label"),
        ),
        (
            not (project.guideline and project.guideline.text.strip()),
            reverse("guideline_new", args=[slug]),
            _("Write the guideline"),
        ),
        (
            attention.with_lead > 0,
            f"{reverse('items', args=[slug])}?state=with_lead",
            ngettext(
                "Decide on %d item that waits for the lead",
                "Decide on %d items that wait for the lead",
                attention.with_lead,
            )
            % attention.with_lead,
        ),
        (
            attention.flags > 0,
            f"{reverse('items', args=[slug])}?flagged=1",
            ngettext("Read %d flag", "Read %d flags", attention.flags) % attention.flags,
        ),
        (
            progress.annotations > 0,
            reverse("agreement", args=[slug]),
            _("See how far people agree"),
        ),
    ]
    return [{"url": url, "label": label} for wanted, url, label in steps if wanted][:3]


def _state_facts(progress: Progress, attention: Attention) -> dict[str, list[str]]:
    """What pausing and archiving will do, in numbers."""
    held = (
        ngettext("%d item is in somebody's hands", "%d items are in people's hands", attention.held_items)
        % attention.held_items
    )
    left = progress.items - progress.items_done
    waiting = ngettext("%d item is not done.", "%d items are not done.", left) % left
    kept = (
        ngettext("%d annotation stays.", "%d annotations stay.", progress.annotations) % progress.annotations
    )
    return {
        "pause": [_("%s and can still be answered.") % held, waiting],
        "archive": [_("%s; answers to them will be refused.") % held, waiting, kept],
    }


def _headline(membership: Membership, progress: Progress) -> dict[str, Any] | None:
    """Alpha of the first choice question, from the report of its page; None where making that one is slow."""
    project = membership.project
    question = next((one for one in schema_of(project).questions if one.kind in CHOICE_KINDS), None)
    if question is None or not progress.annotations:
        return None
    asked = {
        "question_key": question.key,
        "uncertain": Uncertain.CLASS.value,
        "items": ItemsChoice.ALL.value,
        "repeat": 1,
        "real_names": membership.role in LEADS,
        "readings": any(spec.uncertain for spec in question.classes),
    }
    if progress.annotations > MOST_FOR_HEADLINE and kept_at(project, Kind.AGREEMENT, asked) is None:
        return None
    report = kept_report(project, Kind.AGREEMENT, asked).body
    coefficients = report["coefficients"]
    return {
        "question": question,
        "alpha": coefficients["krippendorff_alpha"],
        "percent": coefficients["percent_agreement"],
        "verdict": report["verdict"],
    }


# --- State --------------------------------------------------------------------------------------------


@require_POST
@project_view(Action.PROJECT_EDIT)
def pause(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Hand out nothing until it is resumed."""
    set_state(membership, ProjectState.PAUSED)
    messages.success(request, _("Paused. Nothing is handed out; answers that are on their way still count."))
    return redirect("project", membership.project.slug)


@require_POST
@project_view(Action.PROJECT_EDIT)
def resume(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Hand out again."""
    set_state(membership, ProjectState.ACTIVE)
    messages.success(request, _("Resumed. Items are handed out again."))
    return redirect("project", membership.project.slug)


@require_POST
@project_view(Action.PROJECT_ARCHIVE)
def archive(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Close it: it can be read, not changed."""
    set_state(membership, ProjectState.ARCHIVED)
    messages.success(request, _("Archived. It can be read and exported, and reopened on this page."))
    return redirect("project", membership.project.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.PROJECT_CLONE)
def clone(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """A new project with the same questions, classes, guideline and settings."""
    project = membership.project
    if request.method == "POST":
        form = CloneForm(request.POST)
        if form.is_valid():
            try:
                made = clone_project(membership, form.cleaned_data["slug"], form.cleaned_data["name"])
            except Conflict as error:
                form.add_error("slug", error.detail)
            except Invalid as error:
                tell_form(form, error)
            else:
                messages.success(request, _("Copied. This is the new project."))
                return redirect("project", made.slug)
    else:
        name = _("%s, copy") % project.name
        form = CloneForm(initial={"name": name[:200], "slug": f"{project.slug[:55]}-copy"})
    status = 422 if form.errors else 200
    return project_page(request, membership, "home", "core/project/clone.html", {"form": form}, status=status)


# --- Settings -----------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.PROJECT_EDIT)
def edit_settings(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Change settings; refused when somebody else changed them since the page was opened."""
    project = membership.project
    fields = data_fields(project)
    if request.method != "POST":
        form = SettingsForm(initial=SettingsForm.initial_of(project))
        return _settings_page(request, membership, form, DisplayForm(fields, project.display))
    form, display = SettingsForm(request.POST), DisplayForm(fields, project.display, request.POST)
    if form.is_valid() and display.is_valid():
        facts = _overlap_facts(project, form)
        if facts and "confirmed" not in request.POST:
            return _settings_page(request, membership, form, display, facts=facts)
        try:
            edit_project(
                membership, {**form.changes(), "display": display.mapping()}, form.cleaned_data["version"]
            )
        except Stale:
            return _stale(request, membership, form, display)
        except DomainError as error:
            tell_form(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("project_settings", project.slug)
    return _settings_page(request, membership, form, display, status=422)


def _stale(
    request: HttpRequest, membership: Membership, form: SettingsForm, display: DisplayForm
) -> HttpResponse:
    """Show what was typed above the version that is now in force, so that a second save is a decision."""
    project = Project.objects.get(pk=membership.project_id)
    now = SettingsForm.initial_of(project)
    differs = [
        _("%(setting)s is %(value)s now")
        % {"setting": form[name].label, "value": _("empty") if value is None else value}
        for name, value in now.items()
        if name != "version" and form.cleaned_data[name] != value
    ]
    data: QueryDict = request.POST.copy()
    data["version"] = str(project.version)
    form = SettingsForm(data)
    form.add_error(
        None,
        _(
            "Somebody else changed these settings since you opened the page (%s). Nothing of yours is saved yet. "
            "Save again to put yours in force."
        )
        % ("; ".join(differs) or _("with the same values as yours")),
    )
    return _settings_page(request, membership, form, display, status=412)


def _overlap_facts(project: Project, form: SettingsForm) -> list[str]:
    """What a changed overlap will do to items, in numbers; empty when it opens and closes none."""
    facts: list[str] = []
    for name, audit in (("overlap", False), ("audit_overlap", True)):
        wanted = form.cleaned_data[name]
        if wanted == getattr(project, name):
            continue
        opened, closed = overlap_effect(project, wanted, audit=audit)
        which = _("in the audit slice") if audit else _("outside the audit slice")
        if opened and wanted > getattr(project, name):
            facts.append(
                ngettext(
                    "%(n)d finished item %(which)s opens again for more people.",
                    "%(n)d finished items %(which)s open again for more people.",
                    opened,
                )
                % {"n": opened, "which": which}
            )
        if closed and wanted < getattr(project, name):
            facts.append(
                ngettext(
                    "%(n)d open item %(which)s is finished with the answers it has; no answer is lost.",
                    "%(n)d open items %(which)s are finished with the answers they have; no answer is lost.",
                    closed,
                )
                % {"n": closed, "which": which}
            )
    return facts


def _settings_page(  # noqa: PLR0917 -- the two forms of one page
    request: HttpRequest,
    membership: Membership,
    form: SettingsForm,
    display: DisplayForm,
    facts: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    question = deciding_question(membership.project)
    context = {"form": form, "display": display, "facts": facts or [], "question": question}
    return project_page(request, membership, "settings", "core/project/settings.html", context, status=status)
