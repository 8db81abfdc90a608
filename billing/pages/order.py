"""One order as its person sees it, and moving its next deduction to another day."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, for_person
from billing import purse, queries
from billing.outlook import outlook_of
from billing.receipt import has_receipt
from billing.services.plan import move_next
from billing.services.returns import returnable
from kernel import ids
from kernel.forms import new_token, plain
from kernel.money import Money
from kernel.refusal import NotFound, Refusal
from kernel.templatetags.house import appointment
from orders import queries as orders
from orders.models import Obligation, Order
from orders.queries import Sheet
from orders.services import reportable


@require_safe
@for_person
def order(visitor: Visitor, order: str) -> HttpResponse:
    """What was used, what it comes to, what was paid and what comes next."""
    return show_order(visitor, mine(visitor, order))


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def move(visitor: Visitor, order: str) -> HttpResponse:
    """The person has the next deduction made on another day."""
    sheet = mine(visitor, order)
    if visitor.request.method != "POST":
        return redirect("order", order)
    named = ids.parse(Obligation.prefix, visitor.sent("obligation"))
    row = next((row for row in sheet.obligations if row.id == named), None)
    if row is None:
        raise NotFound
    days = {localdate(offered).isoformat(): offered for offered in _days(visitor, sheet, row)}
    try:
        if not visitor.sends_first("move"):
            return redirect("order", order)
        with visitor.sends_again():
            # A day that was not offered is refused below, where it is known why.
            move_next(row.id, days.get(visitor.sent("day"), visitor.at), at=visitor.at)
    except Refusal as refusal:
        return show_order(visitor, mine(visitor, order), status=refusal.status, not_moved=refusal)
    moved = appointment(days[visitor.sent("day")])
    messages.success(visitor.request, _("The deduction date was changed to %(at)s.") % {"at": moved})
    return redirect("order", order)


def mine(visitor: Visitor, order: str) -> Sheet:
    """The person's own order with what is owed of it.

    Raises:
        NotFound: missing, or another person's.
    """
    return orders.sheet_of(visitor.person.id, visitor.named("ord", order))


def _next(sheet: Sheet) -> Obligation | None:
    """The part of the order whose deduction comes next; a late fee comes with its debt."""
    planned = [row for row in sheet.obligations if row.plan and row.in_flight is None]
    return min(planned, key=lambda row: (row.kind == Obligation.Kind.LATE_FEE, row.plan[0]["at"]), default=None)


def _days(visitor: Visitor, sheet: Sheet, row: Obligation) -> list[datetime]:
    """The other days on which the person may have this part of the order deducted."""
    name = sheet.order.service.retry_policy
    policy = queries.policies_at([name], visitor.at)[name]
    return queries.moves_of(row, policy, zone=visitor.person.zone, at=visitor.at)


def _help(sheet: Sheet, *, at: datetime) -> dict[str, Any]:
    """What help with this order there is: its open report, what may be asked, whether it is on a plan."""
    owed = any(row.state in Obligation.OWED for row in sheet.obligations)
    return {
        "open": orders.open_report(sheet.order.id),
        "reportable": reportable(sheet.order, at=at),
        "returnable": returnable(sheet.order, at=at),
        "easeable": owed and not sheet.in_flight and sheet.order.eased_at is None,
        "plan": owed and sheet.order.eased_at is not None,
    }


def _story(order: Order, *, at: datetime) -> dict[str, Any]:
    """What happened to it so far, whether it has begun, and whether there is a receipt for it."""
    attempts = list(queries.attempts_at(order.id))
    return {
        "begun": order.starts_at is None or order.starts_at <= at,
        "history": order.history.order_by("-seq"),
        "attempts": attempts,
        "receipt": has_receipt(order, attempts),
        "refunds": (refunds := list(queries.refunds_of(order.id))),
        "given_back": Money(sum(row.returned_minor for row in refunds), order.currency),
        "returns": list(order.returns.order_by("-id")),
    }


def show_order(
    visitor: Visitor,
    sheet: Sheet,
    *,
    status: int = 200,
    refusal: Refusal | None = None,
    not_moved: Refusal | None = None,
) -> HttpResponse:
    """The order's page, with what was refused of what the person wanted to do on it."""
    coming = _next(sheet)
    days = _days(visitor, sheet, coming) if coming else []
    graced = [day for day in days if coming and (coming.overdue_from is None or day < coming.overdue_from)]
    instruments = queries.instruments_of([visitor.person.id]).get(visitor.person.id, [])
    planned = queries.coming_of(sheet.obligations, instruments)
    still = any(row.paused_at for row in sheet.obligations)
    return visitor.show(
        "billing/order.html",
        status=status,
        sheet=sheet,
        order=sheet.order,
        **_story(sheet.order, at=visitor.at),
        planned=planned,
        outlook=outlook_of(sheet, planned, visitor.person.zone),
        late=queries.late_of(sheet),
        pauses=list(sheet.order.pauses.filter(ended_at__isnull=True).order_by("began_at")) if still else [],
        coming=coming,
        days=days,
        graced=graced,
        breached=days[len(graced) :],
        instruments=instruments,
        closed=purse.closed_to(visitor.person.id),
        balance=queries.balance_of(visitor.person.id),
        help=_help(sheet, at=visitor.at),
        token=new_token(),
        move_token=new_token(),
        refusal=refusal,
        not_moved=not_moved,
        chosen=visitor.sent("instrument"),
        chosen_day=visitor.sent("day"),
        typed=visitor.sent("amount") or plain(sheet.owed),
    )
