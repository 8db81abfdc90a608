"""/ops/login/: a colleague signs in by name and password, and by the second factor of whoever has one.

A newcomer chooses the password first, by the code that they were given.
"""

from typing import Any, ClassVar

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from allauth.core import ratelimit
from allauth.mfa.base.internal.flows import post_authentication
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import login as open_session
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import enrolment, joining, passkeys, passwords, second_factor
from accounts.models import User
from accounts.refusals import EnrolmentCodeOver
from accounts.second_step import TOO_MANY, half_way, judged, who_is_half_way
from accounts.visitor import way_back
from kernel import audit
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.console_actions import show_errors
from kernel.rate_limits import address_of
from kernel.refusal import Refusal

_PENDING = "console_pending"
_FORM = require_http_methods(["GET", "HEAD", "POST"])


class NameAndPassword(AdminAuthenticationForm):
    """The admin's own form; who guesses is stopped as at every other door."""

    error_messages: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # Django reads it off the class
        **AdminAuthenticationForm.error_messages,
        "invalid_login": gettext_lazy("Incorrect user name or password."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("User name")

    def clean(self) -> dict[str, Any]:
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not (name and password and self.request):
            return self.cleaned_data
        if not ratelimit.consume(self.request, action="login"):
            raise forms.ValidationError(TOO_MANY)
        found = get_adapter().authenticate(self.request, username=name, password=password)
        if not isinstance(found, User):
            raise self.get_invalid_login_error()
        self.confirm_login_allowed(found)
        self.user_cache = found
        return self.cleaned_data


class Newcomer(passwords.FirstPassword):
    """Who it is, what they were given, and by what they will sign in."""

    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    enrolment = forms.CharField(
        label=gettext_lazy("Enrolment code"),
        max_length=40,
        help_text=gettext_lazy("Your supervisor gives it to you in person. It works once and expires in one day."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )
    field_order = ("username", "enrolment", "password")

    def clean_username(self) -> str:
        """As it is looked for: however it was typed, it is one name, and its tries are counted together."""
        return str(User.normalize_username(self.cleaned_data["username"]))


class SignIn(LoginView):
    """Name and password; whoever has a second factor is asked for it next, and is not in before."""

    template_name = "office/sign_in.html"
    authentication_form = NameAndPassword
    next_page = "admin:index"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        frame = {**admin.site.each_context(self.request), "title": _("Sign in"), "subtitle": None}
        return super().get_context_data(**frame, app_path=self.request.get_full_path(), **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        user, target = form.get_user(), self.get_success_url()
        if not second_factor.has_one(user):
            _enter(self.request, user)
            return redirect(target)
        self.request.session[_PENDING] = half_way(user, to=target, at=live_now())
        return redirect("console_second_step")


@_FORM
@never_cache
def second_step(request: HttpRequest) -> HttpResponse:
    """A passkey, the digits of an app, or a code for emergencies."""
    pending = request.session.get(_PENDING) or {}
    user = who_is_half_way(pending, at=live_now())
    if user is None:
        return redirect("admin:login")
    held = second_factor.of(user)
    form, proof, wrong = judged(request, user, held)
    if proof is not None:
        _enter(request, user)
        post_authentication(request, proof, reauthenticated=True)
        return redirect(way_back(request, pending["next"], otherwise="admin:index"))
    shown: dict[str, Any] = {"held": held, "wrong": wrong, "options": held.passkeys and passkeys.request(user)}
    shown |= {"form": form, "title": _("Two-step verification"), **admin.site.each_context(request)}
    return render(request, "office/second_step.html", shown, status=422 if form.errors or wrong else 200)


@_FORM
@never_cache
@sensitive_post_parameters("enrolment", "password")
def join(request: HttpRequest) -> HttpResponse:
    """A newcomer chooses a password, is in, and goes on to the second step where one is demanded."""
    form = Newcomer(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            if ratelimit.consume(request, action="join", key=form.cleaned_data["username"]):
                return _joined(request, form.cleaned_data)
            form.add_error(None, TOO_MANY)
        except EnrolmentCodeOver as refusal:
            _note_wrong(request, form.cleaned_data["username"], refusal)
            form.add_error(None, str(refusal.detail))
        except Refusal as refusal:
            show_errors(form, refusal)
    shown = {"form": form, "title": _("Set your password"), **admin.site.each_context(request)}
    return render(request, "office/join.html", shown, status=422 if form.errors else 200)


def _joined(request: HttpRequest, typed: dict[str, str]) -> HttpResponse:
    user, code = joining.join(typed["username"], typed["enrolment"], typed["password"], at=live_now())
    audit.record("joined", place=address_of(request), by=Actor.staff(user.pk), at=live_now())
    _enter(request, user)
    enrolment.keep_shown(request.session, code)
    return redirect("own_second" if settings.CONSOLE_SECOND_STEP else "admin:index")


def _note_wrong(request: HttpRequest, username: str, refusal: Refusal) -> None:
    """A line for each wrong try; what was typed for a name may be a secret, and stands in none."""
    meant = User.objects.filter(username=username, is_staff=True).first()
    about = meant.public_id if meant else ""
    by, place = Actor.system("join"), address_of(request)
    audit.record("joining.refused", about=about, place=place, by=by, at=live_now(), data={"code": refusal.code})


def _enter(request: HttpRequest, user: User) -> None:
    """They are in, which stands in the audit; for a few minutes nothing asks again who they are."""
    open_session(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    request.session.pop(_PENDING, None)
    record_authentication(request, user, method="password", username=user.username, reauthenticated=True)
    audit.record("signed_in", place=address_of(request), by=Actor.staff(user.pk), at=live_now())
