"""The row action that refunds an order."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.order_actions import is_owed, postings_of_order
from billing.console.order_changes import MONEY_GROUPS, order_reason
from billing.models import Refund
from billing.refund_queries import refund_status_of, refunded_minor_of
from billing.refusals import RefundedMeanwhile
from billing.services import refunds
from billing.services.refund_approval import refund_needs_approval
from billing.services.refund_outcomes import lock_refundable_lines
from credit.rules import dual_approval_threshold
from kernel.actor import Actor
from kernel.console_actions import ActionResult, ReasonForm, RowAction, StrOrPromise
from kernel.forms import parse_minor
from kernel.money import Money
from kernel.templatetags.formatting import money
from orders.models import Order
from orders.refusals import OrderState


class RefundForm(ReasonForm):
    """The amount, in the order's own currency, and how much was refunded before, as the page showed (minor units)."""

    amount = forms.CharField(label=gettext_lazy("Amount"), max_length=13)
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, row: Order, **kwargs: Any) -> None:
        super().__init__(*args, row=row, initial={"seen": refunded_minor_of(row.id)}, **kwargs)

    def clean(self) -> dict[str, Any]:
        """Refuse it if something was refunded since. The form then shows the amounts of now, and may be sent again."""
        found: dict[str, Any] = super().clean() or {}
        if found.get("seen") not in (None, self.initial["seen"]):
            self.data = {name: self.data.get(name, "") for name in self.fields} | {"seen": self.initial["seen"]}
            self.add_error(None, str(RefundedMeanwhile.title))
        return found

    def clean_amount(self) -> int:
        amount_minor = parse_minor(self.cleaned_data["amount"], self.row.currency)
        if not amount_minor:
            raise forms.ValidationError(_("An amount such as 12.34."))
        return amount_minor


def _preview_refund(order: Order, at: datetime) -> StrOrPromise:
    del at
    if order.state not in (Order.State.COMPLETED, Order.State.OVERDUE, Order.State.DEDUCTED):
        raise OrderState(_("This order has no refundable amount."))
    text = _(
        "Refunded so far: %(refunded)s; refundable: %(left)s. The debt is reduced first; the amount already collected"
        " is refunded to the original payment method. From %(most)s per order, two people are required."
    )
    status, most = refund_status_of(order), Money(dual_approval_threshold(order.currency), order.currency)
    return text % {"refunded": money(status.refunded), "left": money(status.refundable), "most": money(most)}


def _refund(order_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> ActionResult:
    reason, seen = order_reason(data["note"]), data.get("seen")
    asked = refunds.RefundDetails(amount_minor=data["amount"], reason=reason, refunded_before=seen)
    result, send = refunds.begin_refund(order_id, asked, by=by, at=at)
    return replace(_refund_result(result), follow_up=partial(_send_refund, result.pk, send))


def _send_refund(refund_id: UUID, send: Callable[[], None]) -> ActionResult:
    send()
    return _refund_result(Refund.objects.get(pk=refund_id))


def _refund_result(row: Refund) -> ActionResult:
    """What to tell about a refund in its current state."""
    texts = {
        Refund.State.SUCCEEDED: _("%(amount)s refunded."),
        Refund.State.PENDING: _("Refund of %(amount)s in progress: the channel has not confirmed it yet."),
        Refund.State.FAILED: _("The refund of %(amount)s failed, at least in part. The order shows the reason."),
    }
    state = Refund.State(row.state)
    return ActionResult(texts[state] % {"amount": money(row.amount)}, is_done=state == Refund.State.SUCCEEDED)


def _refund_needs_approval(order: Order, data: Mapping[str, Any]) -> bool:
    return refund_needs_approval(order, data.get("amount", 0))


def _lock_lines_and_order(order: Order) -> Order:
    """Lock the order's deduction lines before the order, the lock order of refunds."""
    lock_refundable_lines(order.pk)
    return Order.objects.locked(order.pk)


def is_refundable(order: Order) -> bool:
    return is_owed(order) or order.state == Order.State.DEDUCTED


ROW_ACTIONS = [
    RowAction(
        "refund",
        Order,
        gettext_lazy("Refund order"),
        MONEY_GROUPS,
        _preview_refund,
        _refund,
        RefundForm,
        is_offered=is_refundable,
        posting_filter=postings_of_order,
        needs_approval=_refund_needs_approval,
        lock=_lock_lines_and_order,
        approvers=("finance", "supervisor"),
    ),
]
