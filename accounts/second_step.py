"""A second factor is shown in a form: the digits of the app, a code for emergencies, or a passkey's answer.

Between the password and the factor somebody is half way in: that lasts minutes, and ends when the password changes.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from allauth.mfa.base.forms import AuthenticateForm
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import passkeys, second_factor
from accounts.models import User

TOO_MANY = gettext_lazy("Too many attempts. Wait a few minutes and try again.")
HALF_WAY_FOR = timedelta(minutes=5)


class SecondCode(AuthenticateForm):  # type: ignore[misc]  # allauth is not typed
    """The digits of the app, or one of the codes for emergencies."""

    code = forms.CharField(
        label=gettext_lazy("Authenticator code or recovery code"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


def half_way(user: User, *, to: str, at: datetime) -> dict[str, Any]:
    """What a session keeps of whoever has shown their password, and is asked for the second factor next."""
    return {"user": str(user.pk), "since": at.timestamp(), "next": to, "password": user.get_session_auth_hash()}


def who_is_half_way(kept: dict[str, Any], *, at: datetime) -> User | None:
    """Whoever that is, if it was just now, they may still sign in, and the password they have shown still counts."""
    if not kept or at.timestamp() - kept["since"] > HALF_WAY_FOR.total_seconds():
        return None
    user = User.objects.filter(pk=UUID(kept["user"]), is_active=True).first()
    counts = user is not None and constant_time_compare(kept.get("password", ""), user.get_session_auth_hash())
    return user if counts else None


def judged(request: HttpRequest, user: User, held: second_factor.Held) -> tuple[Any, Any, str]:
    """What was sent to prove a second factor: the form, the factor that it proved, and what to say if none."""
    form = SecondCode(user=user, data=request.POST if "code" in request.POST else None)
    if held.app is None:
        form.fields["code"].label = _("One of your recovery codes")
    if request.method != "POST":
        return form, None, ""
    if form.is_bound:
        return form, form.authenticator if form.is_valid() else None, ""
    try:
        shown = passkeys.shown(user, str(request.POST.get("credential", "")))
    except ValidationError:
        return form, None, str(TOO_MANY)
    return form, shown, "" if shown else _("This passkey was not recognized. Please try again.")
