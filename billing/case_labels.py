"""Titles of the kinds of cases, and advice on what to check before closing one."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext_lazy

from kernel.console_actions import StrOrPromise


@dataclass(frozen=True, slots=True)
class CaseLabel:
    """Texts for a kind of case: what has happened, and what to check before closing it."""

    title: StrOrPromise
    advice: StrOrPromise


_ASK_CHANNEL = gettext_lazy("Ask the channel which of its transactions this is and how it will handle it.")
_CHECK_OTHER_REFUNDS = gettext_lazy(
    "Check the customer's other refunds, and ask the channel whether it can recall this one."
)
CASE_LABELS: Mapping[str, CaseLabel] = {
    "unknown_too_long": CaseLabel(
        gettext_lazy("Result unknown for days"),
        gettext_lazy("Contact the channel with the number. The case closes automatically once the result is known."),
    ),
    "taken_after_failure": CaseLabel(gettext_lazy("Deducted after the channel reported no deduction"), _ASK_CHANNEL),
    "taken_twice": CaseLabel(gettext_lazy("Deducted twice under one number"), _ASK_CHANNEL),
    "wrong_amount": CaseLabel(
        gettext_lazy("Deducted amount differs from the request"),
        gettext_lazy("Nothing else is deducted for the debt until this case is closed."),
    ),
    "declined_after_success": CaseLabel(
        gettext_lazy("The channel now reports no deduction"),
        gettext_lazy("If that is true, record a dispute on the deduction's page, then close this case."),
    ),
    "refunded_twice": CaseLabel(gettext_lazy("Refunded twice"), _CHECK_OTHER_REFUNDS),
    "refunded_after_failure": CaseLabel(
        gettext_lazy("Refunded after the channel reported failure"),
        gettext_lazy(
            "The merchant was credited when the refund failed; since it was paid after all, the merchant bears it."
        ),
    ),
    "refund_of_wrong_amount": CaseLabel(
        gettext_lazy("Refunded amount differs from the request"),
        gettext_lazy(
            "The refund stays open until this case is closed. See the channel statement for the actual amount."
        ),
    ),
    "declined_after_refund": CaseLabel(
        gettext_lazy("The channel now reports no refund"),
        gettext_lazy(
            "If that is true, the money is still at the channel and belongs to the customer: move it to their"
            " wallet, or if that is not possible, pay it manually and record the reference."
        ),
    ),
    "refund_given_up": CaseLabel(
        gettext_lazy("Refund failed; the customer is waiting"),
        gettext_lazy(
            "Resending failed, or the goods came back and the account is closed. Refund again on the order's page"
            " and the case closes automatically; otherwise find another way with the merchant and the customer."
        ),
    ),
    "paid_out_twice": CaseLabel(gettext_lazy("Paid out twice"), _ASK_CHANNEL),
    "paid_out_after_failure": CaseLabel(
        gettext_lazy("Payout arrived after the bank reported failure"),
        gettext_lazy(
            "The amount had been credited back to the merchant; since it arrived, deduct it from their next settlement."
        ),
    ),
    "payout_of_wrong_amount": CaseLabel(
        gettext_lazy("Paid-out amount differs from the request"),
        gettext_lazy("The payout stays open until this case is closed. See the bank statement for the actual amount."),
    ),
    "declined_after_payout": CaseLabel(
        gettext_lazy("The bank now reports no payout"),
        gettext_lazy(
            "If that is true, the money is still at the bank and belongs to the merchant: it goes into their next"
            " settlement."
        ),
    ),
    "taken_back_untaken": CaseLabel(gettext_lazy("The channel returned a deduction it never made"), _ASK_CHANNEL),
    "taken_back_wrong_amount": CaseLabel(
        gettext_lazy("Returned amount differs from the remaining amount"), _ASK_CHANNEL
    ),
    "taken_back_same_number": CaseLabel(
        gettext_lazy("The channel returned two deductions under one number"), _ASK_CHANNEL
    ),
    "taken_back_one_of_two": CaseLabel(
        gettext_lazy("One of two deductions under one number was returned"),
        gettext_lazy(
            "If the channel has corrected its second deduction, close both cases as corrected. A further return opens"
            " a dispute."
        ),
    ),
    "other_amount_reported": CaseLabel(
        gettext_lazy("The channel now reports another amount"),
        gettext_lazy(
            "Ask the channel which amount is correct. If it is not ours, its statement will show the discrepancy."
        ),
    ),
}
_UNKNOWN_KIND = CaseLabel(gettext_lazy("The channel contradicts our ledger"), _ASK_CHANNEL)


def label_of_case(kind: str) -> CaseLabel:
    return CASE_LABELS.get(kind, _UNKNOWN_KIND)
