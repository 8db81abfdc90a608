"""Adding a passkey and removing a second factor, for merchant staff."""

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
from portal.pages.security import account_page, redirect_to_confirm


@require_http_methods(["GET", "HEAD", "POST"])
@account_page
def add(request: HttpRequest, user: User) -> HttpResponse:
    """Add a passkey created by the browser. The first second factor comes with recovery codes."""
    moment, error = live_now(), ""
    if not second_factor.is_recently_verified(request, user, at=moment):
        return redirect_to_confirm(request.get_full_path())
    if request.method == "POST":
        credential, name = passkeys.complete_registration(request.POST.get("credential", "")), request.POST.get("name")
        if credential is not None:
            try:
                with second_factor.verified_change(request, user, at=moment):
                    codes = second_factor.add_passkey(
                        user.id, name or _("Passkey"), credential, by=Actor.member(user.id), at=moment
                    )
            except Refusal as refusal:
                error = str(refusal.detail)
            else:
                record_authentication(request, user, method="mfa", type="webauthn", reauthenticated=True)
                messages.success(request, _("Passkey added."))
                back = reverse("merchant_security")
                return render(request, "portal/codes.html", {"codes": codes, "back": back}) if codes else redirect(back)
        error = error or _("That did not work and nothing was added. Please try again.")
    context = {"wrong": error, "options": passkeys.registration_options(user)}
    return render(request, "portal/passkey.html", context, status=422 if error else 200)


@require_POST
@account_page
def remove(request: HttpRequest, user: User, key: int) -> HttpResponse:
    """Remove a passkey or an authenticator app."""
    moment = live_now()
    with second_factor.verified_change(request, user, at=moment):
        second_factor.remove_factor(user.id, key, by=Actor.member(user.id), at=moment)
    messages.success(request, _("Removed."))
    return redirect("merchant_security")
