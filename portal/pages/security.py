"""Somebody's own account: password, second factor, codes for emergencies, and where they are signed in."""

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
from accounts.second_factor import NotFreshError
from accounts.second_step import judged
from accounts.visitor import way_back
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.refusal import NotFound
from portal import queries
from portal.session import stay_in

_P = ParamSpec("_P")
_FORM = require_http_methods(["GET", "HEAD", "POST"])
_CURRENT = forms.PasswordInput(attrs={"autocomplete": "current-password"})


class Confirmation(forms.Form):
    """Who is it really, who sits there?"""

    password = forms.CharField(label=gettext_lazy("Password"), strip=False, widget=_CURRENT)


class Enrolment(forms.Form):
    """The first code of the app."""

    code = forms.CharField(
        label=gettext_lazy("Authenticator code"),
        max_length=8,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


def own(view: Callable[Concatenate[HttpRequest, User, _P], HttpResponse]) -> Callable[..., HttpResponse]:
    """A page of whoever works for a merchant; nobody else has it."""

    @never_cache
    @wraps(view)
    def opened(request: HttpRequest, /, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponse:
        if not isinstance(request.user, User):
            return redirect("merchant_sign_in")
        if not queries.businesses_of(request.user.id):
            raise Http404
        with timezone.override(settings.CONSOLE_ZONE):
            try:
                return view(request, request.user, *args, **kwargs)
            except NotFound:
                raise Http404 from None
            except NotFreshError:  # what guards their account is being changed elsewhere, or was shown too long ago
                return first_confirms(reverse("merchant_security"))

    return opened


def first_confirms(back: str) -> HttpResponse:
    """Whoever left their screen open long ago shows again who they are, and then goes on there."""
    return redirect(f"{reverse('merchant_confirm')}?{urlencode({'next': back})}")


@require_safe
@own
def security(request: HttpRequest, user: User) -> HttpResponse:
    sessions = UserSession.objects.purge_and_list(user)
    here = request.session.session_key
    rows = [(row, row.session_key == here) for row in sorted(sessions, key=lambda s: s.last_seen_at, reverse=True)]
    shown: dict[str, Any] = {
        "sessions": rows,
        "held": second_factor.of(user),
    }
    return render(request, "portal/security.html", {"user": user, **shown})


@_FORM
@own
def enrol(request: HttpRequest, user: User) -> HttpResponse:
    """An app is taught the secret, and proves it by a code. A screen that was left open is not enough for it."""
    back = way_back(request, request.GET.get("next"), otherwise="merchant_security")
    if not second_factor.fresh_in(request, user, at=live_now()):
        return first_confirms(request.get_full_path())
    form = Enrolment(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if not ratelimit.consume(request, action="reauthenticate", user=user):
            form.add_error(None, _("Too many attempts. Wait a few minutes and try again."))
        elif codes := second_factor.app_answers(
            request, user, form.cleaned_data["code"], by=Actor.member(user.id), at=live_now()
        ):
            return render(request, "portal/codes.html", {"codes": codes, "back": back})
        else:
            form.add_error("code", _("Incorrect code. Enter the code your app shows now."))
    secret = second_factor.waiting_secret(request)
    shown: dict[str, Any] = {"form": form, "secret": secret, "drawn": second_factor.drawn(user, secret), "user": user}
    return render(request, "portal/second_factor.html", shown, status=422 if form.errors else 200)


@require_POST
@own
def renew_codes(request: HttpRequest, user: User) -> HttpResponse:
    moment = live_now()
    with second_factor.held_fresh(request, user, at=moment):
        codes = second_factor.renew_codes(user.id, by=Actor.member(user.id), at=moment)
    return render(request, "portal/codes.html", {"codes": codes, "back": reverse("merchant_security")})


@_FORM
@sensitive_post_parameters("password")
@own
def confirm(request: HttpRequest, user: User) -> HttpResponse:
    """Before a secret is made or shown: the second factor once more, or the password of who has none."""
    if not second_factor.has_one(user) and not user.has_usable_password():
        return redirect(f"{reverse('confirm')}?{urlencode({'next': request.GET.get('next', '')})}")
    held = second_factor.of(user)
    form, proof, wrong = judged(request, user, held) if held.on else (_confirmed(request, user), None, "")
    if proof is not None:
        post_authentication(request, proof, reauthenticated=True)
    if proof is not None or (not held.on and form.is_valid()):
        return redirect(way_back(request, request.GET.get("next"), otherwise="merchant_security"))
    shown: dict[str, Any] = {"held": held, "wrong": wrong, "options": held.passkeys and passkeys.request(user)}
    status = 422 if form.errors or wrong else 200
    return render(request, "portal/confirm.html", {"form": form, **shown}, status=status)


@_FORM
@sensitive_post_parameters("current", "password")
@own
def password(request: HttpRequest, user: User) -> HttpResponse:
    """Another password; whoever is signed in elsewhere is signed out there."""
    form = passwords.NewPassword(request.POST or None)
    if request.method == "POST" and form.is_valid():
        changed = passwords.changed(request, user, form, by=Actor.member(user.id), at=live_now())
        if changed is not None:
            stay_in(request, changed)
            messages.success(request, _("Your new password is now in effect."))
            return redirect("merchant_security")
    return render(request, "portal/password.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
@own
def sign_out_elsewhere(request: HttpRequest, user: User) -> HttpResponse:
    end_other_sessions(request, user)
    messages.success(request, _("All other sessions were signed out."))
    return redirect("merchant_security")


def _confirmed(request: HttpRequest, user: User) -> Confirmation:
    """The password of who has no second factor, judged if it was sent."""
    form = Confirmation(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if passwords.knows(request, user, form.cleaned_data["password"]):
            reauthenticate_by_password(request)
        else:
            form.add_error("password", passwords.NOT_YOURS)
    return form
