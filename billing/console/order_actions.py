"""Row actions on an order: pause, resume, deduct now, write off."""

from collections.abc import Mapping
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
from credit.rules import dual_approval_threshold
from kernel.actor import Actor
from kernel.clock import now_in
from kernel.console_actions import ActionResult, ReasonForm, RowAction, StrOrPromise
from kernel.money import Money
from kernel.templatetags.formatting import money
from orders import services as orders
from orders.models import Obligation, Order, Pause
from orders.queries import OrderDetails
from orders.refusals import DeductionInFlight, OrderState

#: Labels of the pause reasons that staff can set. Outages are declared per channel on their own page.
PAUSE_REASONS: dict[str, StrOrPromise] = {
    Pause.Reason.PROBLEM: gettext_lazy("Customer reported a problem"),
    Pause.Reason.RETURN: gettext_lazy("Return in progress"),
    Pause.Reason.REFUND: gettext_lazy("Refund in progress"),
    Pause.Reason.HARDSHIP: gettext_lazy("Financial hardship"),
}
OUTCOME_MESSAGES: dict[str, StrOrPromise] = {
    Deduction.State.SUCCEEDED: gettext_lazy("Deducted."),
    Deduction.State.FAILED: gettext_lazy("Deduction failed: {code}."),
}
UNKNOWN_MESSAGE = gettext_lazy("The result is not known yet; we keep querying the channel.")


class PauseForm(ReasonForm):
    """The reason for a pause."""

    reason = forms.ChoiceField(label=gettext_lazy("Reason for pause"), choices=list(PAUSE_REASONS.items()))


