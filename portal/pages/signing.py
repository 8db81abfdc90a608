"""Staff sign in and out."""

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
from accounts.second_step import half_way, judged, who_is_half_way
from accounts.visitor import way_back
from kernel.clock import live_now
from portal import queries, rules
from portal.session import PENDING, enter
from portal.staff import LAST

_FORM = require_http_methods(["GET", "HEAD", "POST"])


class SignIn(forms.Form):
    """By address and password."""

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
def door(request: HttpRequest) -> HttpResponse:
    """/merchant/: each goes on to where they were last, or first belong."""
    theirs = queries.businesses_of(request.user.id) if isinstance(request.user, User) else []
    if not theirs:
        return redirect("merchant_sign_in")
    last = request.session.get(LAST)
    open_to = {m.public_id for business in theirs for m in (business.live, business.sandbox)}
    return redirect("merchant_home", last if last in open_to else theirs[0].sandbox.public_id)


@_FORM
@never_cache
@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """Address and password; whoever has a second factor is asked for it next.

    Whoever is signed in and works nowhere, a customer for one, may have another account that does.
    """
    if isinstance(request.user, User) and request.method != "POST" and queries.businesses_of(request.user.id):
        return redirect("merchant_door")
    form = SignIn(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if not ratelimit.consume(request, action="login"):
            return _refused(request, form, _("Too many attempts. Wait a few minutes and try again."), status=429)
        try:
            user = _known(request, form.cleaned_data)
        except forms.ValidationError:
            return _refused(request, form, _("Too many attempts. Wait a few minutes and try again."), status=429)
        if user is not None:
            return _next_step(request, user)
        return _refused(request, form, _("Incorrect email address or password."))
    return _sheet(request, "portal/sign_in.html", form)


@_FORM
@never_cache
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """A passkey, the six digits, or a code for emergencies."""
    pending = request.session.get(PENDING) or {}
    user = who_is_half_way(pending, at=live_now())
    if user is None:
        return redirect("merchant_sign_in")
    held = second_factor.of(user)
    form, proof, wrong = judged(request, user, held)
    if proof is not None:
        enter(request, user)
        post_authentication(request, proof)
        return redirect(way_back(request, pending["next"], otherwise="merchant_door"))
    shown: dict[str, Any] = {"held": held, "wrong": wrong, "options": held.passkeys and passkeys.request(user)}
    return _sheet(request, "portal/sign_in_code.html", form, status=422 if wrong else 0, **shown)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return redirect("merchant_sign_in")


def _known(request: HttpRequest, given: dict[str, Any]) -> User | None:
    """Whoever signs in so, if they work for a merchant or come by an invitation; allauth counts the tries that fail.

    Raises:
        ValidationError: there were too many of them.
    """
    address = given["email"].strip().lower()
    user = get_adapter().authenticate(request, username=address, password=given["password"])
    if not isinstance(user, User) or user.is_staff or not user.username:
        return None
    return user if queries.businesses_of(user.id) or _invited(request) else None


def _invited(request: HttpRequest) -> bool:
    """Whether they came from an invitation's page, to which they go back: who works nowhere yet joins there."""
    try:
        match = resolve(request.GET.get("next", "").partition("?")[0])
    except Resolver404:
        return False
    found = match.url_name == "merchant_invitation" and queries.invitation_by(rules.digest(match.kwargs["token"]))
    return bool(found and found.open_at(live_now()))


def _next_step(request: HttpRequest, user: User) -> HttpResponse:
    target = request.GET.get("next", "")
    if not second_factor.has_one(user):
        enter(request, user)
        return redirect(way_back(request, target, otherwise="merchant_door"))
    request.session[PENDING] = half_way(user, to=target, at=live_now())
    return redirect("merchant_sign_in_code")


def _refused(request: HttpRequest, form: forms.Form, why: str, *, status: int = 422) -> HttpResponse:
    form.add_error(None, why)
    return _sheet(request, "portal/sign_in.html", form, status=status)


def _sheet(request: HttpRequest, template: str, form: forms.Form, *, status: int = 0, **shown: Any) -> HttpResponse:
    return render(request, template, {"form": form, **shown}, status=status or (422 if form.errors else 200))
