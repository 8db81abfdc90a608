"""/settings/second-factor: app, passkeys and recovery codes; and the second factor at sign-in."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode

from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.stagekit import get_pending_stage
from allauth.core import ratelimit
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.stages import AuthenticateStage
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import passkeys, second_factor
from accounts.models import User
from accounts.second_factor import ReauthenticationRequiredError
from accounts.second_factor_form import TOO_MANY_ATTEMPTS, check_submitted_factor
from accounts.visitor import Visitor, person_page
from kernel import clock
from kernel.refusal import Refusal

_P = ParamSpec("_P")
_FORM = require_http_methods(["GET", "HEAD", "POST"])
#: The session key of new recovery codes, until they were seen, and how long they are kept.
_CODES, _CODES_SECONDS = "codes_shown", 600


class AppCodeForm(forms.Form):
    """The current code of the authenticator app."""

    code = forms.CharField(
        label=gettext_lazy("Authenticator code"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


def recently_verified_page(view: Callable[Concatenate[Visitor, _P], HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorate a view that requires recent verification, as an unattended screen may be open."""

    def opened(visitor: Visitor, /, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponse:
        request = visitor.request
        with suppress(ReauthenticationRequiredError):  # the factors are being changed in another session
            if second_factor.is_recently_verified(request, visitor.user, at=clock.live_now()):
                return view(visitor, *args, **kwargs)
        back = request.get_full_path() if request.method != "POST" else reverse("second_factor")
        return redirect(f"{reverse('confirm')}?{urlencode({'next': back})}")

    return person_page(opened)


@require_safe
@person_page
def overview(visitor: Visitor) -> HttpResponse:
    """The person's second factors."""
    return visitor.render("accounts/second_factor.html", factors=second_factor.factors_of(visitor.user))


@_FORM
@recently_verified_page
def add_app(visitor: Visitor) -> HttpResponse:
    """Show the secret for an authenticator app, and activate it with a code."""
    request, user, now = visitor.request, visitor.user, clock.live_now()
    form = AppCodeForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        if not ratelimit.consume(request, action="reauthenticate", user=user):
            form.add_error(None, TOO_MANY_ATTEMPTS)
        else:
            code = form.cleaned_data["code"]
            if codes := second_factor.confirm_app(request, user, code, by=visitor.actor, at=now):
                return _show_codes(visitor, codes)
            if _codes_in_session(request):
                return redirect("codes")  # a double click
            form.add_error("code", _("Incorrect code. Enter the code your app shows now."))
    secret = second_factor.pending_totp_secret(request)
    return visitor.render(
        "accounts/app.html",
        status=422 if form.errors else 200,
        form=form,
        secret=secret,
        qr_code=second_factor.totp_qr_code(user, secret),
    )


@_FORM
@recently_verified_page
def add_passkey(visitor: Visitor) -> HttpResponse:
    """Add the passkey that the browser created."""
    request, now, error = visitor.request, clock.live_now(), ""
    if request.method == "POST":
        credential = passkeys.complete_registration(visitor.posted("credential"))
        if credential is not None:
            name = visitor.posted("name") or _("Passkey")
            try:
                with second_factor.verified_change(request, visitor.user, at=now):
                    codes = second_factor.add_passkey(visitor.user.id, name, credential, by=visitor.actor, at=now)
            except Refusal as refusal:
                error = str(refusal.detail)
            else:
                record_authentication(request, visitor.user, method="mfa", type="webauthn", reauthenticated=True)
                return _show_codes(visitor, codes)
        error = error or _("That did not work and nothing was added. Please try again.")
    return visitor.render(
        "accounts/passkey.html",
        status=422 if error else 200,
        wrong=error,
        options=passkeys.registration_options(visitor.user),
    )


@require_POST
@recently_verified_page
def remove_factor(visitor: Visitor, key: int) -> HttpResponse:
    """Remove an app or a passkey."""
    now = clock.live_now()
    with second_factor.verified_change(visitor.request, visitor.user, at=now):
        second_factor.remove_factor(visitor.user.id, key, by=visitor.actor, at=now)
    messages.success(visitor.request, _("Removed."))
    return redirect("second_factor")


@_FORM
@recently_verified_page
def recovery_codes(visitor: Visitor) -> HttpResponse:
    """GET shows new recovery codes once; POST replaces the codes."""
    if visitor.request.method == "POST":
        now = clock.live_now()
        with second_factor.verified_change(visitor.request, visitor.user, at=now):
            new_codes = second_factor.renew_recovery_codes(visitor.user.id, by=visitor.actor, at=now)
        return _show_codes(visitor, new_codes)
    stored_codes = _codes_in_session(visitor.request)
    if not stored_codes:
        return redirect("second_factor")
    return visitor.render("accounts/codes.html", codes=stored_codes)


@require_POST
@person_page
def dismiss_recovery_codes(visitor: Visitor) -> HttpResponse:
    """Stop showing the codes, as they were saved."""
    visitor.request.session.pop(_CODES, None)
    return redirect("second_factor")


@_FORM
@never_cache
def sign_in_second_factor(request: HttpRequest) -> HttpResponse:
    """Ask for the second factor at sign-in, after the code to the phone was verified."""
    stage = get_pending_stage(request)
    if stage is None or stage.key != AuthenticateStage.key:
        return redirect("account_login")
    user: User = stage.login.user
    factors = second_factor.factors_of(user)
    form, factor, error = check_submitted_factor(request, user, factors)
    if factor is not None:
        post_authentication(request, factor, reauthenticated=True)
        response: HttpResponse = stage.exit()
        return response
    context = {
        "form": form,
        "factors": factors,
        "wrong": error,
        "options": factors.passkeys and passkeys.authentication_options(user),
    }
    return render(request, "account/second_step.html", context, status=422 if form.errors or error else 200)


def _show_codes(visitor: Visitor, codes: Sequence[str]) -> HttpResponse:
    """Redirect to the new recovery codes, on a page that can be reloaded; or to the overview if there are none."""
    if not codes:
        messages.success(visitor.request, _("Passkey added."))
        return redirect("second_factor")
    visitor.request.session[_CODES] = {"codes": list(codes), "at": clock.live_now().timestamp()}
    return redirect("codes")


def _codes_in_session(request: HttpRequest) -> list[str]:
    stored = request.session.get(_CODES)
    if stored is None or clock.live_now().timestamp() - stored["at"] > _CODES_SECONDS:
        return []
    return list(stored["codes"])
