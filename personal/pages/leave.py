"""The way out: what is erased and what stays, what must be over first, and taking it back."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.visitor import Visitor, for_person
from kernel.clock import live_now
from kernel.refusal import Refusal
from personal import queries, rules
from personal.pages.fresh import shows_first
from personal.services import erase


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def leave(visitor: Visitor) -> HttpResponse:
    if visitor.request.method != "POST":
        return _shown(visitor)
    if visitor.sent("understood") != "yes":
        return _shown(visitor, status=422, unread=True)
    if shown := shows_first(visitor, reverse("leave")):
        return shown
    try:
        erase.ask_erasure(visitor.person.id, by=visitor.actor, at=live_now())
    except Refusal as refusal:
        return _shown(visitor, status=refusal.status)
    return redirect("leave")


@require_POST
@for_person
def stay(visitor: Visitor) -> HttpResponse:
    erase.withdraw_erasure(visitor.person.id, by=visitor.actor, at=live_now())
    messages.success(visitor.request, _("Request cancelled. Nothing was erased."))
    return redirect("leave")


def _shown(visitor: Visitor, *, status: int = 200, unread: bool = False) -> HttpResponse:
    return visitor.show(
        "personal/leave.html",
        status=status,
        standing=queries.erasure_of(visitor.person.id),
        hindrances=queries.hindrances(visitor.person),
        days=rules.ERASURE_WAITS.days,
        unread=unread,
    )
