"""What accounts of the book are called for people."""

from django.utils.translation import gettext_lazy as _

from kernel.desk import Words
from kernel.naming import POSTED, name_codes
from ledger.postings import KINDS

NAMES: dict[str, Words] = {
    "receivable": _("Owed by people"),
    "pending": _("Owed to merchants once people have paid"),
    "payable": _("Owed to merchants now"),
    "reserve": _("Held back from merchants"),
    "wallet": _("People's wallets"),
    "refund_due": _("On its way back to people"),
    "fees": _("Service fees"),
    "late_fees": _("Late-fee income"),
    "losses": _("Losses"),
    "recoveries": _("Recoveries"),
    "payouts": _("On its way to merchants"),
    "suspense": _("Suspense"),
    "disputed": _("Taken back by channels, not borne yet"),
    "advances": _("Given back ahead of returns, not borne yet"),
}
name_codes(KINDS, POSTED)
AT_CHANNEL = _("Money at a channel")


def name_of(code: str) -> Words:
    """What an account is called there, whatever channel it is at."""
    return NAMES.get(code, AT_CHANNEL)
