"""Sign-up and sign-in views based on allauth's, the page language, and locally stored messages."""

from typing import Any

from allauth.account.views import ConfirmLoginCodeView, LoginView, SignupView, _VerifyPhoneSignupView
from allauth.core import ratelimit
from allauth.core.exceptions import RateLimited
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django.views.i18n import set_language

from accounts import services
from accounts.models import LocalMessage, User
from kernel import clock
from kernel.actor import Actor

LOCAL_MESSAGES_SHOWN = 200
RETRY_AFTER_SECONDS = 60


class SignUpView(SignupView):  # type: ignore[misc]  # allauth is not typed
    """Turns the exception of allauth's limit on texts to a number into a 429 page."""

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().form_valid(form)
        except RateLimited:
            return too_many_requests(self.request)
        return response


class SignInView(LoginView):  # type: ignore[misc]  # allauth is not typed
    """The same for sign-in."""

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().form_valid(form)
        except RateLimited:
            return too_many_requests(self.request)
        return response


class ConfirmSignInView(ConfirmLoginCodeView):  # type: ignore[misc]  # allauth is not typed
    """Counts each attempt atomically before the code is checked.

    allauth counts wrong codes in the session, where concurrent attempts all read the same number.
    """

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self._action == "verify" and not take_attempt(request, self._process):
            return too_many_requests(request)
        response: HttpResponse = super().post(request, *args, **kwargs)
        return response

    def _resend_form_valid(self, form: Any) -> HttpResponse:  # noqa: ARG002  allauth's signature
        """Send another code, within the limits of the first one and valid as long.

        A number without an account gets no further text, and the page does not tell. allauth's own resending counts
        toward no limit, and fails for such a number.
        """
        process = self._process
        if not ratelimit.consume(self.request, action="request_login_code", key=process.state["phone"]):
            return too_many_requests(self.request)
        try:
            process.send(skip_enumeration_mails=True)
        except RateLimited:
            return too_many_requests(self.request)
        process.state["at"] = clock.live_now().timestamp()
        process.record_resend()
        process.persist()
        return redirect(self.passthrough_next_url(reverse("account_confirm_login_code")))


class ConfirmSignUpView(_VerifyPhoneSignupView):  # type: ignore[misc]  # allauth is not typed
    """The same for the first code of a new number."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self._action == "verify" and not take_attempt(request, self.process):
            return too_many_requests(request)
        response: HttpResponse = super().post(request, *args, **kwargs)
        return response


def take_attempt(request: HttpRequest, process: Any) -> bool:
    """Count an attempt for this code, and return whether it is permitted. Each number and code has its own count."""
    key = f"{process.state.get('phone')} {process.state['at']} {process.state['resend_count']}"
    return bool(ratelimit.consume(request, action="try_code", key=key))


def too_many_requests(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001  Django's signature
    """The page for status 429, also the project's `handler429`."""
    page = render(request, "account/too_many.html", status=429)
    page["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return page


@require_POST
def set_page_language(request: HttpRequest) -> HttpResponse:
    """Set the language of pages, and of notices if a user is signed in."""
    chosen = request.POST.get("language", "")
    if isinstance(request.user, User) and chosen in services.LANGUAGE_CODES:
        services.choose_language(request.user.id, chosen, by=Actor.system("pages"), at=clock.live_now())
    response: HttpResponse = set_language(request)
    return response


@require_safe
@never_cache
def local_messages(request: HttpRequest) -> HttpResponse:
    """/dev/messages: messages that were stored instead of sent, newest first."""
    stored = LocalMessage.objects.order_by("-id")[:LOCAL_MESSAGES_SHOWN]
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        rows = [{"kind": m.kind, "to": m.to, "text": m.text, "at": m.at.isoformat()} for m in stored]
        return JsonResponse({"data": rows}, json_dumps_params={"ensure_ascii": False})
    # Not `messages`: Django's context processor uses that name.
    return render(request, "accounts/local_messages.html", {"kept": stored})
