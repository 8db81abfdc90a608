"""Checking and changing passwords of colleagues and of merchants' staff."""

from datetime import datetime

from allauth.account.adapter import get_adapter
from allauth.core import ratelimit
from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from accounts import rules, services
from accounts.models import User
from kernel.actor import Actor
from kernel.console_actions import add_errors
from kernel.refusal import Refusal

WRONG_PASSWORD = gettext_lazy("Incorrect password, or too many attempts.")


class FirstPasswordForm(forms.Form):
    """Choose a first password."""

    password = forms.CharField(
        label=gettext_lazy("New password"),
        max_length=rules.PASSWORD_LENGTH_MAX,
        strip=False,
        help_text=gettext_lazy("At least 15 characters and not a common password. A sentence works well."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class ChangePasswordForm(FirstPasswordForm):
    """Change the password, with the current one."""

    current = forms.CharField(
        label=gettext_lazy("Current password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    field_order = ("current", "password")


def check_password(request: HttpRequest, user: User, password: str) -> bool:
    """Whether the password is the user's. Attempts are rate limited, failed ones also by allauth."""
    if not ratelimit.consume(request, action="reauthenticate", user=user):
        return False
    try:
        authenticated = get_adapter().authenticate(request, username=user.username, password=password)
    except forms.ValidationError:
        return False
    return bool(authenticated is not None and authenticated.pk == user.pk)


def change_password(
    request: HttpRequest, user: User, form: ChangePasswordForm, *, by: Actor, at: datetime
) -> User | None:
    """Change the password from a valid form. Returns the user, or None after adding an error to the form."""
    if not check_password(request, user, form.cleaned_data["current"]):
        form.add_error("current", WRONG_PASSWORD)
        return None
    try:
        return services.change_password(user.id, form.cleaned_data["password"], by=by, at=at)
    except Refusal as refusal:
        add_errors(form, refusal)
        return None
