"""Asking for help: a problem with an order reported, what was said about it, taken back."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, for_person
from kernel.forms import new_token
from kernel.paging import page
from kernel.refusal import NotFound, Refusal
from orders import queries, rules, services
from orders.models import Concern, Message
from orders.queries import Sheet
from orders.refusals import ConcernClosed

CONCERNS_A_PAGE = 20
_FORM = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@for_person
def concerns(visitor: Visitor) -> HttpResponse:
    """Everything the person asked help with, and where more of it is."""
    cursor = visitor.request.GET.get("cursor") or None
    found, further = page(queries.concerns_of(visitor.person.id), cursor=cursor, limit=CONCERNS_A_PAGE)
    return visitor.show("orders/concerns.html", concerns=found, further=further, first=cursor is None)


@_FORM
@for_person
def report(visitor: Visitor, order: str) -> HttpResponse:
    """Something is wrong with an order: what, in the person's own words."""
    sheet = queries.sheet_of(visitor.person.id, visitor.named("ord", order))
    if visitor.request.method != "POST":
        return _report(visitor, sheet)
    category, text = visitor.sent("category"), visitor.sent("text")
    try:
        if not visitor.sends_first("report"):
            return redirect("help")
        with visitor.sends_again():
            made = services.report_problem(sheet.order.id, category, text, by=visitor.actor, at=visitor.at)
    except NotFound:
        raise
    except Refusal as refusal:
        return _report(visitor, sheet, refusal=refusal)
    messages.success(visitor.request, _("We have received your report and will reply here."))
    return redirect("concern", made.public_id)


@_FORM
@for_person
def concern(visitor: Visitor, concern: str) -> HttpResponse:
    """What was said about it so far, and saying more."""
    found = _mine(visitor, concern)
    if visitor.request.method != "POST":
        return _thread(visitor, found)
    try:
        if visitor.sends_first("say"):
            author = Message.Author.PERSON
            with visitor.sends_again():
                services.say(found.id, visitor.sent("text"), author=author, by=visitor.actor, at=visitor.at)
    except Refusal as refusal:
        return _thread(visitor, _mine(visitor, concern), refusal=refusal)
    return redirect("concern", concern)


@_FORM
@for_person
def withdraw(visitor: Visitor, concern: str) -> HttpResponse:
    """The person takes it back."""
    found = _mine(visitor, concern)
    if visitor.request.method == "POST":
        try:
            services.withdraw_concern(found.id, by=visitor.actor, at=visitor.at)
        except ConcernClosed as refusal:
            return _thread(visitor, _mine(visitor, concern), refusal=refusal)
        messages.success(visitor.request, _("Request withdrawn."))
    return redirect("concern", concern)


def _mine(visitor: Visitor, concern: str) -> Concern:
    return queries.concern_of(visitor.person.id, visitor.named("con", concern))


def _report(visitor: Visitor, sheet: Sheet, *, refusal: Refusal | None = None) -> HttpResponse:
    earlier = queries.reports_of(sheet.order.id)
    return visitor.show(
        "orders/report.html",
        status=refusal.status if refusal else 200,
        sheet=sheet,
        order=sheet.order,
        earlier=earlier,
        waiting=next((row for row in earlier if row.state == Concern.State.OPEN), None),
        possible=services.reportable(sheet.order, at=visitor.at) and len(earlier) < rules.REPORTS_MAX,
        problems=rules.PROBLEMS,
        most=rules.TEXT_MAX,
        within=rules.REPORT_WITHIN.days,
        token=new_token(),
        refusal=refusal,
        category=visitor.sent("category"),
        typed=visitor.sent("text"),
    )


def _thread(visitor: Visitor, found: Concern, *, refusal: Refusal | None = None) -> HttpResponse:
    paused = bool(found.order) and queries.stands_still(found)
    return visitor.show(
        "orders/concern.html",
        status=refusal.status if refusal else 200,
        concern=found,
        order=found.order,
        said=list(found.messages.order_by("id")),
        paused=paused,
        most=rules.TEXT_MAX,
        token=new_token(),
        refusal=refusal,
        typed=visitor.sent("text"),
    )
