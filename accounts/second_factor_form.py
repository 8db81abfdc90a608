"""The form for a second factor: a code of the app, a recovery code, or the answer of a passkey.

A sign-in between password and second factor is pending for some minutes, or until the password changes.
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

TOO_MANY_ATTEMPTS = gettext_lazy("Too many attempts. Wait a few minutes and try again.")
PENDING_LIFETIME = timedelta(minutes=5)


class SecondFactorForm(AuthenticateForm):  # type: ignore[misc]  # allauth is not typed
    """A code of the authenticator app, or a recovery code."""

    code = forms.CharField(
        label=gettext_lazy("Authenticator code or recovery code"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


def pending_sign_in(user: User, *, to: str, at: datetime) -> dict[str, Any]:
    """The session data of a user whose password was verified, and whose second factor is verified next."""
    return {"user": str(user.pk), "since": at.timestamp(), "next": to, "password": user.get_session_auth_hash()}


def pending_user(pending: dict[str, Any], *, at: datetime) -> User | None:
    """The user of a pending sign-in, unless it is expired, the user inactive, or the password changed since."""
    if not pending or at.timestamp() - pending["since"] > PENDING_LIFETIME.total_seconds():
        return None
    user = User.objects.filter(pk=UUID(pending["user"]), is_active=True).first()
    still_valid = user is not None and constant_time_compare(pending.get("password", ""), user.get_session_auth_hash())
    return user if still_valid else None


def check_submitted_factor(
    request: HttpRequest, user: User, factors: second_factor.SecondFactors
) -> tuple[Any, Any, str]:
    """Check the submitted second factor. Returns the form, the verified factor or None, and the error for passkeys."""
    form = SecondFactorForm(user=user, data=request.POST if "code" in request.POST else None)
    if factors.app is None:
        form.fields["code"].label = _("One of your recovery codes")
    if request.method != "POST":
        return form, None, ""
    if form.is_bound:
        return form, form.authenticator if form.is_valid() else None, ""
    try:
        passkey = passkeys.authenticate(user, str(request.POST.get("credential", "")))
    except ValidationError:
        return form, None, str(TOO_MANY_ATTEMPTS)
    return form, passkey, "" if passkey else _("This passkey was not recognized. Please try again.")
