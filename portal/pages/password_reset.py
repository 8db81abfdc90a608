"""Password reset of merchant staff by an emailed link."""

from allauth.core import ratelimit
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.rules import PASSWORD_LENGTH_MAX
from kernel.clock import live_now
from kernel.console_actions import add_errors
from kernel.refusal import Refusal
from portal.services import letters
from portal.services.letters import PasswordLinkInvalid

_FORM = require_http_methods(["GET", "HEAD", "POST"])


class ResetRequestForm(forms.Form):
    """The address to send the link to."""

    email = forms.EmailField(
        label=gettext_lazy("Email address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )


class NewPasswordForm(forms.Form):
    """The new password."""

    password = forms.CharField(
        label=gettext_lazy("New password"),
        max_length=PASSWORD_LENGTH_MAX,
        strip=False,
        help_text=gettext_lazy("At least 15 characters and not a common password. A sentence works well."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "autofocus": True}),
    )


@_FORM
@never_cache
def request_reset(request: HttpRequest) -> HttpResponse:
    """Request a reset link. The response is the same whether the address has an account or not."""
    form = ResetRequestForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        if ratelimit.consume(request, action="reset_password", key=email.lower()):
            letters.request_password_reset(email, at=live_now())
            return redirect(f"{reverse('merchant_forgotten')}?sent")
        form.add_error(None, _("Too many attempts. Wait a few minutes and try again."))
        return render(request, "portal/password_reset.html", {"form": form}, status=429)
    sent = "sent" in request.GET and request.method != "POST"
    return render(
        request, "portal/password_reset.html", {"form": form, "sent": sent}, status=422 if form.errors else 200
    )


@_FORM
@never_cache
@sensitive_post_parameters("password")
def set_password(request: HttpRequest, user: str, token: str) -> HttpResponse:
    """The emailed link: set a new password, which uses the link up."""
    form = NewPasswordForm(request.POST or None)
    try:
        letters.user_of_reset_link(user, token)
        if request.method == "POST" and form.is_valid():
            letters.reset_password(user, token, form.cleaned_data["password"], at=live_now())
            messages.success(request, _("Your new password is now in effect."))
            return redirect("merchant_sign_in")
    except PasswordLinkInvalid as refusal:
        return render(request, "portal/new_password.html", {"refusal": refusal}, status=refusal.status)
    except Refusal as refusal:
        add_errors(form, refusal)
    return render(request, "portal/new_password.html", {"form": form}, status=422 if form.errors else 200)
