"""What may be wrong with asking for something of an order."""

from django.utils.translation import gettext_lazy as _

from kernel.refusal import Busy, Refusal


class OrderNumberReused(Refusal):
    """`out_order_no` names another order of this merchant."""

    code, title = "out_order_no_reused", _("This out_order_no belongs to an order with other parameters.")


class OrderRefused(Refusal):
    """The assessment went against the person. `detail` carries the coarse reason."""

    code, status, title = "order_refused", 402, _("The person cannot place this order now.")


class AgreementNotActive(Refusal):
    """The person has not opened the service, or has stopped it."""

    code, title = "agreement_not_active", _("The person has not opened this service, or has stopped new orders.")


class OrderState(Refusal):
    """The order is in a state in which this cannot be done."""

    code, title = "order_state", _("The order's state does not allow this.")


class AboveCeiling(Refusal):
    """More than the person agreed to."""

    code, status, title = "above_ceiling", 422, _("The amount is above what was agreed.")


class TotalInvalid(Refusal):
    """Items, discounts and total do not fit."""

    code, status, title = "total_invalid", 422, _("The total does not follow from the items and discounts.")


class EndsInFuture(Refusal):
    """A service cannot have ended later than now."""

    code, status, title = "ends_in_future", 422, _("The service cannot have ended in the future.")


class TimesInvalid(Refusal):
    """Start, end and due time do not fit."""

    code, status, title = "times_invalid", 422, _("The times do not fit together.")


class WrongAmountField(Refusal):
    """A fixed service takes `amount`, a dynamic one `ceiling`."""

    code, status, title = "wrong_amount_field", 422, _("This service takes the other of amount and ceiling.")


class CurrencyMismatch(Refusal):
    """The service is offered in another currency."""

    code, status, title = "currency_mismatch", 422, _("The service is offered in another currency.")
    field = "/currency"


class TotalRaised(Refusal):
    """After completion a total only goes down."""

    code, status, title = "total_raised", 422, _("After completion the total can only be lowered.")
    field = "/total"


class AlreadyCollected(Refusal):
    """Money was taken for this order already."""

    code, title = "already_collected", _("Money was collected for this order already.")


class PaidElsewhere(Refusal):
    """The person paid the merchant directly: there is nothing with us that could go back."""

    code, title = "paid_elsewhere", _("This order was not paid through us: give it back the way it was paid.")


class WrittenOff(Refusal):
    """The debt was given up as lost; only a payment can change it now."""

    code, title = "written_off", _("This debt was written off; only a payment can change it now.")


class DeductionInFlight(Busy):
    """A deduction is under way; what is owed cannot change until its outcome is known."""

    code, title = "deduction_in_flight", _("A deduction is under way; try again when its outcome is known.")


class ReportOpen(Refusal):
    """One order has one open report at a time."""

    code, title = "report_open", _("You have reported a problem with this order already; it is being looked into.")


class ReportTooLate(Refusal):
    """The order ended too long ago, or never began."""

    code, title = (
        "report_too_late",
        _("This order never began or ended too long ago to report a problem with it."),
    )


class ReportedOften(Refusal):
    """Problems with this order were reported, and answered, often enough."""

    code, title = "reported_often", _("Problems with this order were reported often enough, and each was answered.")


class ConcernClosed(Refusal):
    """It was decided or withdrawn; nothing more is said about it."""

    code, title = "concern_closed", _("This has been closed meanwhile.")


class ConcernOpen(Refusal):
    """The same question waits for an answer."""

    code, title = "concern_open", _("You have asked this already, and it is being looked into.")


class TooManyMessages(Refusal):
    """The other side has not answered yet."""

    code, status, title = "too_many_messages", 429, _("Please wait until you are answered; nothing you wrote is lost.")
    passing = True


class NothingToEase(Refusal):
    """Nothing is owed that a plan could be made for."""

    code, title = (
        "nothing_to_ease",
        _("There is nothing a plan can be made for at the moment."),
    )


class CannotEase(Refusal):
    """The plan is not among those that are granted by themselves, or can be granted at all."""

    code, status, title = "cannot_ease", 422, _("This plan is not one of those offered. Choose another, or ask us.")


class DebtChanged(Refusal):
    """What the plan was chosen for is not what is owed now."""

    code, title = "debt_changed", _("What you owe has changed meanwhile. Look at the new amounts and choose again.")


class PlanAgreed(Refusal):
    """A hardship plan is being kept: nothing is asked for before its dates."""

    code, title = "plan_agreed", _("The person pays by a plan that was agreed; nothing is collected before its dates.")


class NotDueYet(Refusal):
    """The person was told a day: before it nobody has it debited but they themselves."""

    code, title = "not_due_yet", _("Nothing of this order is due yet. It is deducted on its day.")


class DayChosen(Refusal):
    """The person was told another day when they chose it: until then nobody but they themselves has it debited."""

    code, title = "day_chosen", _("The person chose a later day for this deduction. It is deducted on that day.")


class PaidByHand(Refusal):
    """A channel took it back, or a return did not stand: nobody but the person has it debited again."""

    code, title = (
        "paid_by_hand",
        _("A bank took this back, or a return did not stand: only the person themselves can have it debited."),
    )


class NotObjectionable(Refusal):
    """Only a refusal can be objected to, and only once."""

    code, title = "not_objectionable", _("This decision cannot be objected to, or was already.")
