"""The form that makes a token."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.choices import Scope
from core.models import Project, User
from core.services.token import LONGEST_DAYS, LONGEST_NAME


class TokenForm(forms.Form):
    """Name, project, scopes and how long."""

    name = forms.CharField(label=_("What it is for"), max_length=LONGEST_NAME)
    project = forms.ModelChoiceField(
        label=_("Project"), queryset=Project.objects.none(), required=False, empty_label=_("all of mine")
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"), choices=Scope.choices, widget=forms.CheckboxSelectMultiple
    )
    days = forms.IntegerField(label=_("Days until it ends"), min_value=1, max_value=LONGEST_DAYS, initial=30)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        projects = self.fields["project"]
        assert isinstance(projects, forms.ModelChoiceField)  # noqa: S101 -- narrows the type
        projects.queryset = Project.objects.filter(memberships__user=user, memberships__active=True).order_by(
            "name", "pk"
        )
