"""Passkeys of a merchant's staff: a browser makes one, and one counts no more."""

from allauth.account.internal.flows.login import record_authentication
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts import passkeys, second_factor
from accounts.models import User
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.refusal import Refusal
from portal.pages.security import first_confirms, own


@require_http_methods(["GET", "HEAD", "POST"])
@own
def add(request: HttpRequest, user: User) -> HttpResponse:
    """The browser's answer is judged. With the first factor of all come the codes for emergencies."""
    moment, wrong = live_now(), ""
    if not second_factor.fresh_in(request, user, at=moment):
        return first_confirms(request.get_full_path())
    if request.method == "POST":
        credential, name = passkeys.created(request.POST.get("credential", "")), request.POST.get("name")
        if credential is not None:
            try:
                with second_factor.held_fresh(request, user, at=moment):
                    codes = second_factor.take_passkey(
                        user.id, name or _("Passkey"), credential, by=Actor.member(user.id), at=moment
                    )
            except Refusal as refusal:
                wrong = str(refusal.detail)
            else:
                record_authentication(request, user, method="mfa", type="webauthn", reauthenticated=True)
                messages.success(request, _("Passkey added."))
                back = reverse("merchant_security")
                return render(request, "portal/codes.html", {"codes": codes, "back": back}) if codes else redirect(back)
        wrong = wrong or _("That did not work and nothing was added. Please try again.")
    shown = {"wrong": wrong, "options": passkeys.creation(user)}
    return render(request, "portal/passkey.html", shown, status=422 if wrong else 200)


@require_POST
@own
def remove(request: HttpRequest, user: User, key: int) -> HttpResponse:
    """A passkey or an app counts no more."""
    moment = live_now()
    with second_factor.held_fresh(request, user, at=moment):
        second_factor.remove(user.id, key, by=Actor.member(user.id), at=moment)
    messages.success(request, _("Removed."))
    return redirect("merchant_security")
