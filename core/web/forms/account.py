"""Forms of accounts. What makes a name or a password acceptable is decided by services/account.py."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from core.models import User
from core.services.account import LONGEST_DISPLAY_NAME, LONGEST_PASSWORD, normal_username


def _password(label: Any, *, new: bool = True, hint: Any = "") -> forms.CharField:
    autocomplete = "new-password" if new else "current-password"
    return forms.CharField(
        label=label,
        help_text=hint,
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": autocomplete}),
    )


class SignInForm(AuthenticationForm):
    """Name and password; the same answer for an unknown name, a wrong password and a locked-out account."""

    error_messages = {
        "invalid_login": _("This name and this password do not belong together."),
        "inactive": _("This name and this password do not belong together."),
    }
    next = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = _("Sign-in name")
        self.fields["next"].initial = request.GET.get("next", "") if request else ""

    def clean_username(self) -> str:
        """As names are stored, so that attempts with another case count together."""
        return normal_username(self.cleaned_data["username"])


class NewPasswordForm(forms.Form):
    """A password, twice."""

    password = _password(
        _("New password"), hint=_("At least 10 characters. A few words are easy to remember.")
    )
    again = _password(_("The same password again"))

    def clean_again(self) -> str:
        """Both must be equal."""
        again: str = self.cleaned_data["again"]
        if "password" in self.cleaned_data and self.cleaned_data["password"] != again:
            raise forms.ValidationError(_("The two passwords differ."), code="differ")
        return again


class NewAccountForm(NewPasswordForm):
    """Everything that a new account needs."""

    username = forms.CharField(
        label=_("Sign-in name"),
        help_text=_("Letters, digits and . @ + - _"),
        max_length=80,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "autofocus": True}
        ),
    )
    display_name = forms.CharField(
        label=_("Your name, as others see it"),
        max_length=LONGEST_DISPLAY_NAME,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    field_order = ["username", "display_name", "password", "again"]


class ChangePasswordForm(forms.Form):
    """The old password and two new ones."""

    old = _password(_("Present password"), new=False)
    new = _password(_("New password"), hint=_("At least 10 characters. A few words are easy to remember."))
    again = _password(_("The same password again"))

    def clean_again(self) -> str:
        """Both must be equal."""
        again: str = self.cleaned_data["again"]
        if "new" in self.cleaned_data and self.cleaned_data["new"] != again:
            raise forms.ValidationError(_("The two passwords differ."), code="differ")
        return again


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """What others see of somebody."""

    class Meta:
        model = User
        fields = ["display_name"]
        labels = {"display_name": _("Your name, as others see it")}


class JoinForm(forms.Form):
    """Nothing but the button, for somebody who is signed in."""
