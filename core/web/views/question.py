"""Questions and classes: what is asked, what may be answered, and changing both while people label."""

from typing import Any, TypeVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from core.access import Action
from core.choices import N_COLOURS
from core.exceptions import DomainError, Invalid, Missing, Stale
from core.models import Membership, Project
from core.selectors.progress import progress_of
from core.selectors.question import ClassSpec, QuestionSpec, schema_of
from core.services.question import add_class, add_question, edit_class, edit_question
from core.web.access import project_view
from core.web.forms.question import ChangeClassForm, EditClassForm, EditQuestionForm, QuestionsEditor
from core.web.pages import project_page, tell_form

AnyForm = TypeVar("AnyForm", bound=forms.Form)


def _question(membership: Membership, key: str) -> QuestionSpec:
    spec = schema_of(membership.project).question(key)
    if spec is None:
        raise Missing
    return spec


def _page(
    request: HttpRequest, membership: Membership, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    return project_page(
        request, membership, "questions", f"core/question/{template}.html", context, status=status
    )


@require_safe
@project_view(Action.PROJECT_EDIT)
def index(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Every question with its classes: definition, key, colour, order."""
    return _page(request, membership, "page", {"questions": schema_of(membership.project).questions})


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.PROJECT_EDIT)
def new(request: HttpRequest, membership: Membership) -> HttpResponseBase:
    """Add a question. ``edit`` adds or removes a row and judges nothing."""
    if request.method != "POST":
        return _editor_page(request, membership, QuestionsEditor())
    if "edit" in request.POST:
        editor = QuestionsEditor(request.POST, bound=False)
        editor.edit(request.POST["edit"])
        return _editor_page(request, membership, editor)
    editor = QuestionsEditor(request.POST)
    if editor.is_valid():
        try:
            made = add_question(membership, editor.questions()[0])
        except Invalid as error:
            editor.tell(error, "/questions/0")
        else:
            messages.success(request, _("The question “%s” is asked from now on.") % made.title)
            return redirect("questions", membership.project.slug)
    return _editor_page(request, membership, editor, status=422)


def _editor_page(
    request: HttpRequest, membership: Membership, editor: QuestionsEditor, status: int = 200
) -> HttpResponse:
    context = {"editor": editor, "n_done": progress_of(membership.project_id).items_done}
    return _page(request, membership, "new", context, status)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.PROJECT_EDIT)
def edit(request: HttpRequest, membership: Membership, key: str) -> HttpResponseBase:
    """Change a question's words, or whether it must be answered."""
    spec = _question(membership, key)
    status, stored = 422, None
    if request.method == "POST":
        form = EditQuestionForm(request.POST)
        if form.is_valid():
            fields = form.cleaned_data
            changes = {"title": fields["title"], "required": fields["required"]}
            try:
                edit_question(membership, key, changes, fields["version"])
            except Stale:
                form, status, spec = _stale(request, membership, form), 412, _question(membership, key)
                stored = stored_beside(form, {"title": spec.title, "required": spec.required})
            except Invalid as error:
                tell_form(form, error)
            else:
                messages.success(request, _("Saved."))
                return redirect("questions", membership.project.slug)
    else:
        now = {"title": spec.title, "required": spec.required, "version": membership.project.version}
        form = EditQuestionForm(initial=now)
    context = {
        "form": form,
        "question": spec,
        "n_done": progress_of(membership.project_id).items_done,
        "stored": stored,
    }
    return _page(request, membership, "edit", context, status if form.errors else 200)


def _stale(request: HttpRequest, membership: Membership, form: AnyForm) -> AnyForm:
    """What was typed, with the version that is now in force, so that a second save is a decision."""
    membership.project = Project.objects.get(pk=membership.project_id)
    data = request.POST.copy()
    data["version"] = str(membership.project.version)
    again = type(form)(data)
    again.add_error(
        None,
        _(
            "Somebody else changed the questions or settings since you opened the page. Nothing of yours is saved "
            "yet. Below stands what is stored now; save again to put yours in force."
        ),
    )
    return again


def stored_beside(form: forms.Form, stored: dict[str, Any]) -> list[dict[str, Any]]:
    """What is stored at present beside what was typed, field by field: ``label``, ``stored``, ``typed``, ``same``."""
    typed = {name: _plain(form.cleaned_data.get(name, form[name].value())) for name in stored}
    return [
        {
            "label": form.fields[name].label,
            "stored": _shown(form, name, value),
            "typed": _shown(form, name, typed[name]),
            "same": _plain(value) == typed[name],
        }
        for name, value in stored.items()
    ]


def _plain(value: Any) -> Any:
    """A value without the line ends of browsers."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _shown(form: forms.Form, name: str, value: Any) -> str:
    """A value of a field in words."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    choices = dict(getattr(form.fields[name], "choices", ()))
    return str(choices.get(value, value))


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.PROJECT_EDIT)
def new_class(request: HttpRequest, membership: Membership, key: str) -> HttpResponseBase:
    """Add a class to a choice question."""
    spec = _question(membership, key)
    if not spec.is_choice:
        raise Missing
    if request.method == "POST":
        form = EditClassForm(request.POST)
        if form.is_valid():
            try:
                made = add_class(membership, key, form.document())
            except Invalid as error:
                tell_form(form, error)
            else:
                messages.success(request, _("The class “%s” can be answered from now on.") % made.name)
                return redirect("questions", membership.project.slug)
    else:
        form = EditClassForm(initial={"colour": len(spec.classes) % N_COLOURS})
    return _class_page(request, membership, form, spec)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Action.PROJECT_EDIT)
def edit_one_class(request: HttpRequest, membership: Membership, key: str, class_id: int) -> HttpResponseBase:
    """Change a class; answers that were given keep pointing at it."""
    spec = _question(membership, key)
    shown = next((one for one in spec.classes if one.id == class_id), None)
    if shown is None:
        raise Missing
    status, stored = 422, None
    if request.method == "POST":
        form = ChangeClassForm(request.POST)
        if form.is_valid():
            try:
                edit_class(membership, key, class_id, form.document(), form.cleaned_data["version"])
            except Stale:
                form, status = _stale(request, membership, form), 412
                now_there = next(
                    (one for one in _question(membership, key).classes if one.id == class_id), shown
                )
                stored = stored_beside(form, EditClassForm.initial_of(now_there))
            except DomainError as error:
                tell_form(form, error)
            else:
                messages.success(request, _("Saved."))
                return redirect("questions", membership.project.slug)
    else:
        now = EditClassForm.initial_of(shown)
        form = ChangeClassForm(initial={**now, "version": membership.project.version})
    return _class_page(request, membership, form, spec, shown, stored=stored, status=status)


def _class_page(
    request: HttpRequest,
    membership: Membership,
    form: EditClassForm,
    question: QuestionSpec,
    shown: ClassSpec | None = None,
    *,
    stored: list[dict[str, Any]] | None = None,
    status: int = 422,
) -> HttpResponse:
    context = {"form": form, "question": question, "class": shown, "stored": stored}
    return _page(request, membership, "class", context, status if form.errors else 200)
