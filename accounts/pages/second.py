"""/settings/second-factor: an app, passkeys and codes for emergencies; and the second step of a sign-in."""

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
from accounts.second_factor import NotFreshError
from accounts.second_step import TOO_MANY, judged
from accounts.visitor import Visitor, for_person
from kernel import clock
from kernel.refusal import Refusal

_P = ParamSpec("_P")
_FORM = require_http_methods(["GET", "HEAD", "POST"])
#: Where codes wait in the session, which is sealed, until they were seen: for as long as this.
_CODES, _CODES_SECONDS = "codes_shown", 600


class AppCode(forms.Form):
    """What the app shows now."""

    code = forms.CharField(
        label=gettext_lazy("Authenticator code"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


def afresh(view: Callable[Concatenate[Visitor, _P], HttpResponse]) -> Callable[..., HttpResponse]:
    """A page for whoever has just shown who they are: a screen that was left open is not enough."""

    def opened(visitor: Visitor, /, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponse:
        request = visitor.request
        with suppress(NotFreshError):  # it is being changed elsewhere
            if second_factor.fresh_in(request, visitor.user, at=clock.live_now()):
                return view(visitor, *args, **kwargs)
        back = request.get_full_path() if request.method != "POST" else reverse("second_factor")
        return redirect(f"{reverse('confirm')}?{urlencode({'next': back})}")

    return for_person(opened)


@require_safe
@for_person
def overview(visitor: Visitor) -> HttpResponse:
    """What there is of it."""
    return visitor.show("accounts/second_factor.html", held=second_factor.of(visitor.user))


@_FORM
@afresh
def add_app(visitor: Visitor) -> HttpResponse:
    """An app is taught the secret, and proves it by a code."""
    request, user, moment = visitor.request, visitor.user, clock.live_now()
    form = AppCode(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        if not ratelimit.consume(request, action="reauthenticate", user=user):
            form.add_error(None, TOO_MANY)
        else:
            typed = form.cleaned_data["code"]
            if codes := second_factor.app_answers(request, user, typed, by=visitor.actor, at=moment):
                return _on(visitor, codes)
            if _codes_in(request):
                return redirect("codes")  # the second click of two
            form.add_error("code", _("Incorrect code. Enter the code your app shows now."))
    secret = second_factor.waiting_secret(request)
    return visitor.show(
        "accounts/app.html",
        status=422 if form.errors else 200,
        form=form,
        secret=secret,
        drawn=second_factor.drawn(user, secret),
    )


@_FORM
@afresh
def add_passkey(visitor: Visitor) -> HttpResponse:
    """A browser makes a passkey, and its answer is judged."""
    request, moment, wrong = visitor.request, clock.live_now(), ""
    if request.method == "POST":
        credential = passkeys.created(visitor.sent("credential"))
        if credential is not None:
            name = visitor.sent("name") or _("Passkey")
            try:
                with second_factor.held_fresh(request, visitor.user, at=moment):
                    codes = second_factor.take_passkey(visitor.user.id, name, credential, by=visitor.actor, at=moment)
            except Refusal as refusal:
                wrong = str(refusal.detail)
            else:
                record_authentication(request, visitor.user, method="mfa", type="webauthn", reauthenticated=True)
                return _on(visitor, codes)
        wrong = wrong or _("That did not work and nothing was added. Please try again.")
    return visitor.show(
        "accounts/passkey.html", status=422 if wrong else 200, wrong=wrong, options=passkeys.creation(visitor.user)
    )


@require_POST
@afresh
def remove(visitor: Visitor, key: int) -> HttpResponse:
    """An app or a passkey counts no more."""
    moment = clock.live_now()
    with second_factor.held_fresh(visitor.request, visitor.user, at=moment):
        second_factor.remove(visitor.user.id, key, by=visitor.actor, at=moment)
    messages.success(visitor.request, _("Removed."))
    return redirect("second_factor")


@_FORM
@afresh
def codes(visitor: Visitor) -> HttpResponse:
    """Codes for emergencies, while they are shown this once; sent as a form, new ones are made."""
    if visitor.request.method == "POST":
        moment = clock.live_now()
        with second_factor.held_fresh(visitor.request, visitor.user, at=moment):
            made = second_factor.renew_codes(visitor.user.id, by=visitor.actor, at=moment)
        return _on(visitor, made)
    shown = _codes_in(visitor.request)
    if not shown:
        return redirect("second_factor")
    return visitor.show("accounts/codes.html", codes=shown)


@require_POST
@for_person
def codes_kept(visitor: Visitor) -> HttpResponse:
    """They have been written down, and are shown no more."""
    visitor.request.session.pop(_CODES, None)
    return redirect("second_factor")


@_FORM
@never_cache
def second_step(request: HttpRequest) -> HttpResponse:
    """The code to the phone came back; now the second factor. Nobody is signed in before it."""
    stage = get_pending_stage(request)
    if stage is None or stage.key != AuthenticateStage.key:
        return redirect("account_login")
    user: User = stage.login.user
    held = second_factor.of(user)
    form, shown, wrong = judged(request, user, held)
    if shown is not None:
        post_authentication(request, shown, reauthenticated=True)
        answer: HttpResponse = stage.exit()
        return answer
    context = {"form": form, "held": held, "wrong": wrong, "options": held.passkeys and passkeys.request(user)}
    return render(request, "account/second_step.html", context, status=422 if form.errors or wrong else 200)


def _on(visitor: Visitor, codes: Sequence[str]) -> HttpResponse:
    """It counts. New codes are shown on a page that can be loaded again, so that no lost answer loses them."""
    if not codes:
        messages.success(visitor.request, _("Passkey added."))
        return redirect("second_factor")
    visitor.request.session[_CODES] = {"codes": list(codes), "at": clock.live_now().timestamp()}
    return redirect("codes")


def _codes_in(request: HttpRequest) -> list[str]:
    kept = request.session.get(_CODES)
    if kept is None or clock.live_now().timestamp() - kept["at"] > _CODES_SECONDS:
        return []
    return list(kept["codes"])
