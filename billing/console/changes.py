"""What colleagues change about an order: its date, its total, its fees, whether it is paid, and money back."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.orders import CLOCK, always, bears_fees, frees_fees, is_owed, of_order
from billing.models import Refund
from billing.rules import two_people_from
from billing.services import dates, refund
from billing.services.plan import NothingPlanned
from billing.services.settle_parts import lock_lines
from kernel.actor import Actor
from kernel.clock import now_in
from kernel.console_actions import Done, Verb, VerbForm, Words
from kernel.forms import minor_of
from kernel.money import Money
from kernel.refusal import Refusal
from kernel.templatetags.house import appointment, money, written
from orders import services as orders
from orders.models import Order
from orders.queries import Sheet
from orders.refusals import OrderState

HELP, MONEY = ("support", "supervisor"), ("support", "finance", "supervisor")
#: What an order, and a refund, keeps of a reason.
REASON_MAX = 100
_MINUTE = timedelta(minutes=1)


class AmountForm(VerbForm):
    """An amount in the order's own currency."""

    amount = forms.CharField(label=gettext_lazy("Amount"), max_length=13)

    def clean_amount(self) -> int:
        found = minor_of(self.cleaned_data["amount"], self.row.currency)
        if not found:
            raise forms.ValidationError(_("An amount such as 12.34."))
        return found


class TotalForm(VerbForm):
    """What it comes to from then on."""

    total = forms.CharField(label=gettext_lazy("New total"), max_length=13)

    def clean_total(self) -> int:
        found = minor_of(self.cleaned_data["total"], self.row.currency)
        if found is None:
            raise forms.ValidationError(_("An amount such as 12.34."))
        return found


class PaidForm(VerbForm):
    """When and under which number it was paid."""

    reference = forms.CharField(
        label=gettext_lazy("Reference"),
        max_length=64,
        help_text=gettext_lazy("Payment reference that proves the payment was made."),
    )
    paid_at = forms.DateTimeField(
        label=gettext_lazy("Payment time"), widget=forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M")
    )


