"""Names of ledger accounts for people."""

from django.utils.translation import gettext_lazy as _

from kernel.console_actions import StrOrPromise
from kernel.labels import POSTING_KIND, register_codes
from ledger.posting_kinds import POSTING_KINDS

ACCOUNT_NAMES: dict[str, StrOrPromise] = {
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
register_codes(POSTING_KINDS, POSTING_KIND)
CHANNEL_BALANCE_NAME = _("Balance at channels")


def account_name(code: str) -> StrOrPromise:
    """The account's name; clearing accounts of all channels share one."""
    return ACCOUNT_NAMES.get(code, CHANNEL_BALANCE_NAME)
