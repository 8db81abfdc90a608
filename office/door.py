"""The console's door. Where two steps are demanded of colleagues, whoever has not shown the second gets no further."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from accounts import second_factor
from accounts.models import User

#: In and out, whoever it is.
_ALWAYS = frozenset({"console_sign_in", "console_second_step", "console_join", "admin:logout"})
#: Whoever has none: where one is set up, and the password that guards it until then.
_SETS_UP = _ALWAYS | {
    "own_second",
    "own_app",
    "own_passkey",
    "own_confirm",
    "own_password",
    "own_password_django",
    "own_password_django_done",
}
#: Whoever has one that was not shown in this session.
_SHOWS = _ALWAYS | {"own_confirm"}


class SecondStepFirst:
    """Holds every address below /ops/, named or not: a page that is added there is held without being told of.

    A colleague without a second step is led to where they set one up; one who has one that this session has not seen,
    as it was set up elsewhere or is another's meanwhile, shows it first. The pages say why by `request.held_back`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        if not (settings.CONSOLE_SECOND_STEP and request.path.startswith(reverse("admin:index"))):
            return None
        user = request.user
        if not (isinstance(user, User) and user.is_staff) or second_factor.shown_in(request, user):
            return None
        has_one = second_factor.has_one(user)
        request.held_back = True  # type: ignore[attr-defined]
        match = request.resolver_match
        if match is not None and match.view_name in (_SHOWS if has_one else _SETS_UP):
            return None
        if not has_one:
            return redirect("own_second")
        back = request.get_full_path() if request.method == "GET" else reverse("admin:index")
        return redirect(f"{reverse('own_confirm')}?{urlencode({'next': back})}")