class DayForm(VerbForm):
    """One of the days to which it may be moved."""

    to = forms.ChoiceField(label=gettext_lazy("Next deduction date"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = _days(self.row, now_in(self.row.realm))
        self.fields["to"].choices = [(day.isoformat(), appointment(day)) for day in found]  # type: ignore[attr-defined]


def _days(order: Order, at: datetime) -> list[datetime]:
    try:
        return dates.days_of(order, at=at)
    except Refusal:
        return []  # the preview says why


def _before_day(order: Order, at: datetime) -> Words:
    if not dates.days_of(order, at=at):
        raise NothingPlanned
    says = _(
        "Next deduction scheduled for %(at)s. The date can be changed once; late fees and overdue days continue as"
        " usual."
    )
    return says % {"at": written(dates.next_planned(order).collect_at)}


def _move(order_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    to = datetime.fromisoformat(wish["to"])
    dates.move_date(order_id, to, note=wish["note"], by=by, at=at)
    return _("The deduction date was changed to %(at)s.") % {"at": appointment(to)}


def _before_waive(order: Order, at: datetime) -> Words:
    del at
    fees = orders.waivable(list(order.obligations.all()))
    says = _("Waives late fees of %(fees)s. The principal is still owed; late fees continue while overdue.")
    return says % {"fees": money(Money(sum(row.owed.minor for row in fees), order.currency))}


def _waive(order_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    orders.waive_fees(order_id, wish["note"], by=by, at=at)
    return _("Late fees waived for this order.")


def _before_lower(order: Order, at: datetime) -> Words:
    del at
    if order.state not in (Order.State.COMPLETED, Order.State.OVERDUE):
        raise OrderState(_("Nothing is owed for this order."))
    says = _("Current total: %(total)s. Once reduced, it cannot be raised again.")
    return says % {"total": money(order.total)}


def _lower(order_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    made = orders.lower_total(order_id, wish["total"], _short(wish["note"]), by=by, at=at)
    return _("Order total changed to %(total)s.") % {"total": money(made.total)}


def _before_cancel(order: Order, at: datetime) -> Words:
    del at
    if order.state in (Order.State.DEDUCTED, Order.State.CANCELLED, Order.State.EXPIRED):
        raise OrderState(_("The order has ended."))
    says = _("Cancels the order; %(total)s is no longer owed. Only possible while nothing has been paid.")
    return says % {"total": money(order.total or order.ceiling)}


def _cancel(order_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    orders.cancel_order(order_id, _short(wish["note"]), by=by, at=at)
    return _("The order has been cancelled.")


def _before_paid(order: Order, at: datetime) -> Words:
    del at
    sheet = Sheet(order, list(order.obligations.all()))
    if not sheet.owed:
        raise OrderState(_("Nothing is owed for this order."))
    says = _("%(owed)s was paid to the merchant another way; nothing more is deducted through the platform.")
    return says % {"owed": money(sheet.owed)}


def _paid(order_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    orders.mark_paid(order_id, min(wish["paid_at"], at + _MINUTE), wish["reference"], by=by, at=at)
    return _("The order is marked as paid.")


def _before_refund(order: Order, at: datetime) -> Words:
    del at
    if order.state not in (Order.State.COMPLETED, Order.State.OVERDUE, Order.State.DEDUCTED):
        raise OrderState(_("This order has no refundable amount."))
    says = _(
        "The debt is reduced first; the amount already collected is refunded to the original payment method. From"
        " %(most)s per order, two people are required."
    )
    return says % {"most": money(Money(two_people_from(order.currency), order.currency))}


def _refund(order_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Done:
    asked = refund.Asked(amount_minor=wish["amount"], reason=_short(wish["note"]))
    made, send = refund.begin_refund(order_id, asked, by=by, at=at)
    return Done(_refunded(made), send)


def _refunded(made: Refund) -> Words:
    return _("%(amount)s refunded.") % {"amount": money(made.amount)}


def _is_much(order: Order, wish: Mapping[str, Any]) -> bool:
    return refund.is_much(order, wish.get("amount", 0))


def _to_nothing(order: Order, wish: Mapping[str, Any]) -> bool:
    return wish.get("total") == 0 and bears_fees(order)


def _hold_lines(order: Order) -> Order:
    """What was taken for an order is held before the order itself."""
    lock_lines(order.pk)
    return Order.objects.locked(order.pk)


def _short(note: str) -> str:
    return note.strip()[:REASON_MAX]


def _may_end(order: Order) -> bool:
    return order.state in {Order.State.CREATED, Order.State.OPEN, Order.State.COMPLETED}


def _was_used(order: Order) -> bool:
    return is_owed(order) or order.state == Order.State.DEDUCTED


VERBS = [
    Verb(
        "move_date", Order, gettext_lazy("Change deduction date"), CLOCK, _before_day, _move, DayForm, offered=is_owed
    ),
    Verb(
        "waive_fees",
        Order,
        gettext_lazy("Waive late fees"),
        CLOCK,
        _before_waive,
        _waive,
        offered=bears_fees,
        books=of_order,
        second=always,
    ),
    Verb(
        "lower_total",
        Order,
        gettext_lazy("Reduce the total"),
        HELP,
        _before_lower,
        _lower,
        TotalForm,
        books=of_order,
        offered=is_owed,
        second=_to_nothing,
    ),
    Verb(
        "cancel",
        Order,
        gettext_lazy("Cancel the customer's order"),
        HELP,
        _before_cancel,
        _cancel,
        books=of_order,
        offered=_may_end,
        second=frees_fees,
    ),
    Verb(
        "mark_paid",
        Order,
        gettext_lazy("Mark as paid"),
        MONEY,
        _before_paid,
        _paid,
        PaidForm,
        books=of_order,
        offered=is_owed,
        second=frees_fees,
    ),
    Verb(
        "refund",
        Order,
        gettext_lazy("Refund order"),
        MONEY,
        _before_refund,
        _refund,
        AmountForm,
        offered=_was_used,
        books=of_order,
        second=_is_much,
        hold=_hold_lines,
        deciders=("finance", "supervisor"),
    ),
]
