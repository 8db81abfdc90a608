"""One order as its person sees it: paying it, and moving its next deduction to another day."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, for_person
from billing import queries
from billing.models import Deduction, Instrument
from billing.refusals import AmountInvalid, NoInstrument
from billing.services.pay import pay_now
from billing.services.plan import move_next
from kernel import ids
from kernel.forms import first_time, minor_of, new_token, plain
from kernel.refusal import NotFound, Refusal
from kernel.templatetags.house import appointment
from orders import queries as orders
from orders.models import Obligation
from orders.queries import Sheet
from orders.services import reportable


@require_safe
@for_person
def order(visitor: Visitor, order: str) -> HttpResponse:
    """What was used, what it comes to, what was paid and what comes next."""
    return _shown(visitor, _mine(visitor, order))


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def pay(visitor: Visitor, order: str) -> HttpResponse:
    """The person pays the order, or a part of it, now."""
    sheet = _mine(visitor, order)
    if visitor.request.method != "POST":
        return redirect("order", order)
    try:
        asked = _asked(visitor, sheet)
        if not first_time(visitor.person.id, visitor.sent("token"), "pay"):
            messages.info(visitor.request, _("You have sent this already. This is how things stand now."))
            return redirect("order", order)
        made = pay_now(sheet.order.id, by=visitor.actor, at=visitor.at, **asked)
    except NotFound:
        raise
    except Refusal as refusal:
        # Read again: what was refused may be because of what has changed meanwhile.
        return _shown(visitor, _mine(visitor, order), status=refusal.status, refusal=refusal)
    names = urlencode([("of", row.public_id) for row in made])
    return redirect(f"{reverse('paid', args=[order])}?{names}")


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def move(visitor: Visitor, order: str) -> HttpResponse:
    """The person has the next deduction made on another day."""
    sheet = _mine(visitor, order)
    if visitor.request.method != "POST":
        return redirect("order", order)
    named = ids.parse(Obligation.prefix, visitor.sent("obligation"))
    row = next((row for row in sheet.obligations if row.id == named), None)
    if row is None:
        raise NotFound
    days = {localdate(offered).isoformat(): offered for offered in _days(visitor, sheet, row)}
    try:
        if not first_time(visitor.person.id, visitor.sent("token"), "move"):
            messages.info(visitor.request, _("You have sent this already. This is how things stand now."))
            return redirect("order", order)
        # A day that was not offered is refused below, where it is known why.
        move_next(row.id, days.get(visitor.sent("day"), visitor.at), at=visitor.at)
    except Refusal as refusal:
        return _shown(visitor, _mine(visitor, order), status=refusal.status, not_moved=refusal)
    moved = appointment(days[visitor.sent("day")])
    messages.success(visitor.request, _("The deduction was moved to %(at)s.") % {"at": moved})
    return redirect("order", order)


@require_safe
@for_person
def paid(visitor: Visitor, order: str) -> HttpResponse:
    """How a payment of the person's ended, or that nobody knows yet: of those named, else of the latest."""
    sheet = _mine(visitor, order)
    made = list(queries.attempts_at(sheet.order.id).filter(deduction__purpose=Deduction.Purpose.PAY_NOW))
    if not made:
        return redirect("order", order)
    named = {ids.parse(Deduction.prefix, name) for name in visitor.request.GET.getlist("of")}
    if not named & {line.deduction_id for line in made}:
        named = {made[0].deduction_id}
    shown = [line for line in made if line.deduction_id in named]
    return visitor.show("billing/paid.html", sheet=sheet, order=sheet.order, attempts=shown)


def _mine(visitor: Visitor, order: str) -> Sheet:
    return orders.sheet_of(visitor.person.id, visitor.named("ord", order))


def _asked(visitor: Visitor, sheet: Sheet) -> dict[str, Any]:
    """How much, and from where.

    Raises:
        AmountInvalid, NoInstrument: the form says neither plainly.
    """
    amount = minor_of(visitor.sent("amount"), sheet.order.currency)
    if not amount:
        raise AmountInvalid
    instrument = ids.parse(Instrument.prefix, visitor.sent("instrument"))
    if instrument is None:
        raise NoInstrument
    return {"amount_minor": amount, "instrument_id": instrument}


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
        "easeable": owed and not sheet.in_flight and sheet.order.eased_at is None,
        "plan": owed and sheet.order.eased_at is not None,
    }


def _shown(
    visitor: Visitor,
    sheet: Sheet,
    *,
    status: int = 200,
    refusal: Refusal | None = None,
    not_moved: Refusal | None = None,
) -> HttpResponse:
    coming = _next(sheet)
    days = _days(visitor, sheet, coming) if coming else []
    graced = [day for day in days if coming and (coming.overdue_from is None or day < coming.overdue_from)]
    instruments = queries.instruments_of([visitor.person.id]).get(visitor.person.id, [])
    still = any(row.paused_at for row in sheet.obligations)
    return visitor.show(
        "billing/order.html",
        status=status,
        sheet=sheet,
        order=sheet.order,
        history=sheet.order.history.order_by("-seq"),
        attempts=list(queries.attempts_at(sheet.order.id)),
        planned=queries.coming_of(sheet.obligations, instruments),
        late=queries.late_of(sheet),
        pauses=list(sheet.order.pauses.filter(ended_at__isnull=True).order_by("began_at")) if still else [],
        coming=coming,
        days=days,
        graced=graced,
        breached=days[len(graced) :],
        instruments=instruments,
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
