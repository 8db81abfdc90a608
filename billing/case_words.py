"""What each kind of case is called, and what to look at before it is closed."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext_lazy

from kernel.console_actions import Words


@dataclass(frozen=True, slots=True)
class Told:
    """A kind of case in words: what has happened, and what to look at before it is closed."""

    what: Words
    look: Words


_ASK_CHANNEL = gettext_lazy("Ask the channel which of its transactions this is and how it will handle it.")
_OF_PAID_BACK = gettext_lazy("Check the customer's other refunds, and ask the channel whether it can recall this one.")
KINDS: Mapping[str, Told] = {
    "unknown_too_long": Told(
        gettext_lazy("Result unknown for days"),
        gettext_lazy("Contact the channel with the number. The case closes automatically once the result is known."),
    ),
    "taken_after_failure": Told(gettext_lazy("Deducted after the channel reported no deduction"), _ASK_CHANNEL),
    "taken_twice": Told(gettext_lazy("Deducted twice under one number"), _ASK_CHANNEL),
    "wrong_amount": Told(
        gettext_lazy("Deducted amount differs from the request"),
        gettext_lazy("Nothing else is deducted for the debt until this case is closed."),
    ),
    "declined_after_success": Told(
        gettext_lazy("The channel now reports no deduction"),
        gettext_lazy("If that is true, record a dispute on the deduction's page, then close this case."),
    ),
    "refunded_twice": Told(gettext_lazy("Refunded twice"), _OF_PAID_BACK),
    "refunded_after_failure": Told(
        gettext_lazy("Refunded after the channel reported failure"),
        gettext_lazy(
            "The merchant was credited when the refund failed; since it was paid after all, the merchant bears it."
        ),
    ),
    "refund_of_wrong_amount": Told(
        gettext_lazy("Refunded amount differs from the request"),
        gettext_lazy(
            "The refund stays open until this case is closed. See the channel statement for the actual amount."
        ),
    ),
    "declined_after_refund": Told(
        gettext_lazy("The channel now reports no refund"),
        gettext_lazy(
            "If that is true, the money is still at the channel and belongs to the customer: move it to their"
            " wallet, or if that is not possible, pay it manually and record the reference."
        ),
    ),
    "refund_given_up": Told(
        gettext_lazy("Refund failed; the customer is waiting"),
        gettext_lazy(
            "Resending failed, or the goods came back and the account is closed. Refund again on the order's page"
            " and the case closes automatically; otherwise find another way with the merchant and the customer."
        ),
    ),
    "paid_out_twice": Told(gettext_lazy("Paid out twice"), _ASK_CHANNEL),
    "paid_out_after_failure": Told(
        gettext_lazy("Payout arrived after the bank reported failure"),
        gettext_lazy(
            "The amount had been credited back to the merchant; since it arrived, deduct it from their next settlement."
        ),
    ),
    "payout_of_wrong_amount": Told(
        gettext_lazy("Paid-out amount differs from the request"),
        gettext_lazy("The payout stays open until this case is closed. See the bank statement for the actual amount."),
    ),
    "declined_after_payout": Told(
        gettext_lazy("The bank now reports no payout"),
        gettext_lazy(
            "If that is true, the money is still at the bank and belongs to the merchant: it goes into their next"
            " settlement."
        ),
    ),
    "taken_back_untaken": Told(gettext_lazy("The channel returned a deduction it never made"), _ASK_CHANNEL),
    "taken_back_wrong_amount": Told(gettext_lazy("Returned amount differs from the remaining amount"), _ASK_CHANNEL),
    "taken_back_same_number": Told(gettext_lazy("The channel returned two deductions under one number"), _ASK_CHANNEL),
}
_UNNAMED = Told(gettext_lazy("The channel contradicts our ledger"), _ASK_CHANNEL)


def told_of(kind: str) -> Told:
    return KINDS.get(kind, _UNNAMED)
