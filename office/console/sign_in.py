"""/ops/login/: staff sign in with user name, password and second factor.

New staff first set a password with their enrolment code.
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

from accounts import enrolment, first_password, passkeys, passwords, second_factor
from accounts.adapter import display_name
from accounts.models import User
from accounts.refusals import InvalidEnrolmentCode
from accounts.second_factor_form import TOO_MANY_ATTEMPTS, check_submitted_factor, pending_sign_in, pending_user
from accounts.visitor import safe_redirect_url
from kernel import audit
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.console_actions import add_errors
from kernel.rate_limits import client_address
from kernel.refusal import Refusal

_PENDING = "console_pending"
_FORM = require_http_methods(["GET", "HEAD", "POST"])


class SignInForm(AdminAuthenticationForm):
    """Django's admin sign-in form with rate limiting."""

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
            raise forms.ValidationError(TOO_MANY_ATTEMPTS)
        found = get_adapter().authenticate(self.request, username=name, password=password)
        if not isinstance(found, User):
            raise self.get_invalid_login_error()
        self.confirm_login_allowed(found)
        self.user_cache = found
        return self.cleaned_data


class JoinForm(passwords.FirstPasswordForm):
    """User name, enrolment code and the new password."""

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
        """The normalised name, so that variants share one rate limit."""
        return str(User.normalize_username(self.cleaned_data["username"]))


class SignInView(LoginView):
    """Name and password; a user with a second factor is signed in only after showing it."""

    template_name = "office/sign_in.html"
    authentication_form = SignInForm
    next_page = "admin:index"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        frame = {**admin.site.each_context(self.request), "title": _("Sign in"), "subtitle": None}
        if isinstance(self.request.user, User):
            frame["username"] = display_name(self.request.user)
        return super().get_context_data(**frame, app_path=self.request.get_full_path(), **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        user, target = form.get_user(), self.get_success_url()
        if not second_factor.has_second_factor(user):
            _start_session(self.request, user)
            return redirect(target)
        self.request.session[_PENDING] = pending_sign_in(user, to=target, at=live_now())
        return redirect("console_second_step")


@_FORM
@never_cache
def second_step(request: HttpRequest) -> HttpResponse:
    """The second step of sign-in: a passkey, an authenticator code or a recovery code."""
    pending = request.session.get(_PENDING) or {}
    user = pending_user(pending, at=live_now())
    if user is None:
        return redirect("admin:login")
    factors = second_factor.factors_of(user)
    form, proof, error = check_submitted_factor(request, user, factors)
    if proof is not None:
        _start_session(request, user)
        post_authentication(request, proof, reauthenticated=True)
        return redirect(safe_redirect_url(request, pending["next"], fallback="admin:index"))
    context: dict[str, Any] = {
        "factors": factors,
        "wrong": error,
        "options": factors.passkeys and passkeys.authentication_options(user),
    }
    context |= {"form": form, "title": _("Two-step verification"), **admin.site.each_context(request)}
    return render(request, "office/second_step.html", context, status=422 if form.errors or error else 200)


@_FORM
@never_cache
@sensitive_post_parameters("enrolment", "password")
def join(request: HttpRequest) -> HttpResponse:
    """New staff set a password and are signed in; then they set up a second factor where one is required."""
    form = JoinForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            if ratelimit.consume(request, action="join", key=form.cleaned_data["username"]):
                return _complete_join(request, form.cleaned_data)
            form.add_error(None, TOO_MANY_ATTEMPTS)
        except InvalidEnrolmentCode as refusal:
            _audit_failed_join(request, form.cleaned_data["username"], refusal)
            form.add_error(None, str(refusal.detail))
        except Refusal as refusal:
            add_errors(form, refusal)
    context = {"form": form, "title": _("Set your password"), **admin.site.each_context(request)}
    return render(request, "office/join.html", context, status=422 if form.errors else 200)


def _complete_join(request: HttpRequest, data: dict[str, str]) -> HttpResponse:
    user, code = first_password.set_first_password(data["username"], data["enrolment"], data["password"], at=live_now())
    audit.record("joined", place=client_address(request), by=Actor.staff(user.pk), at=live_now())
    _start_session(request, user)
    enrolment.remember_used_code(request.session, code)
    return redirect("own_second" if settings.CONSOLE_SECOND_STEP else "admin:index")


def _audit_failed_join(request: HttpRequest, username: str, refusal: Refusal) -> None:
    """Audit each failed attempt. The typed name is not recorded, since it may be a secret."""
    user = User.objects.filter(username=username, is_staff=True).first()
    about = user.public_id if user else ""
    by, place = Actor.system("join"), client_address(request)
    audit.record("joining.refused", about=about, place=place, by=by, at=live_now(), data={"code": refusal.code})


def _start_session(request: HttpRequest, user: User) -> None:
    """Sign the user in and audit it; the session counts as freshly authenticated for a few minutes."""
    open_session(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    request.session.pop(_PENDING, None)
    record_authentication(request, user, method="password", username=user.username, reauthenticated=True)
    audit.record("signed_in", place=client_address(request), by=Actor.staff(user.pk), at=live_now())