class ResumeForm(ReasonForm):
    """The pause reason that has ended."""

    reason = forms.ChoiceField(label=gettext_lazy("Which reason has ended"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [
            (reason, PAUSE_REASONS[reason]) for reason in _open_pause_reasons(self.row) if reason in PAUSE_REASONS
        ]
        self.fields["reason"].choices = choices  # type: ignore[attr-defined]  # it is a choice


def _open_pause_reasons(order: Order) -> list[str]:
    return list(order.pauses.filter(ended_at__isnull=True).order_by("id").values_list("reason", flat=True))


def _require_unpaid(order: Order) -> OrderDetails:
    """The order with its obligations, if anything is owed.

    Raises:
        OrderState: nothing is owed.
    """
    details = OrderDetails(order, list(order.obligations.all()))
    if not details.owed:
        raise OrderState(_("Nothing is owed for this order."))
    return details


def _preview_pause(order: Order, at: datetime) -> StrOrPromise:
    del at
    details = _require_unpaid(order)
    text = _("%(owed)s is owed. While paused: no deductions, no late fees, no overdue days, no reminders.")
    more = _("The deduction in progress will complete.") if details.in_flight else ""
    return f"{text % {'owed': money(details.owed)}} {more}".strip()


def _pause(order_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    orders.pause_order(order_id, data["reason"], note=data["note"], by=by, at=at)
    return _("The order is paused.")


def _preview_resume(order: Order, at: datetime) -> StrOrPromise:
    del at
    reasons = _open_pause_reasons(order)
    if not [reason for reason in reasons if reason in PAUSE_REASONS]:
        raise OrderState(_("This order has no pause that you can end."))
    if len(reasons) > 1:
        return _("The order is paused for several reasons and resumes when the last one ends.")
    return _("The order resumes where it paused; every date moves back by the length of the pause.")


def _resume(order_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    orders.resume_order(order_id, data["reason"], note=data["note"], by=by, at=at)
    if Pause.objects.filter(order_id=order_id, ended_at__isnull=True).exists():
        return _("This reason has ended; another one still pauses the order.")
    return _("The order has resumed.")


def _preview_collect(order: Order, at: datetime) -> StrOrPromise:
    details = _require_unpaid(order)
    if _open_pause_reasons(order):
        raise OrderPaused
    if details.in_flight:
        raise DeductionInFlight
    if queries.collect_allowed_from(order.id, at=at):
        raise TooOften
    due = Money(
        sum(row.owed.minor for row in orders.collectable_obligations(order, details.obligations, at=at)), order.currency
    )
    usable = queries.instruments_of([order.person_id]).get(order.person_id, [])
    if not usable:
        raise NoInstrument
    text = _("Attempts to deduct %(owed)s from %(instrument)s now. The existing schedule does not change.")
    return text % {"owed": money(due), "instrument": usable[0].label}


def _collect(order_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> ActionResult:
    charge = pay.begin_collection(order_id, note=data["note"], by=by, at=at)
    return ActionResult(UNKNOWN_MESSAGE, lambda: _collection_result(charge()))


def _collection_result(deductions: list[Deduction]) -> ActionResult:
    texts = [str(OUTCOME_MESSAGES.get(row.state, UNKNOWN_MESSAGE)).format(code=row.failure_code) for row in deductions]
    return ActionResult(" ".join(texts), is_done=all(row.state == Deduction.State.SUCCEEDED for row in deductions))


def _preview_write_off(order: Order, at: datetime) -> StrOrPromise:
    del at
    lost = orders.write_off_candidates(order, list(order.obligations.all()))
    whose = (
        _("borne by the platform") if order.terms.is_advance else _("borne by the merchant, late fees by the platform")
    )
    text = _("%(lost)s will be written off, %(whose)s. It is no longer pursued; the customer can still pay it.")
    return text % {"lost": money(Money(sum(row.owed.minor for row in lost), order.currency)), "whose": whose}


def _write_off(order_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    orders.write_off(order_id, data["note"], by=by, at=at)
    return _("The debt has been written off.")


def postings_of_order(order: Order) -> Q:
    """A filter for the postings of an order."""
    return Q(order_id=order.pk)


def always_needs_approval(row: Any, data: Any) -> bool:
    """Require a second approval whatever the amount."""
    del row, data
    return True


def owes_late_fees(order: Order) -> bool:
    """Whether late fees of the order are owed."""
    fees = order.obligations.filter(kind=Obligation.Kind.LATE_FEE)
    return fees.filter(state__in=Obligation.OWED).exists()


def ending_needs_approval(order: Order, data: Any) -> bool:
    """Whether ending the order unpaid, or paid elsewhere, needs a second approval: it drops owed late fees like a
    waiver, or a large debt like a refund.
    """
    del data
    debts = order.obligations.filter(kind=Obligation.Kind.PRINCIPAL, state__in=Obligation.OWED)
    return owes_late_fees(order) or orders.removal_needs_approval(order, sum(row.owed.minor for row in debts))


def reduction_needs_approval(order: Order, data: Mapping[str, Any]) -> bool:
    """Whether reducing the total to that of the request needs a second approval, for the same reasons."""
    total_minor = data.get("total")
    if total_minor is None or order.total is None:
        return False
    if total_minor == 0 and owes_late_fees(order):
        return True
    return orders.removal_needs_approval(order, order.total.minor - total_minor)


def reduction_preview(order: Order) -> StrOrPromise:
    """What a reduction of the total means, as the page shows it before."""
    text = _(
        "Current total: %(total)s. Once reduced, it cannot be raised again. From %(most)s per order, two people are"
        " required."
    )
    most = Money(dual_approval_threshold(order.currency), order.currency)
    return text % {"total": money(order.total), "most": money(most)}


def is_owed(order: Order) -> bool:
    """Whether something may be owed, by the order's state."""
    return order.is_owed


def _is_due(order: Order) -> bool:
    return orders.is_collectable(order, list(order.obligations.all()), at=now_in(order.realm))


def _is_overdue(order: Order) -> bool:
    return bool(order.state == Order.State.OVERDUE)


def _is_resumable(order: Order) -> bool:
    return any(reason in PAUSE_REASONS for reason in _open_pause_reasons(order))


PAUSE_GROUPS, COLLECTION_GROUPS = ("collections", "support", "supervisor"), ("collections", "supervisor")
ROW_ACTIONS = [
    RowAction(
        "pause", Order, gettext_lazy("Pause order"), PAUSE_GROUPS, _preview_pause, _pause, PauseForm, is_offered=is_owed
    ),
    RowAction(
        "resume",
        Order,
        gettext_lazy("Resume order"),
        PAUSE_GROUPS,
        _preview_resume,
        _resume,
        ResumeForm,
        is_offered=_is_resumable,
    ),
    RowAction(
        "collect", Order, gettext_lazy("Deduct now"), COLLECTION_GROUPS, _preview_collect, _collect, is_offered=_is_due
    ),
    RowAction(
        "write_off",
        Order,
        gettext_lazy("Write off"),
        COLLECTION_GROUPS,
        _preview_write_off,
        _write_off,
        is_offered=_is_overdue,
        posting_filter=postings_of_order,
        needs_approval=always_needs_approval,
    ),
]
