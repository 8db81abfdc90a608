"""Staff sign in and out, and come to a team by invitation."""

from typing import Any
from uuid import UUID

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from allauth.core import ratelimit
from allauth.mfa.base.internal.flows import post_authentication
from allauth.usersessions.models import UserSession
from django import forms
from django.conf import settings
from django.contrib import auth, messages
from django.contrib.auth import login as open_session
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import passkeys, second_factor
from accounts.models import User
from accounts.second_step import judged
from accounts.visitor import way_back
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.desk import show_errors
from kernel.refusal import NotFound, Refusal
from portal import queries, rules
from portal.services import team
from portal.staff import LAST

_PENDING, _PENDING_SECONDS = "portal_pending", 300
_FORM = require_http_methods(["GET", "HEAD", "POST"])


class SignIn(forms.Form):
    """By address and password."""

    email = forms.CharField(
        label=gettext_lazy("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class Joining(forms.Form):
    """How a newcomer will sign in."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=200,
        strip=False,
        help_text=gettext_lazy("At least 15 characters, and not one that is often used. A sentence does well."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


@require_safe
@never_cache
def door(request: HttpRequest) -> HttpResponse:
    """/merchant/: each goes on to where they were last, or first belong."""
    if not isinstance(request.user, User):
        return redirect("merchant_sign_in")
    theirs = queries.businesses_of(request.user.id)
    if not theirs:
        raise Http404
    last = request.session.get(LAST)
    open_to = {m.public_id for business in theirs for m in (business.live, business.sandbox)}
    return redirect("merchant_home", last if last in open_to else theirs[0].sandbox.public_id)


@_FORM
@never_cache
@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """Address and password; whoever has a second factor is asked for it next."""
    if isinstance(request.user, User) and request.method != "POST":
        return redirect("merchant_door")
    form = SignIn(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if not ratelimit.consume(request, action="login"):
            return _refused(request, form, _("Too many tries. Wait a few minutes, and try again."), status=429)
        try:
            user = _known(request, form.cleaned_data)
        except forms.ValidationError:
            return _refused(request, form, _("Too many tries. Wait a few minutes, and try again."), status=429)
        if user is not None:
            return _next_step(request, user)
        return _refused(request, form, _("Address and password do not fit together."))
    return _sheet(request, "portal/sign_in.html", form)


@_FORM
@never_cache
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """A passkey, the six digits, or a code for emergencies."""
    pending = request.session.get(_PENDING) or {}
    user = User.objects.filter(pk=UUID(pending["user"]), is_active=True).first() if pending else None
    if user is None or live_now().timestamp() - pending.get("since", 0) > _PENDING_SECONDS:
        return redirect("merchant_sign_in")
    held = second_factor.of(user)
    form, proof, wrong = judged(request, user, held)
    if proof is not None:
        _enter(request, user)
        post_authentication(request, proof)
        return redirect(way_back(request, pending.get("next"), otherwise="merchant_door"))
    shown: dict[str, Any] = {"held": held, "wrong": wrong, "options": held.passkeys and passkeys.request(user)}
    return _sheet(request, "portal/sign_in_code.html", form, status=422 if wrong else 0, **shown)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return redirect("merchant_sign_in")


@_FORM
@never_cache
@sensitive_post_parameters("password")
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Somebody holds an invitation: they join with the account they are signed in with, or with a new one."""
    found, at = queries.invitation_by(rules.digest(token)), live_now()
    if found is None:
        raise Http404
    user = request.user if isinstance(request.user, User) else None
    given = request.POST if request.method == "POST" else None
    form = Joining(given) if user is None else forms.Form(given)
    if found.email and user is None:
        form.fields["email"].disabled = True
        form.fields["email"].initial = found.email
    if request.method == "POST" and form.is_valid() and found.open_at(at):
        try:
            return _join(request, token, user.id if user else None, form.cleaned_data)
        except NotFound:
            raise Http404 from None
        except Refusal as refusal:
            show_errors(form, refusal)
    shown: dict[str, Any] = {"invitation": found, "open": found.open_at(at), "here": user}
    return _sheet(request, "portal/invitation.html", form, **shown)


def _join(request: HttpRequest, token: str, user_id: UUID | None, given: dict[str, Any]) -> HttpResponse:
    newcomer = None if user_id else team.Newcomer(given["email"], given["password"])
    by = Actor.member(user_id) if user_id else Actor.system("invitation")
    member = team.accept_invitation(token, user_id=user_id, newcomer=newcomer, by=by, at=live_now())
    if user_id is None:
        _enter(request, member.user)
    business = queries.business_of(member.merchant_id)
    messages.success(request, _("Welcome to %(name)s.") % {"name": member.merchant.name})
    return redirect("merchant_home", business.sandbox.public_id if business else "")


def _known(request: HttpRequest, given: dict[str, Any]) -> User | None:
    """Whoever signs in so, if they work for a merchant; allauth counts the tries that fail.

    Raises:
        ValidationError: there were too many of them.
    """
    address = given["email"].strip().lower()
    user = get_adapter().authenticate(request, username=address, password=given["password"])
    staff = isinstance(user, User) and not user.is_staff and queries.businesses_of(user.id)
    return user if staff else None


def _next_step(request: HttpRequest, user: User) -> HttpResponse:
    target = request.GET.get("next", "")
    if not second_factor.has_one(user):
        _enter(request, user)
        return redirect(way_back(request, target, otherwise="merchant_door"))
    request.session[_PENDING] = {"user": str(user.id), "since": live_now().timestamp(), "next": target}
    return redirect("merchant_sign_in_code")


def _enter(request: HttpRequest, user: User) -> None:
    """They are in, and have shown just now who they are: for a few minutes nothing asks it again."""
    open_session(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    request.session.pop(_PENDING, None)
    record_authentication(request, user, method="password", username=user.username, reauthenticated=True)
    UserSession.objects.create_from_request(request)


def _refused(request: HttpRequest, form: forms.Form, why: str, *, status: int = 422) -> HttpResponse:
    form.add_error(None, why)
    return _sheet(request, "portal/sign_in.html", form, status=status)


def _sheet(request: HttpRequest, template: str, form: forms.Form, *, status: int = 0, **shown: Any) -> HttpResponse:
    return render(request, template, {"form": form, **shown}, status=status or (422 if form.errors else 200))
