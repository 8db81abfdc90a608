"""/ops/own/: a colleague's own second factors and password, changed only after fresh authentication."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.core import ratelimit
from allauth.mfa.base.internal.flows import post_authentication
from django import forms
from django.contrib.auth import update_session_auth_hash
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import passkeys, passwords, rules, second_factor
from accounts.models import User
from accounts.refusals import InvalidEnrolmentCode
from accounts.second_factor import ReauthenticationRequiredError
from accounts.second_factor_form import TOO_MANY_ATTEMPTS, check_submitted_factor
from accounts.visitor import safe_redirect_url
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, MenuItem, StrOrPromise, console_page
from kernel.refusal import NotFound, Refusal

MENU_ITEM = MenuItem(
    "own_second",
    gettext_lazy("Your two-step verification"),
    gettext_lazy("Passkeys, authenticator app, recovery codes"),
    VIEWERS,
)
_P = ParamSpec("_P")
_FORM = require_http_methods(["GET", "HEAD", "POST"])


class PasswordForm(forms.Form):
    """The current password, to re-authenticate."""

    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=rules.PASSWORD_LENGTH_MAX,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class AppCodeForm(forms.Form):
    """A code from the authenticator app."""

    code = forms.CharField(
        label=gettext_lazy("Authenticator code"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class EnrolmentForm(forms.Form):
    """The enrolment code that the first second factor needs, where one is required."""

    enrolment = forms.CharField(
        label=gettext_lazy("Enrolment code"),
        max_length=40,
        help_text=gettext_lazy("Your supervisor gives it to you in person. It works once and expires in one day."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )


class FirstAppForm(EnrolmentForm, AppCodeForm):
    """Enrolment code and authenticator code."""


def requires_fresh_auth(view: Callable[Concatenate[Colleague, User, _P], HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorator of pages that need a recent authentication, so that an unattended session is not enough."""

    @wraps(view)
    def wrapper(colleague: Colleague, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponse:
        user = _user(colleague)
        try:
            with suppress(ReauthenticationRequiredError):  # factors are being changed in another session
                if second_factor.is_recently_verified(colleague.request, user, at=colleague.at):
                    return view(colleague, user, *args, **kwargs)
        except NotFound:
            raise Http404 from None
        back = reverse("own_second") if colleague.is_post else colleague.request.get_full_path()
        return redirect(f"{reverse('own_confirm')}?{urlencode({'next': back})}")

    return console_page(*VIEWERS)(wrapper)


@require_safe
@console_page(*VIEWERS)
def overview(colleague: Colleague) -> HttpResponse:
    """The colleague's second factors."""
    user = _user(colleague)
    context: dict[str, Any] = {
        "factors": second_factor.factors_of(user),
        "asks_code": _needs_enrolment_code(colleague, user),
    }
    return colleague.render("office/security.html", MENU_ITEM.label, **context)


@_FORM
@requires_fresh_auth
def add_app(colleague: Colleague, user: User) -> HttpResponse:
    """Add an authenticator app, confirmed with a code."""
    form = (FirstAppForm if _needs_enrolment_code(colleague, user) else AppCodeForm)(colleague.form_data)
    if colleague.is_post and form.is_valid():
        try:
            if not ratelimit.consume(colleague.request, action="reauthenticate", user=user):
                form.add_error(None, TOO_MANY_ATTEMPTS)
            elif codes := _confirm_app(colleague, user, form.cleaned_data):
                return _render_codes(colleague, codes)
            else:
                form.add_error("code", _("Incorrect code. Enter the code your app shows now."))
        except InvalidEnrolmentCode as refusal:
            form.add_error("enrolment" if "enrolment" in form.fields else None, str(_audit_refusal(colleague, refusal)))
    secret = second_factor.pending_totp_secret(colleague.request)
    context = {"form": form, "secret": secret, "drawn": second_factor.totp_qr_code(user, secret)}
    return colleague.render(
        "office/security_app.html", _("Add an authenticator app"), status=422 if form.errors else 200, **context
    )


@_FORM
@requires_fresh_auth
def add_passkey(colleague: Colleague, user: User) -> HttpResponse:
    """Add a passkey created by the browser."""
    first = EnrolmentForm(colleague.form_data) if _needs_enrolment_code(colleague, user) else None
    error: StrOrPromise = ""
    if colleague.is_post:
        try:
            codes, error = _register_passkey(colleague, user, first)
        except Refusal as refusal:
            error = _audit_refusal(colleague, refusal)
        if not error:
            record_authentication(colleague.request, user, method="mfa", type="webauthn", reauthenticated=True)
            colleague.add_message(_("Passkey added."))
            return _render_codes(colleague, codes) if codes else redirect("own_second")
    context = {"wrong": error, "first": first, "options": passkeys.registration_options(user)}
    return colleague.render("office/security_passkey.html", _("Add a passkey"), status=422 if error else 200, **context)


@require_POST
@requires_fresh_auth
def renew_codes(colleague: Colleague, user: User) -> HttpResponse:
    """Replace the recovery codes; earlier ones stop working."""
    with second_factor.verified_change(colleague.request, user, at=colleague.at):
        codes = second_factor.renew_recovery_codes(user.pk, by=colleague.actor, at=colleague.at)
    return _render_codes(colleague, codes)


@require_POST
@requires_fresh_auth
def remove_factor(colleague: Colleague, user: User, key: int) -> HttpResponse:
    """Remove an authenticator app or a passkey."""
    with second_factor.verified_change(colleague.request, user, at=colleague.at):
        second_factor.remove_factor(user.pk, key, by=colleague.actor, at=colleague.at)
    colleague.add_message(_("Removed."))
    return redirect("own_second")


@_FORM
@sensitive_post_parameters("password")
@console_page(*VIEWERS)
def confirm(colleague: Colleague) -> HttpResponse:
    """Re-authenticate with a second factor, or with the password if there is none."""
    request, user = colleague.request, _user(colleague)
    factors = second_factor.factors_of(user)
    form, proof, error = (
        check_submitted_factor(request, user, factors)
        if factors.is_enabled
        else (_check_password(colleague, user), None, "")
    )
    if proof is not None:
        post_authentication(request, proof, reauthenticated=True)
    if proof is not None or (not factors.is_enabled and form.is_valid()):
        return redirect(safe_redirect_url(request, request.GET.get("next"), fallback="own_second"))
    context: dict[str, Any] = {"form": form, "factors": factors, "wrong": error}
    context["options"] = factors.passkeys and passkeys.authentication_options(user)
    return colleague.render(
        "office/security_confirm.html", _("Verify it is you"), status=422 if form.errors or error else 200, **context
    )


@_FORM
@sensitive_post_parameters("current", "password")
@console_page(*VIEWERS)
def password(colleague: Colleague) -> HttpResponse:
    """Change the password and sign out all other sessions. Audited."""
    form = passwords.ChangePasswordForm(colleague.form_data)
    if colleague.is_post and form.is_valid():
        user = passwords.change_password(colleague.request, _user(colleague), form, by=colleague.actor, at=colleague.at)
        if user is not None:
            update_session_auth_hash(colleague.request, user)
            colleague.audit("password_changed")
            colleague.add_message(_("Your new password is now in effect."))
            return redirect("own_second")
    label = _("Change password")
    return colleague.render("office/security_password.html", label, status=422 if form.errors else 200, form=form)


def _check_password(colleague: Colleague, user: User) -> PasswordForm:
    """The password form, validated if it was submitted."""
    form = PasswordForm(colleague.form_data)
    if not (colleague.is_post and form.is_valid()):
        return form
    if passwords.check_password(colleague.request, user, form.cleaned_data["password"]):
        reauthenticate_by_password(colleague.request)
    else:
        form.add_error("password", passwords.WRONG_PASSWORD)
    return form


def _needs_enrolment_code(colleague: Colleague, user: User) -> bool:
    return second_factor.must_enter_enrolment_code(colleague.request, user, at=colleague.at)


def _confirm_app(colleague: Colleague, user: User, data: dict[str, str]) -> Sequence[str] | None:
    """Recovery codes if the authenticator code was right, else None."""
    code = data.get("enrolment", "")
    return second_factor.confirm_app(
        colleague.request, user, data["code"], enrolment_code=code, by=colleague.actor, at=colleague.at
    )


def _register_passkey(
    colleague: Colleague, user: User, first: EnrolmentForm | None
) -> tuple[Sequence[str], StrOrPromise]:
    """Recovery codes and no error if the passkey was accepted; else the error."""
    if first is not None and not first.is_valid():
        return [], InvalidEnrolmentCode.title
    if first is not None and not ratelimit.consume(colleague.request, action="reauthenticate", user=user):
        return [], TOO_MANY_ATTEMPTS
    credential, name = (
        passkeys.complete_registration(colleague.posted("credential")),
        colleague.posted("name") or _("Passkey"),
    )
    if credential is None:
        return [], _("That did not work and nothing was added. Please try again.")
    code = first.cleaned_data["enrolment"] if first is not None else ""
    with second_factor.verified_change(colleague.request, user, at=colleague.at, code=code):
        return second_factor.add_passkey(user.pk, name, credential, by=colleague.actor, at=colleague.at), ""


def _audit_refusal(colleague: Colleague, refusal: Refusal) -> StrOrPromise:
    """The refusal's message; a wrong enrolment code is audited."""
    if isinstance(refusal, InvalidEnrolmentCode):
        colleague.audit("enrolment.refused", code=refusal.code)
    return refusal.detail


def _render_codes(colleague: Colleague, codes: Any) -> HttpResponse:
    return colleague.render("office/security_codes.html", _("Recovery codes"), codes=codes)


def _user(colleague: Colleague) -> User:
    if not isinstance(colleague.user, User):
        raise Http404
    return colleague.user
