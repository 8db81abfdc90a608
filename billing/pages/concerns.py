"""Requests for help: list, report a problem with an order, message thread, withdraw."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, person_page
from kernel.forms import new_form_token
from kernel.paging import paginate
from kernel.refusal import NotFound, Refusal
from orders import queries, rules, services
from orders.models import Concern, Message
from orders.queries import OrderDetails
from orders.refusals import ConcernClosed

CONCERNS_A_PAGE = 20
_get_or_post = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@person_page
def concerns(visitor: Visitor) -> HttpResponse:
    """The person's requests, paginated."""
    cursor = visitor.request.GET.get("cursor") or None
    rows, next_cursor = paginate(queries.concerns_of(visitor.person.id), cursor=cursor, limit=CONCERNS_A_PAGE)
    return visitor.render("orders/concerns.html", concerns=rows, next_cursor=next_cursor, first=cursor is None)


@_get_or_post
@person_page
def report(visitor: Visitor, order: str) -> HttpResponse:
    """Report a problem with an order."""
    details = queries.person_order_details(visitor.person.id, visitor.parse_id("ord", order))
    if visitor.request.method != "POST":
        return _render_report(visitor, details)
    category, text = visitor.posted("category"), visitor.posted("text")
    try:
        if not visitor.claim_submission("report"):
            return redirect("help")
        with visitor.allow_resubmission():
            concern = services.report_problem(details.order.id, category, text, by=visitor.actor, at=visitor.at)
    except NotFound:
        raise
    except Refusal as refusal:
        return _render_report(visitor, details, refusal=refusal)
    messages.success(visitor.request, _("We have received your report and will reply here."))
    return redirect("concern", concern.public_id)


@_get_or_post
@person_page
def concern(visitor: Visitor, concern: str) -> HttpResponse:
    """The message thread of a request; POST adds a message."""
    row = _own_concern(visitor, concern)
    if visitor.request.method != "POST":
        return _render_thread(visitor, row)
    try:
        if visitor.claim_submission("say"):
            author = Message.Author.PERSON
            with visitor.allow_resubmission():
                services.add_message(row.id, visitor.posted("text"), author=author, by=visitor.actor, at=visitor.at)
    except Refusal as refusal:
        return _render_thread(visitor, _own_concern(visitor, concern), refusal=refusal)
    return redirect("concern", concern)


@_get_or_post
@person_page
def withdraw(visitor: Visitor, concern: str) -> HttpResponse:
    """Withdraw a request."""
    row = _own_concern(visitor, concern)
    if visitor.request.method == "POST":
        try:
            services.withdraw_concern(row.id, by=visitor.actor, at=visitor.at)
        except ConcernClosed as refusal:
            return _render_thread(visitor, _own_concern(visitor, concern), refusal=refusal)
        messages.success(visitor.request, _("Request withdrawn."))
    return redirect("concern", concern)


def _own_concern(visitor: Visitor, concern: str) -> Concern:
    return queries.concern_of(visitor.person.id, visitor.parse_id("con", concern))


def _render_report(visitor: Visitor, details: OrderDetails, *, refusal: Refusal | None = None) -> HttpResponse:
    earlier = queries.reports_of(details.order.id)
    return visitor.render(
        "orders/report.html",
        status=refusal.status if refusal else 200,
        details=details,
        order=details.order,
        earlier=earlier,
        open_report=next((row for row in earlier if row.state == Concern.State.OPEN), None),
        is_reportable=services.can_report(details.order, at=visitor.at) and len(earlier) < rules.REPORTS_MAX,
        problems=rules.PROBLEMS,
        most=rules.TEXT_MAX,
        within=rules.REPORT_WINDOW.days,
        token=new_form_token(),
        refusal=refusal,
        category=visitor.posted("category"),
        typed=visitor.posted("text"),
    )


def _render_thread(visitor: Visitor, concern: Concern, *, refusal: Refusal | None = None) -> HttpResponse:
    paused = bool(concern.order) and queries.is_order_paused(concern)
    return visitor.render(
        "orders/concern.html",
        status=refusal.status if refusal else 200,
        concern=concern,
        order=concern.order,
        thread_messages=list(concern.messages.order_by("id")),
        paused=paused,
        most=rules.TEXT_MAX,
        token=new_form_token(),
        refusal=refusal,
        typed=visitor.posted("text"),
    )
