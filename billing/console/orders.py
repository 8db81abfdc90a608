"""What colleagues do to an order: stop its clock, let it go on, collect it now, give it up as lost."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import queries
from billing.models import Deduction
from billing.refusals import NoInstrument, OrderPaused, TooOften
from billing.services import pay
from kernel.actor import Actor
from kernel.clock import now_in
from kernel.console_actions import Verb, VerbForm, Words
from kernel.money import Money
from kernel.templatetags.house import money
from orders import services as orders
from orders.models import Obligation, Order, Pause
from orders.queries import Sheet
from orders.refusals import DeductionInFlight, OrderState

#: What each reason is called. An outage is a channel's, not one order's: it is declared at its own page.
REASONS: dict[str, Words] = {
    Pause.Reason.PROBLEM: gettext_lazy("Customer reported a problem"),
    Pause.Reason.RETURN: gettext_lazy("Return in progress"),
    Pause.Reason.REFUND: gettext_lazy("Refund in progress"),
    Pause.Reason.HARDSHIP: gettext_lazy("Financial hardship"),
}
ENDS: dict[str, Words] = {
    Deduction.State.SUCCEEDED: gettext_lazy("Deducted."),
    Deduction.State.FAILED: gettext_lazy("Deduction failed: {code}."),
}


class PauseForm(VerbForm):
    """Which reason holds the clock."""

    reason = forms.ChoiceField(label=gettext_lazy("Reason for pause"), choices=list(REASONS.items()))


class ResumeForm(VerbForm):
    """Which of the reasons that hold it is gone."""

    reason = forms.ChoiceField(label=gettext_lazy("Which reason has ended"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = [(reason, REASONS[reason]) for reason in _holding(self.row) if reason in REASONS]
        self.fields["reason"].choices = held  # type: ignore[attr-defined]  # it is a choice


def _holding(order: Order) -> list[str]:
    return list(order.pauses.filter(ended_at__isnull=True).order_by("id").values_list("reason", flat=True))


def _unpaid(order: Order) -> Sheet:
    """What is owed of it.

    Raises:
        OrderState: nothing is.
    """
    sheet = Sheet(order, list(order.obligations.all()))
    if not sheet.owed:
        raise OrderState(_("Nothing is owed for this order."))
    return sheet


def _before_pause(order: Order, at: datetime) -> Words:
    del at
    sheet = _unpaid(order)
    says = _("%(owed)s is owed. While paused: no deductions, no late fees, no overdue days, no reminders.")
    more = _("The deduction in progress will complete.") if sheet.in_flight else ""
    return f"{says % {'owed': money(sheet.owed)}} {more}".strip()


def _pause(order_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    orders.pause_order(order_id, wish["reason"], note=wish["note"], by=by, at=at)
    return _("The order is paused.")


def _before_resume(order: Order, at: datetime) -> Words:
    del at
    held = _holding(order)
    if not [reason for reason in held if reason in REASONS]:
        raise OrderState(_("This order has no pause that you can end."))
    if len(held) > 1:
        return _("The order is paused for several reasons and resumes when the last one ends.")
    return _("The order resumes where it paused; every date moves back by the length of the pause.")


def _resume(order_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    orders.resume_order(order_id, wish["reason"], note=wish["note"], by=by, at=at)
    if Pause.objects.filter(order_id=order_id, ended_at__isnull=True).exists():
        return _("This reason has ended; another one still pauses the order.")
    return _("The order has resumed.")


def _before_collect(order: Order, at: datetime) -> Words:
    sheet = _unpaid(order)
    if _holding(order):
        raise OrderPaused
    if sheet.in_flight:
        raise DeductionInFlight
    if queries.collects_again(order.id, at=at):
        raise TooOften
    due = Money(sum(row.owed.minor for row in orders.collectable(order, sheet.obligations, at=at)), order.currency)
    usable = queries.instruments_of([order.person_id]).get(order.person_id, [])
    if not usable:
        raise NoInstrument
    says = _("Attempts to deduct %(owed)s from %(instrument)s now. The existing schedule does not change.")
    return says % {"owed": money(due), "instrument": usable[0].label}


def _collect(order_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    made = pay.collect_now(order_id, note=wish["note"], by=by, at=at)
    unknown = _("The result is not known yet; we keep querying the channel.")
    return " ".join(str(ENDS.get(row.state, unknown)).format(code=row.failure_code) for row in made)


def _before_write_off(order: Order, at: datetime) -> Words:
    del at
    lost = orders.losable(order, list(order.obligations.all()))
    whose = _("borne by the platform") if order.terms.advance else _("borne by the merchant, late fees by the platform")
    says = _("%(lost)s will be written off, %(whose)s. It is no longer pursued; the customer can still pay it.")
    return says % {"lost": money(Money(sum(row.owed.minor for row in lost), order.currency)), "whose": whose}


def _write_off(order_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    orders.write_off(order_id, wish["note"], by=by, at=at)
    return _("The debt has been written off.")


def of_order(order: Order) -> Q:
    """Where the postings about an order stand."""
    return Q(order_id=order.pk)


def always(row: Any, wish: Any) -> bool:
    """However little it is."""
    del row, wish
    return True


def bears_fees(order: Order) -> bool:
    """Whether a late fee of it is owed."""
    fees = order.obligations.filter(kind=Obligation.Kind.LATE_FEE)
    return fees.filter(state__in=Obligation.OWED).exists()


def frees_fees(order: Order, wish: Any) -> bool:
    """Where the order ends, its late fees fall away: they are forgiven by two, whatever that is called."""
    del wish
    return bears_fees(order)


def is_owed(order: Order) -> bool:
    """Whether something may be owed of it, by its state."""
    return order.is_owed


def _is_due(order: Order) -> bool:
    return orders.is_collectable(order, list(order.obligations.all()), at=now_in(order.realm))


def _is_overdue(order: Order) -> bool:
    return bool(order.state == Order.State.OVERDUE)


def _stands_still(order: Order) -> bool:
    return any(reason in REASONS for reason in _holding(order))


CLOCK, COLLECT = ("collections", "support", "supervisor"), ("collections", "supervisor")
VERBS = [
    Verb("pause", Order, gettext_lazy("Pause order"), CLOCK, _before_pause, _pause, PauseForm, offered=is_owed),
    Verb(
        "resume",
        Order,
        gettext_lazy("Resume order"),
        CLOCK,
        _before_resume,
        _resume,
        ResumeForm,
        offered=_stands_still,
    ),
    Verb("collect", Order, gettext_lazy("Deduct now"), COLLECT, _before_collect, _collect, offered=_is_due),
    Verb(
        "write_off",
        Order,
        gettext_lazy("Write off"),
        COLLECT,
        _before_write_off,
        _write_off,
        offered=_is_overdue,
        books=of_order,
        second=always,
    ),
]
