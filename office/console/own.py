"""/ops/own/: a colleague's own second factor and password, changed only after showing once more who it is."""

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
from accounts.refusals import EnrolmentCodeOver
from accounts.second_factor import NotFreshError
from accounts.second_step import TOO_MANY, judged
from accounts.visitor import way_back
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, Desk, Words, page
from kernel.refusal import NotFound, Refusal

DESK = Desk(
    "own_second",
    gettext_lazy("Your two-step verification"),
    gettext_lazy("Passkeys, authenticator app, recovery codes"),
    VIEWERS,
)
_P = ParamSpec("_P")
_FORM = require_http_methods(["GET", "HEAD", "POST"])


class Password(forms.Form):
    """Who is it really, who sits there?"""

    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=rules.PASSWORD_LENGTH_MAX,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class AppCode(forms.Form):
    """What the app shows now."""

    code = forms.CharField(
        label=gettext_lazy("Authenticator code"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class Enrolment(forms.Form):
    """What a first second step takes beside the password, where one is demanded."""

    enrolment = forms.CharField(
        label=gettext_lazy("Enrolment code"),
        max_length=40,
        help_text=gettext_lazy("Your supervisor gives it to you in person. It works once and expires in one day."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )


class FirstApp(Enrolment, AppCode):
    """Both."""


def afresh(view: Callable[Concatenate[Colleague, User, _P], HttpResponse]) -> Callable[..., HttpResponse]:
    """A page for whoever has just shown who they are: a screen that was left open is not enough."""

    @wraps(view)
    def opened(colleague: Colleague, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponse:
        user = _user(colleague)
        try:
            with suppress(NotFreshError):  # it is being changed elsewhere
                if second_factor.fresh_in(colleague.request, user, at=colleague.at):
                    return view(colleague, user, *args, **kwargs)
        except NotFound:
            raise Http404 from None
        back = reverse("own_second") if colleague.posts else colleague.request.get_full_path()
        return redirect(f"{reverse('own_confirm')}?{urlencode({'next': back})}")

    return page(*VIEWERS)(opened)


@require_safe
@page(*VIEWERS)
def overview(colleague: Colleague) -> HttpResponse:
    """What there is of it."""
    user = _user(colleague)
    shown: dict[str, Any] = {"held": second_factor.of(user), "asks_code": _asks_code(colleague, user)}
    return colleague.show("office/own.html", DESK.label, **shown)


@_FORM
@afresh
def add_app(colleague: Colleague, user: User) -> HttpResponse:
    """An app is taught the secret, and proves it by a code."""
    form = (FirstApp if _asks_code(colleague, user) else AppCode)(colleague.given)
    if colleague.posts and form.is_valid():
        try:
            if not ratelimit.consume(colleague.request, action="reauthenticate", user=user):
                form.add_error(None, TOO_MANY)
            elif codes := _answered(colleague, user, form.cleaned_data):
                return _codes(colleague, codes)
            else:
                form.add_error("code", _("Incorrect code. Enter the code your app shows now."))
        except EnrolmentCodeOver as refusal:
            form.add_error("enrolment" if "enrolment" in form.fields else None, str(_turned_away(colleague, refusal)))
    secret = second_factor.waiting_secret(colleague.request)
    shown = {"form": form, "secret": secret, "drawn": second_factor.drawn(user, secret)}
    return colleague.show(
        "office/own_app.html", _("Add an authenticator app"), status=422 if form.errors else 200, **shown
    )


@_FORM
@afresh
def add_passkey(colleague: Colleague, user: User) -> HttpResponse:
    """A browser makes a passkey, and its answer is judged."""
    first = Enrolment(colleague.given) if _asks_code(colleague, user) else None
    wrong: Words = ""
    if colleague.posts:
        try:
            codes, wrong = _made(colleague, user, first)
        except Refusal as refusal:
            wrong = _turned_away(colleague, refusal)
        if not wrong:
            record_authentication(colleague.request, user, method="mfa", type="webauthn", reauthenticated=True)
            colleague.tell(_("Passkey added."))
            return _codes(colleague, codes) if codes else redirect("own_second")
    shown = {"wrong": wrong, "first": first, "options": passkeys.creation(user)}
    return colleague.show("office/own_passkey.html", _("Add a passkey"), status=422 if wrong else 200, **shown)


@require_POST
@afresh
def codes(colleague: Colleague, user: User) -> HttpResponse:
    """Other codes for emergencies; those before them are worth nothing."""
    with second_factor.held_fresh(colleague.request, user, at=colleague.at):
        made = second_factor.renew_codes(user.pk, by=colleague.actor, at=colleague.at)
    return _codes(colleague, made)


@require_POST
@afresh
def remove(colleague: Colleague, user: User, key: int) -> HttpResponse:
    """An app or a passkey counts no more."""
    with second_factor.held_fresh(colleague.request, user, at=colleague.at):
        second_factor.remove(user.pk, key, by=colleague.actor, at=colleague.at)
    colleague.tell(_("Removed."))
    return redirect("own_second")


@_FORM
@sensitive_post_parameters("password")
@page(*VIEWERS)
def confirm(colleague: Colleague) -> HttpResponse:
    """The second factor once more, or the password of who has none."""
    request, user = colleague.request, _user(colleague)
    held = second_factor.of(user)
    form, proof, wrong = judged(request, user, held) if held.on else (_password(colleague, user), None, "")
    if proof is not None:
        post_authentication(request, proof, reauthenticated=True)
    if proof is not None or (not held.on and form.is_valid()):
        return redirect(way_back(request, request.GET.get("next"), otherwise="own_second"))
    shown: dict[str, Any] = {"form": form, "held": held, "wrong": wrong}
    shown["options"] = held.passkeys and passkeys.request(user)
    return colleague.show(
        "office/own_confirm.html", _("Verify it is you"), status=422 if form.errors or wrong else 200, **shown
    )


@_FORM
@sensitive_post_parameters("current", "password")
@page(*VIEWERS)
def password(colleague: Colleague) -> HttpResponse:
    """Another password; whoever is signed in elsewhere is signed out there. It stands in the audit."""
    form = passwords.NewPassword(colleague.given)
    if colleague.posts and form.is_valid():
        user = passwords.changed(colleague.request, _user(colleague), form, by=colleague.actor, at=colleague.at)
        if user is not None:
            update_session_auth_hash(colleague.request, user)
            colleague.audit("password_changed")
            colleague.tell(_("Your new password is now in effect."))
            return redirect("own_second")
    label = _("Change password")
    return colleague.show("office/own_password.html", label, status=422 if form.errors else 200, form=form)


def _password(colleague: Colleague, user: User) -> Password:
    """Judged, if it was sent."""
    form = Password(colleague.given)
    if not (colleague.posts and form.is_valid()):
        return form
    if passwords.knows(colleague.request, user, form.cleaned_data["password"]):
        reauthenticate_by_password(colleague.request)
    else:
        form.add_error("password", passwords.NOT_YOURS)
    return form


def _asks_code(colleague: Colleague, user: User) -> bool:
    return second_factor.asks_code(colleague.request, user, at=colleague.at)


def _answered(colleague: Colleague, user: User, typed: dict[str, str]) -> Sequence[str] | None:
    """The codes for emergencies, if the app's digits were right."""
    code = typed.get("enrolment", "")
    return second_factor.app_answers(
        colleague.request, user, typed["code"], enrolment_code=code, by=colleague.actor, at=colleague.at
    )


def _made(colleague: Colleague, user: User, first: Enrolment | None) -> tuple[Sequence[str], Words]:
    """The codes for emergencies, if the browser's passkey was taken; else what was wrong."""
    if first is not None and not first.is_valid():
        return [], EnrolmentCodeOver.title
    if first is not None and not ratelimit.consume(colleague.request, action="reauthenticate", user=user):
        return [], TOO_MANY
    credential, name = passkeys.created(colleague.sent("credential")), colleague.sent("name") or _("Passkey")
    if credential is None:
        return [], _("That did not work and nothing was added. Please try again.")
    code = first.cleaned_data["enrolment"] if first is not None else ""
    with second_factor.held_fresh(colleague.request, user, at=colleague.at, code=code):
        return second_factor.take_passkey(user.pk, name, credential, by=colleague.actor, at=colleague.at), ""


def _turned_away(colleague: Colleague, refusal: Refusal) -> Words:
    """What to say of it; whoever guesses codes leaves a line each."""
    if isinstance(refusal, EnrolmentCodeOver):
        colleague.audit("enrolment.refused", code=refusal.code)
    return refusal.detail


def _codes(colleague: Colleague, made: Any) -> HttpResponse:
    return colleague.show("office/own_codes.html", _("Recovery codes"), codes=made)


def _user(colleague: Colleague) -> User:
    if not isinstance(colleague.user, User):
        raise Http404
    return colleague.user
