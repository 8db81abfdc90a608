"""The erasure page: what is erased and what stays, what blocks it, and withdrawing the request."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.visitor import Visitor, person_page
from kernel.clock import live_now
from kernel.refusal import Refusal
from personal import queries, rules
from personal.pages.reauthentication import require_reauthentication
from personal.services import erasures


@require_http_methods(["GET", "HEAD", "POST"])
@person_page
def erasure_page(visitor: Visitor) -> HttpResponse:
    if visitor.request.method != "POST":
        return _render_page(visitor)
    if visitor.posted("understood") != "yes":
        return _render_page(visitor, status=422, not_confirmed=True)
    if redirect_response := require_reauthentication(visitor, reverse("leave")):
        return redirect_response
    try:
        erasures.request_erasure(visitor.person.id, by=visitor.actor, at=live_now())
    except Refusal as refusal:
        return _render_page(visitor, status=refusal.status)
    return redirect("leave")


@require_POST
@person_page
def withdraw(visitor: Visitor) -> HttpResponse:
    erasures.withdraw_erasure(visitor.person.id, by=visitor.actor, at=live_now())
    messages.success(visitor.request, _("Request cancelled. Nothing was erased."))
    return redirect("leave")


def _render_page(visitor: Visitor, *, status: int = 200, not_confirmed: bool = False) -> HttpResponse:
    return visitor.render(
        "personal/leave.html",
        status=status,
        erasure=queries.active_erasure_of(visitor.person.id),
        blockers=queries.erasure_blockers(visitor.person),
        days=rules.ERASURE_DELAY.days,
        unread=not_confirmed,
    )
