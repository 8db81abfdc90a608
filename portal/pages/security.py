"""The user's own account: password, second factors, recovery codes, sessions."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.core import ratelimit
from allauth.mfa.base.internal.flows import post_authentication
from allauth.usersessions.internal.flows.sessions import end_other_sessions
from allauth.usersessions.models import UserSession
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import passkeys, passwords, second_factor
from accounts.models import User
from accounts.second_factor import ReauthenticationRequiredError
from accounts.second_factor_form import check_submitted_factor
from accounts.visitor import safe_redirect_url
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.refusal import NotFound
from portal import queries
from portal.session import renew_session

_P = ParamSpec("_P")
_FORM = require_http_methods(["GET", "HEAD", "POST"])
_CURRENT = forms.PasswordInput(attrs={"autocomplete": "current-password"})


class PasswordConfirmForm(forms.Form):
    """The current password, to re-authenticate."""

    password = forms.CharField(label=gettext_lazy("Password"), strip=False, widget=_CURRENT)


class AppCodeForm(forms.Form):
    """A code from the authenticator app."""

    code = forms.CharField(
        label=gettext_lazy("Authenticator code"),
        max_length=8,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


def account_page(view: Callable[Concatenate[HttpRequest, User, _P], HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorator of account pages, for members of any merchant team; others get a 404."""

    @never_cache
    @wraps(view)
    def wrapper(request: HttpRequest, /, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponse:
        if not isinstance(request.user, User):
            return redirect("merchant_sign_in")
        if not queries.businesses_of(request.user.id):
            raise Http404
        with timezone.override(settings.CONSOLE_ZONE):
            try:
                return view(request, request.user, *args, **kwargs)
            except NotFound:
                raise Http404 from None
            except (
                ReauthenticationRequiredError
            ):  # what guards their account is being changed elsewhere, or was shown too long ago
                return redirect_to_confirm(reverse("merchant_security"))

    return wrapper


def redirect_to_confirm(back: str) -> HttpResponse:
    """Ask the user to re-authenticate, and then continue at `back`."""
    return redirect(f"{reverse('merchant_confirm')}?{urlencode({'next': back})}")


@require_safe
@account_page
def security(request: HttpRequest, user: User) -> HttpResponse:
    sessions = UserSession.objects.purge_and_list(user)
    here = request.session.session_key
    rows = [(row, row.session_key == here) for row in sorted(sessions, key=lambda s: s.last_seen_at, reverse=True)]
    context: dict[str, Any] = {
        "sessions": rows,
        "factors": second_factor.factors_of(user),
    }
    return render(request, "portal/security.html", {"user": user, **context})


@_FORM
@account_page
def add_app(request: HttpRequest, user: User) -> HttpResponse:
    """Add an authenticator app, confirmed with a code. Needs a recent authentication."""
    back = safe_redirect_url(request, request.GET.get("next"), fallback="merchant_security")
    if not second_factor.is_recently_verified(request, user, at=live_now()):
        return redirect_to_confirm(request.get_full_path())
    form = AppCodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if not ratelimit.consume(request, action="reauthenticate", user=user):
            form.add_error(None, _("Too many attempts. Wait a few minutes and try again."))
        elif codes := second_factor.confirm_app(
            request, user, form.cleaned_data["code"], by=Actor.member(user.id), at=live_now()
        ):
            return render(request, "portal/codes.html", {"codes": codes, "back": back})
        else:
            form.add_error("code", _("Incorrect code. Enter the code your app shows now."))
    secret = second_factor.pending_totp_secret(request)
    context: dict[str, Any] = {
        "form": form,
        "secret": secret,
        "drawn": second_factor.totp_qr_code(user, secret),
        "user": user,
    }
    return render(request, "portal/second_factor.html", context, status=422 if form.errors else 200)


@require_POST
@account_page
def renew_codes(request: HttpRequest, user: User) -> HttpResponse:
    moment = live_now()
    with second_factor.verified_change(request, user, at=moment):
        codes = second_factor.renew_recovery_codes(user.id, by=Actor.member(user.id), at=moment)
    return render(request, "portal/codes.html", {"codes": codes, "back": reverse("merchant_security")})


@_FORM
@sensitive_post_parameters("password")
@account_page
def confirm(request: HttpRequest, user: User) -> HttpResponse:
    """Re-authenticate with a second factor, or with the password if there is none."""
    if not second_factor.has_second_factor(user) and not user.has_usable_password():
        return redirect(f"{reverse('confirm')}?{urlencode({'next': request.GET.get('next', '')})}")
    factors = second_factor.factors_of(user)
    form, proof, error = (
        check_submitted_factor(request, user, factors)
        if factors.is_enabled
        else (_check_password(request, user), None, "")
    )
    if proof is not None:
        post_authentication(request, proof, reauthenticated=True)
    if proof is not None or (not factors.is_enabled and form.is_valid()):
        return redirect(safe_redirect_url(request, request.GET.get("next"), fallback="merchant_security"))
    context: dict[str, Any] = {
        "factors": factors,
        "wrong": error,
        "options": factors.passkeys and passkeys.authentication_options(user),
    }
    status = 422 if form.errors or error else 200
    return render(request, "portal/confirm.html", {"form": form, **context}, status=status)


@_FORM
@sensitive_post_parameters("current", "password")
@account_page
def password(request: HttpRequest, user: User) -> HttpResponse:
    """Change the password and sign out all other sessions."""
    form = passwords.ChangePasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        changed = passwords.change_password(request, user, form, by=Actor.member(user.id), at=live_now())
        if changed is not None:
            renew_session(request, changed)
            messages.success(request, _("Your new password is now in effect."))
            return redirect("merchant_security")
    return render(request, "portal/password.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
@account_page
def sign_out_elsewhere(request: HttpRequest, user: User) -> HttpResponse:
    end_other_sessions(request, user)
    messages.success(request, _("All other sessions were signed out."))
    return redirect("merchant_security")


def _check_password(request: HttpRequest, user: User) -> PasswordConfirmForm:
    """The password form, validated if it was submitted."""
    form = PasswordConfirmForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if passwords.check_password(request, user, form.cleaned_data["password"]):
            reauthenticate_by_password(request)
        else:
            form.add_error("password", passwords.WRONG_PASSWORD)
    return form
