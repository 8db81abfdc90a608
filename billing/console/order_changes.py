"""Row actions on an order: move the deduction date, waive fees, reduce, cancel, mark as paid."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.order_actions import (
    PAUSE_GROUPS,
    always_needs_approval,
    ending_needs_approval,
    is_owed,
    owes_late_fees,
    postings_of_order,
    reduction_needs_approval,
    reduction_preview,
)
from billing.services import reschedule
from billing.services.attempt_plans import NothingPlanned
from kernel.actor import Actor
from kernel.clock import now_in
from kernel.console_actions import ReasonForm, RowAction, StrOrPromise
from kernel.forms import parse_minor
from kernel.money import Money
from kernel.refusal import Refusal
from kernel.templatetags.formatting import appointment, money, plain_datetime
from orders import services as orders
from orders.models import Order
from orders.queries import OrderDetails
from orders.refusals import OrderState

SUPPORT_GROUPS, MONEY_GROUPS = ("support", "supervisor"), ("support", "finance", "supervisor")
#: Maximum length of a reason stored with an order or a refund.
REASON_MAX = 100
_MINUTE = timedelta(minutes=1)


class TotalForm(ReasonForm):
    """The new total."""

    total = forms.CharField(label=gettext_lazy("New total"), max_length=13)

    def clean_total(self) -> int:
        total_minor = parse_minor(self.cleaned_data["total"], self.row.currency)
        if total_minor is None:
            raise forms.ValidationError(_("An amount such as 12.34."))
        return total_minor


class PaidForm(ReasonForm):
    """The reference and time of a payment made elsewhere."""

    reference = forms.CharField(
        label=gettext_lazy("Reference"),
        max_length=64,
        help_text=gettext_lazy("Payment reference that proves the payment was made."),
    )
    paid_at = forms.DateTimeField(
        label=gettext_lazy("Payment time"), widget=forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M")
    )


class DayForm(ReasonForm):
    """The new deduction date, one of the days allowed."""

    to = forms.ChoiceField(label=gettext_lazy("Next deduction date"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        days = _available_days(self.row, now_in(self.row.realm))
        self.fields["to"].choices = [(day.isoformat(), appointment(day)) for day in days]  # type: ignore[attr-defined]


def _available_days(order: Order, at: datetime) -> list[datetime]:
    try:
        return reschedule.available_dates(order, at=at)
    except Refusal:
        return []  # the preview says why


def _preview_move(order: Order, at: datetime) -> StrOrPromise:
    if not reschedule.available_dates(order, at=at):
        raise NothingPlanned
    text = _(
        "Next deduction scheduled for %(at)s. The date can be changed once; late fees and overdue days continue as"
        " usual."
    )
    return text % {"at": plain_datetime(reschedule.next_planned_obligation(order).collect_at)}


def _move(order_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    to = datetime.fromisoformat(data["to"])
    reschedule.reschedule_next_attempt(order_id, to, note=data["note"], by=by, at=at)
    return _("The deduction date was changed to %(at)s.") % {"at": appointment(to)}


def _preview_waive(order: Order, at: datetime) -> StrOrPromise:
    del at
    fees = orders.waivable_fees(list(order.obligations.all()))
    text = _("Waives late fees of %(fees)s. The principal is still owed; late fees continue while overdue.")
    return text % {"fees": money(Money(sum(row.owed.minor for row in fees), order.currency))}


def _waive(order_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    orders.waive_fees(order_id, data["note"], by=by, at=at)
    return _("Late fees waived for this order.")


def _preview_lower(order: Order, at: datetime) -> StrOrPromise:
    del at
    if order.state not in (Order.State.COMPLETED, Order.State.OVERDUE):
        raise OrderState(_("Nothing is owed for this order."))
    return reduction_preview(order)


def _lower(order_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    result = orders.reduce_total(order_id, data["total"], order_reason(data["note"]), by=by, at=at)
    return _("Order total changed to %(total)s.") % {"total": money(result.total)}


def _preview_cancel(order: Order, at: datetime) -> StrOrPromise:
    del at
    if order.state in (Order.State.DEDUCTED, Order.State.CANCELLED, Order.State.EXPIRED):
        raise OrderState(_("The order has ended."))
    text = _("Cancels the order; %(total)s is no longer owed. Only possible while nothing has been paid.")
    return text % {"total": money(order.total or order.ceiling)}


def _cancel(order_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    orders.cancel_order(order_id, order_reason(data["note"]), by=by, at=at)
    return _("The order has been cancelled.")


def _preview_mark_paid(order: Order, at: datetime) -> StrOrPromise:
    del at
    details = OrderDetails(order, list(order.obligations.all()))
    if not details.owed:
        raise OrderState(_("Nothing is owed for this order."))
    text = _("%(owed)s was paid to the merchant another way; nothing more is deducted through the platform.")
    return text % {"owed": money(details.owed)}


def _mark_paid(order_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    orders.mark_paid(order_id, min(data["paid_at"], at + _MINUTE), data["reference"], by=by, at=at)
    return _("The order is marked as paid.")


def order_reason(note: str) -> str:
    return note.strip()[:REASON_MAX]


def is_cancellable(order: Order) -> bool:
    return order.state in {Order.State.CREATED, Order.State.OPEN, Order.State.COMPLETED}


ROW_ACTIONS = [
    RowAction(
        "move_date",
        Order,
        gettext_lazy("Change deduction date"),
        PAUSE_GROUPS,
        _preview_move,
        _move,
        DayForm,
        is_offered=is_owed,
    ),
    RowAction(
        "waive_fees",
        Order,
        gettext_lazy("Waive late fees"),
        PAUSE_GROUPS,
        _preview_waive,
        _waive,
        is_offered=owes_late_fees,
        posting_filter=postings_of_order,
        needs_approval=always_needs_approval,
    ),
    RowAction(
        "lower_total",
        Order,
        gettext_lazy("Reduce the total"),
        SUPPORT_GROUPS,
        _preview_lower,
        _lower,
        TotalForm,
        posting_filter=postings_of_order,
        is_offered=is_owed,
        needs_approval=reduction_needs_approval,
    ),
    RowAction(
        "cancel",
        Order,
        gettext_lazy("Cancel the customer's order"),
        SUPPORT_GROUPS,
        _preview_cancel,
        _cancel,
        posting_filter=postings_of_order,
        is_offered=is_cancellable,
        needs_approval=ending_needs_approval,
    ),
    RowAction(
        "mark_paid",
        Order,
        gettext_lazy("Mark as paid"),
        MONEY_GROUPS,
        _preview_mark_paid,
        _mark_paid,
        PaidForm,
        posting_filter=postings_of_order,
        is_offered=is_owed,
        needs_approval=ending_needs_approval,
    ),
]
