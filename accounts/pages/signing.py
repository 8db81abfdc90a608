"""Pages of signing in beyond allauth's own, the language, and the local messages."""

from typing import Any

from allauth.account.views import ConfirmLoginCodeView, LoginView, SignupView, _VerifyPhoneSignupView
from allauth.core import ratelimit
from allauth.core.exceptions import RateLimited
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django.views.i18n import set_language

from accounts import services
from accounts.models import LocalMessage, User
from kernel import clock
from kernel.actor import Actor

LOCAL_MESSAGES_SHOWN = 200
RETRY_AFTER_SECONDS = 60


class SignUp(SignupView):  # type: ignore[misc]  # allauth is not typed
    """allauth's own lets the limit on texts to one number escape as a fault; here it is an answer."""

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            answer: HttpResponse = super().form_valid(form)
        except RateLimited:
            return too_many(self.request)
        return answer


class SignIn(LoginView):  # type: ignore[misc]  # allauth is not typed
    """The same for whoever signs in."""

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            answer: HttpResponse = super().form_valid(form)
        except RateLimited:
            return too_many(self.request)
        return answer


class ConfirmSignIn(ConfirmLoginCodeView):  # type: ignore[misc]  # allauth is not typed
    """allauth counts wrong codes in the session, where tries at the same moment all read the same number.

    Each is counted before it is looked at, where only one of them can be the third.
    """

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self._action == "verify" and not may_try(request, self._process):
            return too_many(request)
        answer: HttpResponse = super().post(request, *args, **kwargs)
        return answer


class ConfirmSignUp(_VerifyPhoneSignupView):  # type: ignore[misc]  # allauth is not typed
    """The same for the first code of a number."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self._action == "verify" and not may_try(request, self.process):
            return too_many(request)
        answer: HttpResponse = super().post(request, *args, **kwargs)
        return answer


def may_try(request: HttpRequest, process: Any) -> bool:
    """Whether this code may be tried once more. Another number, or another code, is another count."""
    sent = f"{process.state.get('phone')} {process.state['at']} {process.state['resend_count']}"
    return bool(ratelimit.consume(request, action="try_code", key=sent))


def too_many(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001  Django's signature
    """The roof's `handler429`."""
    page = render(request, "account/too_many.html", status=429)
    page["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return page


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """The language of the pages from now on, and of what whoever is signed in is told."""
    chosen = request.POST.get("language", "")
    if isinstance(request.user, User) and chosen in services.LANGUAGES_SPOKEN:
        services.choose_language(request.user.id, chosen, by=Actor.system("pages"), at=clock.live_now())
    answer: HttpResponse = set_language(request)
    return answer


@require_safe
@never_cache
def local_messages(request: HttpRequest) -> HttpResponse:
    """/dev/messages: what would have left the house, newest first."""
    kept = LocalMessage.objects.order_by("-id")[:LOCAL_MESSAGES_SHOWN]
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        rows = [{"kind": m.kind, "to": m.to, "text": m.text, "at": m.at.isoformat()} for m in kept]
        return JsonResponse({"data": rows}, json_dumps_params={"ensure_ascii": False})
    # Not `messages`: that name is Django's, for what a page tells its reader once.
    return render(request, "accounts/local_messages.html", {"kept": kept})
