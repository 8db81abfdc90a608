"""Staff who have forgotten their password choose another by a link that was mailed to them."""

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
from kernel.console_actions import show_errors
from kernel.refusal import Refusal
from portal.services import letters
from portal.services.letters import PasswordLinkOver

_FORM = require_http_methods(["GET", "HEAD", "POST"])


class Forgotten(forms.Form):
    """Where the link goes."""

    email = forms.EmailField(
        label=gettext_lazy("Email address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )


class NewPassword(forms.Form):
    """What counts from now on."""

    password = forms.CharField(
        label=gettext_lazy("New password"),
        max_length=PASSWORD_LENGTH_MAX,
        strip=False,
        help_text=gettext_lazy("At least 15 characters and not a common password. A sentence works well."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "autofocus": True}),
    )


@_FORM
@never_cache
def forgotten(request: HttpRequest) -> HttpResponse:
    """Whoever asks is told the same, whether the address works here or not."""
    form = Forgotten(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        if ratelimit.consume(request, action="reset_password", key=email.lower()):
            letters.ask_new_password(email, at=live_now())
            return redirect(f"{reverse('merchant_forgotten')}?sent")
        form.add_error(None, _("Too many attempts. Wait a few minutes and try again."))
        return render(request, "portal/forgotten.html", {"form": form}, status=429)
    sent = "sent" in request.GET and request.method != "POST"
    return render(request, "portal/forgotten.html", {"form": form, "sent": sent}, status=422 if form.errors else 200)


@_FORM
@never_cache
@sensitive_post_parameters("password")
def new_password(request: HttpRequest, user: str, token: str) -> HttpResponse:
    """The link of the letter. It shows nothing but whether it is still good, and is used up by a new password."""
    form = NewPassword(request.POST or None)
    try:
        letters.whose_link(user, token)
        if request.method == "POST" and form.is_valid():
            letters.take_new_password(user, token, form.cleaned_data["password"], at=live_now())
            messages.success(request, _("Your new password is now in effect."))
            return redirect("merchant_sign_in")
    except PasswordLinkOver as refusal:
        return render(request, "portal/new_password.html", {"refusal": refusal}, status=refusal.status)
    except Refusal as refusal:
        show_errors(form, refusal)
    return render(request, "portal/new_password.html", {"form": form}, status=422 if form.errors else 200)
