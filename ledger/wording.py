"""What accounts of the book are called for people."""

from django.utils.translation import gettext_lazy as _

from kernel.console_actions import Words
from kernel.naming import POSTED, name_codes
from ledger.postings import KINDS

NAMES: dict[str, Words] = {
    "receivable": _("Receivable from customers"),
    "pending": _("Pending payable to merchants"),
    "payable": _("Payable to merchants"),
    "reserve": _("Merchant reserve"),
    "wallet": _("Customer wallets"),
    "refund_due": _("Refunds in transit"),
    "fees": _("Merchant fees"),
    "late_fees": _("Late-fee income"),
    "losses": _("Credit losses"),
    "recoveries": _("Recoveries"),
    "payouts": _("Payouts in transit"),
    "suspense": _("Suspense"),
    "disputed": _("Disputed, not yet allocated"),
    "advances": _("Early refunds, not yet allocated"),
}
name_codes(KINDS, POSTED)
AT_CHANNEL = _("Balance at channels")


def name_of(code: str) -> Words:
    """What an account is called there, whatever channel it is at."""
    return NAMES.get(code, AT_CHANNEL)
