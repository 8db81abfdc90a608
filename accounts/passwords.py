"""A password is shown once more, or becomes another, by whoever has one: a merchant's staff and colleagues."""

from datetime import datetime

from allauth.account.adapter import get_adapter
from allauth.core import ratelimit
from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from accounts import rules, services
from accounts.models import User
from kernel.actor import Actor
from kernel.console_actions import show_errors
from kernel.refusal import Refusal

NOT_YOURS = gettext_lazy("Incorrect password, or too many attempts.")


class FirstPassword(forms.Form):
    """A password is chosen."""

    password = forms.CharField(
        label=gettext_lazy("New password"),
        max_length=rules.PASSWORD_LENGTH_MAX,
        strip=False,
        help_text=gettext_lazy("At least 15 characters and not a common password. A sentence works well."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class NewPassword(FirstPassword):
    """From one password to the next."""

    current = forms.CharField(
        label=gettext_lazy("Current password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    field_order = ("current", "password")


def knows(request: HttpRequest, user: User, word: str) -> bool:
    """Whether the password is theirs. Tries are counted, those that fail by allauth as well."""
    if not ratelimit.consume(request, action="reauthenticate", user=user):
        return False
    try:
        found = get_adapter().authenticate(request, username=user.username, password=word)
    except forms.ValidationError:
        return False
    return bool(found is not None and found.pk == user.pk)


def changed(request: HttpRequest, user: User, form: NewPassword, *, by: Actor, at: datetime) -> User | None:
    """The user with the password that was typed, or None: then the form says why not."""
    if not knows(request, user, form.cleaned_data["current"]):
        form.add_error("current", NOT_YOURS)
        return None
    try:
        return services.change_password(user.id, form.cleaned_data["password"], by=by, at=at)
    except Refusal as refusal:
        show_errors(form, refusal)
        return None
