"""Middleware that requires two-step verification for the operations console (setting CONSOLE_SECOND_STEP)."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from accounts import second_factor
from accounts.models import User

#: Sign-in and sign-out, always open.
_ALWAYS_OPEN = frozenset({"console_sign_in", "console_second_step", "console_join", "admin:logout"})
#: Open to staff without a second factor: where it is set up, and the password that protects it until then.
_ENROLMENT_PAGES = _ALWAYS_OPEN | {
    "own_second",
    "own_app",
    "own_passkey",
    "own_confirm",
    "own_password",
    "own_password_django",
    "own_password_django_done",
}
#: Open to staff with a second factor that was not verified in this session.
_VERIFICATION_PAGES = _ALWAYS_OPEN | {"own_confirm"}


class SecondFactorMiddleware:
    """Guards every URL below /ops/, including pages added later.

    Staff without a second factor are redirected to set one up. Staff whose factor this session has not verified, for
    example because it was added elsewhere, verify it first. Pages explain the redirect if `request.held_back` is set.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        if not (settings.CONSOLE_SECOND_STEP and request.path.startswith(reverse("admin:index"))):
            return None
        user = request.user
        if not (isinstance(user, User) and user.is_staff) or second_factor.is_verified_in_session(request, user):
            return None
        has_one = second_factor.has_second_factor(user)
        request.held_back = True  # type: ignore[attr-defined]
        match = request.resolver_match
        if match is not None and match.view_name in (_VERIFICATION_PAGES if has_one else _ENROLMENT_PAGES):
            return None
        if not has_one:
            return redirect("own_second")
        back = request.get_full_path() if request.method == "GET" else reverse("admin:index")
        return redirect(f"{reverse('own_confirm')}?{urlencode({'next': back})}")
