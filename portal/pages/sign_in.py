"""Sign-in and sign-out of merchant staff."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core import ratelimit
from allauth.mfa.base.internal.flows import post_authentication
from django import forms
from django.contrib import auth
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import passkeys, second_factor
from accounts.models import User
from accounts.rules import PASSWORD_LENGTH_MAX
from accounts.second_factor_form import check_submitted_factor, pending_sign_in, pending_user
from accounts.visitor import safe_redirect_url
from kernel.clock import live_now
from portal import queries, rules
from portal.session import PENDING_KEY, start_session
from portal.staff import LAST_MERCHANT_KEY

_FORM = require_http_methods(["GET", "HEAD", "POST"])


class SignInForm(forms.Form):
    """Email address and password."""

    email = forms.CharField(
        label=gettext_lazy("Email address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=PASSWORD_LENGTH_MAX,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


@require_safe
@never_cache
def entry(request: HttpRequest) -> HttpResponse:
    """/merchant/: redirect to the merchant viewed last, or to the first business's sandbox."""
    businesses = queries.businesses_of(request.user.id) if isinstance(request.user, User) else []
    if not businesses:
        return redirect("merchant_sign_in")
    last = request.session.get(LAST_MERCHANT_KEY)
    merchant_ids = {m.public_id for business in businesses for m in (business.live, business.sandbox)}
    return redirect("merchant_home", last if last in merchant_ids else businesses[0].sandbox.public_id)


@_FORM
@never_cache
@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in with address and password; users with a second factor show it next.

    A signed-in user without a business, such as a customer, may sign in with another account here.
    """
    if isinstance(request.user, User) and request.method != "POST" and queries.businesses_of(request.user.id):
        return redirect("merchant_door")
    form = SignInForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if not ratelimit.consume(request, action="login"):
            return _render_error(request, form, _("Too many attempts. Wait a few minutes and try again."), status=429)
        try:
            user = _authenticate(request, form.cleaned_data)
        except forms.ValidationError:
            return _render_error(request, form, _("Too many attempts. Wait a few minutes and try again."), status=429)
        if user is not None:
            return _next_step(request, user)
        return _render_error(request, form, _("Incorrect email address or password."))
    return _render(request, "portal/sign_in.html", form)


@_FORM
@never_cache
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """The second step: a passkey, an authenticator code or a recovery code."""
    pending = request.session.get(PENDING_KEY) or {}
    user = pending_user(pending, at=live_now())
    if user is None:
        return redirect("merchant_sign_in")
    factors = second_factor.factors_of(user)
    form, proof, error = check_submitted_factor(request, user, factors)
    if proof is not None:
        start_session(request, user)
        post_authentication(request, proof)
        return redirect(safe_redirect_url(request, pending["next"], fallback="merchant_door"))
    context: dict[str, Any] = {
        "factors": factors,
        "wrong": error,
        "options": factors.passkeys and passkeys.authentication_options(user),
    }
    return _render(request, "portal/sign_in_code.html", form, status=422 if error else 0, **context)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return redirect("merchant_sign_in")


def _authenticate(request: HttpRequest, data: dict[str, Any]) -> User | None:
    """The user with these credentials, if they are in a team or come from an invitation. allauth counts failures.

    Raises:
        ValidationError: there were too many failed attempts.
    """
    address = data["email"].strip().lower()
    user = get_adapter().authenticate(request, username=address, password=data["password"])
    if not isinstance(user, User) or user.is_staff or not user.username:
        return None
    return user if queries.businesses_of(user.id) or _comes_from_invitation(request) else None


def _comes_from_invitation(request: HttpRequest) -> bool:
    """Whether the sign-in continues to an open invitation, so that a user without a team may sign in."""
    try:
        match = resolve(request.GET.get("next", "").partition("?")[0])
    except Resolver404:
        return False
    found = match.url_name == "merchant_invitation" and queries.invitation_by_digest(
        rules.token_digest(match.kwargs["token"])
    )
    return bool(found and found.is_open(live_now()))


def _next_step(request: HttpRequest, user: User) -> HttpResponse:
    target = request.GET.get("next", "")
    if not second_factor.has_second_factor(user):
        start_session(request, user)
        return redirect(safe_redirect_url(request, target, fallback="merchant_door"))
    request.session[PENDING_KEY] = pending_sign_in(user, to=target, at=live_now())
    return redirect("merchant_sign_in_code")


def _render_error(request: HttpRequest, form: forms.Form, why: str, *, status: int = 422) -> HttpResponse:
    form.add_error(None, why)
    return _render(request, "portal/sign_in.html", form, status=status)


def _render(request: HttpRequest, template: str, form: forms.Form, *, status: int = 0, **context: Any) -> HttpResponse:
    return render(request, template, {"form": form, **context}, status=status or (422 if form.errors else 200))
