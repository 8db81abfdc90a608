"""Accepting an invitation, with an existing account or with a new one whose email address was verified."""

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
from kernel.console_actions import add_errors
from kernel.refusal import NotFound, Refusal
from portal import queries, rules
from portal.models import Invitation, Member
from portal.services import invitation_messages, team
from portal.session import start_session

_FORM = require_http_methods(["GET", "HEAD", "POST"])


class EmailForm(forms.Form):
    """The invitee's email address, which is verified first, since they will sign in with it."""

    email = forms.EmailField(
        label=gettext_lazy("Email address"), widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )


class PasswordForm(forms.Form):
    """The password of the new account."""

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
    found, at = queries.invitation_by_digest(rules.token_digest(token)), live_now()
    if found is None:
        raise Http404
    user = request.user if isinstance(request.user, User) else None
    verified_email = invitation_messages.verified_address(found, request.GET.get(invitation_messages.PROOF_PARAM, ""))
    data = request.POST if request.method == "POST" else None
    form = _invitation_form(found, data, signed_in=user is not None, verified_email=verified_email)
    context: dict[str, Any] = {"invitation": found, "open": found.is_open(at), "here": user, "proven": verified_email}
    if request.method == "POST" and form.is_valid() and found.is_open(at):
        if user is None and not verified_email:
            return _send_confirmation(request, token, found, form, context)
        try:
            new_account = None if user else team.NewAccount(verified_email, form.cleaned_data["password"])
            return _accept(request, token, user, new_account)
        except NotFound:
            raise Http404 from None
        except Refusal as refusal:
            add_errors(form, refusal)
    return _render(request, form, context)


def _invitation_form(found: Invitation, data: Any, *, signed_in: bool, verified_email: str) -> forms.Form:
    if signed_in:
        return forms.Form(data)
    if verified_email:
        return PasswordForm(data)
    form = EmailForm(data)
    if found.email:
        form.fields["email"].disabled = True
        form.fields["email"].initial = found.email
    return form


def _send_confirmation(
    request: HttpRequest, token: str, found: Invitation, form: forms.Form, context: dict[str, Any]
) -> HttpResponse:
    """Email a link to the address, to verify it."""
    address = form.cleaned_data["email"].strip().lower()
    within_limit = ratelimit.consume(request, action="confirm_address", key=found.public_id)
    if not (within_limit and ratelimit.consume(request, action="confirm_address", key=address)):
        form.add_error(None, _("Too many attempts. Wait a few minutes and try again."))
        return _render(request, form, context, status=429)
    language = request.LANGUAGE_CODE
    if not invitation_messages.send_confirmation(found, found.merchant.name, token, address, language=language):
        form.add_error(None, _("The email could not be sent. Try again in a few minutes."))
        return _render(request, form, context)
    return _render(request, form, {**context, "mailed": address})


def _accept(request: HttpRequest, token: str, user: User | None, new_account: team.NewAccount | None) -> HttpResponse:
    by = Actor.member(user.id) if user else Actor.system("invitation")
    member: Member = team.accept_invitation(
        token, user_id=user.id if user else None, new_account=new_account, by=by, at=live_now()
    )
    if user is None:
        start_session(request, member.user)
    business = queries.business_of(member.merchant_id)
    messages.success(request, _("Welcome to %(name)s.") % {"name": member.merchant.name})
    return redirect("merchant_home", business.sandbox.public_id if business else "")


def _render(request: HttpRequest, form: forms.Form, context: dict[str, Any], *, status: int = 0) -> HttpResponse:
    return render(
        request, "portal/invitation.html", {"form": form, **context}, status=status or (422 if form.errors else 200)
    )
