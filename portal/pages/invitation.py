"""Somebody holds an invitation: they join with their account, or with a new one whose address a mail has confirmed."""

from typing import Any

from allauth.core import ratelimit
from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.rules import PASSWORD_LENGTH_MAX
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.console_actions import show_errors
from kernel.refusal import NotFound, Refusal
from portal import queries, rules
from portal.models import Invitation, Member
from portal.services import sending, team
from portal.session import enter

_FORM = require_http_methods(["GET", "HEAD", "POST"])


class Address(forms.Form):
    """Where the newcomer reads mail: it is what they will sign in by, so that it is theirs is seen first."""

    email = forms.EmailField(
        label=gettext_lazy("Email address"), widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )


class Joining(forms.Form):
    """How a newcomer will sign in, by the address that was confirmed."""

    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=PASSWORD_LENGTH_MAX,
        strip=False,
        help_text=gettext_lazy("At least 15 characters and not a common password. A sentence works well."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


@_FORM
@never_cache
@sensitive_post_parameters("password")
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    found, at = queries.invitation_by(rules.digest(token)), live_now()
    if found is None:
        raise Http404
    user = request.user if isinstance(request.user, User) else None
    proven = sending.confirmed_address(found, request.GET.get(sending.PROOF, ""))
    given = request.POST if request.method == "POST" else None
    form = _form(found, given, here=user is not None, proven=proven)
    shown: dict[str, Any] = {"invitation": found, "open": found.open_at(at), "here": user, "proven": proven}
    if request.method == "POST" and form.is_valid() and found.open_at(at):
        if user is None and not proven:
            return _confirm(request, token, found, form, shown)
        try:
            newcomer = None if user else team.Newcomer(proven, form.cleaned_data["password"])
            return _join(request, token, user, newcomer)
        except NotFound:
            raise Http404 from None
        except Refusal as refusal:
            show_errors(form, refusal)
    return _sheet(request, form, shown)


def _form(found: Invitation, given: Any, *, here: bool, proven: str) -> forms.Form:
    if here:
        return forms.Form(given)
    if proven:
        return Joining(given)
    form = Address(given)
    if found.email:
        form.fields["email"].disabled = True
        form.fields["email"].initial = found.email
    return form


def _confirm(
    request: HttpRequest, token: str, found: Invitation, form: forms.Form, shown: dict[str, Any]
) -> HttpResponse:
    """A mail goes to the address: whoever opens its link reads mail there."""
    address = form.cleaned_data["email"].strip().lower()
    few = ratelimit.consume(request, action="confirm_address", key=found.public_id)
    if not (few and ratelimit.consume(request, action="confirm_address", key=address)):
        form.add_error(None, _("Too many attempts. Wait a few minutes and try again."))
        return _sheet(request, form, shown, status=429)
    language = request.LANGUAGE_CODE
    if not sending.send_confirmation(found, found.merchant.name, token, address, language=language):
        form.add_error(None, _("The email could not be sent. Try again in a few minutes."))
        return _sheet(request, form, shown)
    return _sheet(request, form, {**shown, "mailed": address})


def _join(request: HttpRequest, token: str, user: User | None, newcomer: team.Newcomer | None) -> HttpResponse:
    by = Actor.member(user.id) if user else Actor.system("invitation")
    member: Member = team.accept_invitation(
        token, user_id=user.id if user else None, newcomer=newcomer, by=by, at=live_now()
    )
    if user is None:
        enter(request, member.user)
    business = queries.business_of(member.merchant_id)
    messages.success(request, _("Welcome to %(name)s.") % {"name": member.merchant.name})
    return redirect("merchant_home", business.sandbox.public_id if business else "")


def _sheet(request: HttpRequest, form: forms.Form, shown: dict[str, Any], *, status: int = 0) -> HttpResponse:
    return render(
        request, "portal/invitation.html", {"form": form, **shown}, status=status or (422 if form.errors else 200)
    )
