"""Errors of requests about orders."""

from django.utils.translation import gettext_lazy as _

from kernel.refusal import Busy, Refusal

#: What an order's state is, as a sentence.
STATE_DETAILS = {
    "created": _("The order is created."),
    "open": _("The order is open."),
    "completed": _("The order is completed."),
    "overdue": _("The order is overdue."),
    "deducted": _("The order is deducted."),
    "cancelled": _("The order is cancelled."),
    "expired": _("The order is expired."),
}


class OrderNumberReused(Refusal):
    """`out_order_no` belongs to another order of this merchant."""

    code, title = "out_order_no_reused", _("This out_order_no was already used for an order with different parameters.")


class OrderRefused(Refusal):
    """The assessment refused the order. `detail` holds the coarse reason."""

    code, status, title = "order_refused", 402, _("The person cannot place this order right now.")


class AgreementNotActive(Refusal):
    """The person has not opened the service, or has stopped it."""

    code, title = "agreement_not_active", _("The person has not opened this service or has stopped new orders.")


class OrderState(Refusal):
    """The order's state does not allow this."""

    code, title = "order_state", _("The order's state does not allow this.")


def order_state_refusal(state: str) -> OrderState:
    """The refusal that says in which state the order is."""
    return OrderState(STATE_DETAILS[state])


class AboveCeiling(Refusal):
    """The amount exceeds the ceiling."""

    code, status, title = "above_ceiling", 422, _("The amount exceeds the agreed ceiling.")


class TotalInvalid(Refusal):
    """Items, discounts and total do not match."""

    code, status, title = "total_invalid", 422, _("The total does not equal the items minus the discounts.")


class EndsInFuture(Refusal):
    """The end of the service is in the future."""

    code, status, title = "ends_in_future", 422, _("The end time cannot be in the future.")


class TimesInvalid(Refusal):
    """Start, end and due time are inconsistent."""

    code, status, title = "times_invalid", 422, _("The start, end and due times are inconsistent.")


class WrongAmountField(Refusal):
    """A fixed service takes `amount`, a dynamic one `ceiling`."""

    code, status, title = (
        "wrong_amount_field",
        422,
        _("Wrong field for this service: a fixed service takes amount, a dynamic one takes ceiling."),
    )


class CurrencyMismatch(Refusal):
    """The service is offered in another currency."""

    code, status, title = "currency_mismatch", 422, _("The service uses a different currency.")
    field = "/currency"


class TotalRaised(Refusal):
    """After completion the total can only be reduced."""

    code, status, title = "total_raised", 422, _("After completion the total can only be reduced.")
    field = "/total"


class AlreadyCollected(Refusal):
    """Money was already collected for this order."""

    code, title = "already_collected", _("Money has already been collected for this order.")


class PaidElsewhere(Refusal):
    """The person paid the merchant directly, so nothing can be refunded through us."""

    code, title = "paid_elsewhere", _("This order was not paid through the platform; refund it the way it was paid.")


class WrittenOff(Refusal):
    """The debt was written off; only a payment can change it now."""

    code, title = "written_off", _("This debt was written off; it can only be paid.")


class DeductionInFlight(Busy):
    """A deduction is in progress; what is owed cannot change until its outcome is known."""

    code, title = "deduction_in_flight", _("A deduction is in progress; try again when its result is known.")


class ReportOpen(Refusal):
    """An order can have one open report at a time."""

    code, title = "report_open", _("You have already reported a problem with this order. We are looking into it.")


class ReportTooLate(Refusal):
    """The order ended too long ago, or never began."""

    code, title = (
        "report_too_late",
        _("This order has not started, or ended too long ago, so a problem can no longer be reported."),
    )


class ReportedOften(Refusal):
    """The maximum number of reports for this order was reached."""

    code, title = (
        "reported_often",
        _("The maximum number of problem reports for this order has been reached; all were answered."),
    )


class ConcernClosed(Refusal):
    """It was decided or withdrawn."""

    code, title = "concern_closed", _("This request is already closed.")


class ConcernOpen(Refusal):
    """The same request is already open."""

    code, title = "concern_open", _("You have already submitted this request. It is under review.")


class TooManyMessages(Refusal):
    """The other side has not answered yet."""

    code, status, title = "too_many_messages", 429, _("Please wait for a reply. Everything you wrote has been saved.")
    is_transient = True


class NothingToReschedule(Refusal):
    """Nothing is owed that could be put on a plan."""

    code, title = (
        "nothing_to_ease",
        _("Nothing can be put on a payment plan right now."),
    )


class PlanUnavailable(Refusal):
    """The plan is not among the offered ones, or longer than anybody may grant."""

    code, status, title = "cannot_ease", 422, _("This plan is not available. Choose another one or apply to us.")


class DebtChanged(Refusal):
    """The amount owed is not the one the plan was chosen for."""

    code, title = "debt_changed", _("The amount due has changed. Review the new amounts and choose again.")


class PlanAgreed(Refusal):
    """The order is on a hardship plan; nothing is deducted before its dates."""

    code, title = "plan_agreed", _("The person is on an agreed payment plan; nothing is deducted before its dates.")


class NotDueYet(Refusal):
    """Before the due date only the person can start a deduction."""

    code, title = "not_due_yet", _("This order is not due yet. It is deducted automatically on its due date.")


class DayChosen(Refusal):
    """The person chose a later day; before it only the person can start a deduction."""

    code, title = "day_chosen", _("The person chose a later day for this deduction. It is deducted on that day.")


class PaidByHand(Refusal):
    """After a returned deduction or a rejected return only the person can pay."""

    code, title = (
        "paid_by_hand",
        _("This amount is due after a bank return or a rejected return; only the person can pay it."),
    )


class NotObjectionable(Refusal):
    """Only a refusal can be objected to, and only once unless the objection is withdrawn."""

    code, title = "not_objectionable", _("No objection can be raised to this decision, or one was already raised.")
