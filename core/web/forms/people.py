"""Forms of the people page."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.access import rank
from core.choices import Role
from core.selectors.void import Span
from core.services.membership import LARGEST_CAP, LONGEST_INVITATION_DAYS, LONGEST_NOTE
from core.services.void import LONGEST_REASON


def roles_up_to(role: str) -> list[tuple[str, str]]:
    """The roles that somebody with this one may grant."""
    return [(value, str(label)) for value, label in Role.choices if rank(value) <= rank(role)]


class InvitationForm(forms.Form):
    """Whom to invite as what."""

    role = forms.ChoiceField(label=_("Role"), initial=Role.ANNOTATOR)
    note = forms.CharField(
        label=_("Note for yourself"),
        help_text=_("For example the person's name. Only leads see it."),
        max_length=LONGEST_NOTE,
        required=False,
    )
    days = forms.IntegerField(
        label=_("Days until the link ends"), min_value=1, max_value=LONGEST_INVITATION_DAYS, initial=7
    )

    def __init__(self, role: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["role"]
        assert isinstance(chosen, forms.ChoiceField)  # noqa: S101 -- narrows the type
        chosen.choices = roles_up_to(role)


class MemberForm(forms.Form):
    """A member's role and cap."""

    role = forms.ChoiceField(label=_("Role"))
    cap = forms.IntegerField(
        label=_("At most this many answers"), min_value=0, max_value=LARGEST_CAP, required=False
    )

    def __init__(self, role: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["role"]
        assert isinstance(chosen, forms.ChoiceField)  # noqa: S101 -- narrows the type
        chosen.choices = roles_up_to(role)


class MomentField(forms.DateTimeField):
    """A moment, of which there is one in UTC: year 1 with an offset may have none."""

    def to_python(self, value: Any) -> datetime | None:
        """The moment in UTC. Raises ValidationError ``invalid``."""
        found: datetime | None = super().to_python(value)
        try:
            return None if found is None else found.astimezone(UTC)
        except OverflowError:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None


class VoidForm(forms.Form):
    """Which of somebody's answers to take out, and why."""

    since = MomentField(
        label=_("Answered from"),
        required=False,
        help_text=_("Empty for the very first. UTC."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    until = MomentField(
        label=_("Answered before"),
        required=False,
        help_text=_("Empty for all since."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    reason = forms.CharField(
        label=_("Why"),
        max_length=LONGEST_REASON,
        help_text=_(
            "Leads and reviewers see it on the items. The person is told that answers were taken out."
        ),
    )

    def __init__(self, *args: Any, looks: bool = False, **kwargs: Any) -> None:
        """Who only ``looks`` need not say why."""
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = not looks

    def span(self) -> Span:
        """The stretch of time of a form that is valid."""
        return Span(self.cleaned_data["since"], self.cleaned_data["until"])


class EraseForm(forms.Form):
    """The name of who is to be forgotten."""

    name = forms.CharField(
        label=_("Type the name to make sure"),
        max_length=200,
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
