"""What each kind of case is called, and what to look at before it is closed."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext_lazy

from kernel.desk import Words


@dataclass(frozen=True, slots=True)
class Told:
    """A kind of case in words: what has happened, and what to look at before it is closed."""

    what: Words
    look: Words


_ASK_CHANNEL = gettext_lazy("Ask the channel which of its own movements this is, and what it does about it.")
_OF_PAID_BACK = gettext_lazy("Compare the person's other refunds; ask the channel whether it can call this one back.")
KINDS: Mapping[str, Told] = {
    "unknown_too_long": Told(
        gettext_lazy("Nobody has known for days how this ended"),
        gettext_lazy("Call the channel with the number. It closes by itself as soon as the outcome is known."),
    ),
    "taken_after_failure": Told(
        gettext_lazy("Money was taken after the channel had said that it was not"), _ASK_CHANNEL
    ),
    "taken_twice": Told(gettext_lazy("Money was taken a second time under one number"), _ASK_CHANNEL),
    "wrong_amount": Told(
        gettext_lazy("Another amount was taken than we asked for"),
        gettext_lazy("Until this is closed nothing else is taken for the debt. Closing it frees the debt again."),
    ),
    "declined_after_success": Told(
        gettext_lazy("The channel says now that it took nothing"),
        gettext_lazy("If that is true, say on the deduction's page that the channel took it back, then close this."),
    ),
    "refunded_twice": Told(gettext_lazy("A refund went back a second time"), _OF_PAID_BACK),
    "refunded_after_failure": Told(
        gettext_lazy("A refund went back after the channel had said that it did not"),
        gettext_lazy("The merchant had the money again when it failed; what left after all is the merchant's to bear."),
    ),
    "refund_of_wrong_amount": Told(
        gettext_lazy("Another amount went back than we asked for"),
        gettext_lazy(
            "Until this is closed the refund stays open. What really moved stands in the channel's statement."
        ),
    ),
    "declined_after_refund": Told(
        gettext_lazy("The channel says now that it gave nothing back"),
        gettext_lazy(
            "If that is true, the money is still there and the person's: put it into their stored value, or, where that"
            " cannot be, pay it to them by hand and say under which reference."
        ),
    ),
    "refund_given_up": Told(
        gettext_lazy("A refund came to nothing, and its person waits for it"),
        gettext_lazy(
            "It was sent again in vain, or their goods came back and their account is closed. Give it back once more on"
            " the order's page, and this closes by itself; else find another way with the merchant and the person."
        ),
    ),
    "paid_out_twice": Told(gettext_lazy("A merchant was paid a second time"), _ASK_CHANNEL),
    "paid_out_after_failure": Told(
        gettext_lazy("A payout arrived after the bank had said that it did not"),
        gettext_lazy(
            "It is the merchant's balance again meanwhile: what arrived after all is taken off their next settlement."
        ),
    ),
    "payout_of_wrong_amount": Told(
        gettext_lazy("Another amount was paid out than we asked for"),
        gettext_lazy("Until this is closed the payout stays open. What really moved stands in the bank's statement."),
    ),
    "declined_after_payout": Told(
        gettext_lazy("The bank says now that it paid nothing out"),
        gettext_lazy(
            "If that is true, the money is still there and the merchant's: it comes along in their next settlement."
        ),
    ),
    "taken_back_untaken": Told(gettext_lazy("A channel took back what it had never taken"), _ASK_CHANNEL),
    "taken_back_wrong_amount": Told(gettext_lazy("A channel took back another amount than is left"), _ASK_CHANNEL),
    "taken_back_same_number": Told(gettext_lazy("A channel took two debits back under one number"), _ASK_CHANNEL),
}
_UNNAMED = Told(gettext_lazy("A channel contradicts our book"), _ASK_CHANNEL)


def told_of(kind: str) -> Told:
    return KINDS.get(kind, _UNNAMED)
