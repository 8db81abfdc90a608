"""Pages of signing in beyond allauth's own, a person's inbox, and the local messages."""

from typing import Any
from uuid import UUID

from allauth.account.views import SignupView
from allauth.core.exceptions import RateLimited
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django.views.i18n import set_language

from accounts import devices, services, wording
from accounts import inbox as notices
from accounts.models import LocalMessage, User
from accounts.visitor import Visitor, for_person
from kernel import clock, ids
from kernel.actor import Actor
from kernel.paging import page

LOCAL_MESSAGES_SHOWN = 200
NOTICES_A_PAGE = 20
RETRY_AFTER_SECONDS = 60


class SignUp(SignupView):  # type: ignore[misc]  # allauth is not typed
    """allauth's own lets the limit on texts to one number escape as a fault; here it is an answer."""

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            answer: HttpResponse = super().form_valid(form)
        except RateLimited:
            return too_many(self.request)
        return answer


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
@for_person
def inbox(visitor: Visitor) -> HttpResponse:
    """Everything the person was told, newest first. What is shown here counts as read from now on."""
    cursor = visitor.request.GET.get("cursor") or None
    shown, further = page(notices.inbox_of(visitor.person.id), cursor=cursor, limit=NOTICES_A_PAGE)
    if visitor.request.method == "GET":
        notices.mark_read(shown, at=visitor.at)
    return visitor.show(
        "accounts/inbox.html",
        notices=[
            {
                "notice": notice,
                "order": notice.order_id and ids.public("ord", notice.order_id),
                "words": wording.around_link(notice.body),
            }
            for notice in shown
        ],
        further=further,
        first=cursor is None,
    )


@require_safe
@for_person
def settings(visitor: Visitor) -> HttpResponse:
    """How the person is known and reached, in which language, and where they are signed in."""
    shown = devices.devices_of(_user(visitor), session_key=_session(visitor), at=clock.live_now())
    return visitor.show("accounts/settings.html", devices=shown, others=sum(not device.here for device in shown))


@require_POST
@for_person
def sign_out_device(visitor: Visitor, device: int) -> HttpResponse:
    """One browser, perhaps of a lost phone, is signed out."""
    moment = clock.live_now()
    devices.sign_out_device(_user(visitor), device, session_key=_session(visitor), by=visitor.actor, at=moment)
    messages.success(visitor.request, _("Signed out there."))
    return redirect("settings")


@require_POST
@for_person
def sign_out_others(visitor: Visitor) -> HttpResponse:
    """Every browser but this one is signed out. A second click finds none and says so."""
    moment = clock.live_now()
    ended = devices.sign_out_others(_user(visitor), session_key=_session(visitor), by=visitor.actor, at=moment)
    said = ngettext("Signed out in %(ended)d other place.", "Signed out in %(ended)d other places.", ended)
    messages.success(visitor.request, said % {"ended": ended})
    return redirect("settings")


def _user(visitor: Visitor) -> UUID:
    """Whose page it is: nobody without a user gets as far as a page."""
    return UUID(str(visitor.request.user.pk))


def _session(visitor: Visitor) -> str | None:
    key: str | None = visitor.request.session.session_key
    return key


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
