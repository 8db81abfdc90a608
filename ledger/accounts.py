"""The chart of accounts. An account is a code and, for accounts kept per owner, an owner."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from kernel.money import Money


class AccountKind(StrEnum):
    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"


class OwnerKind(StrEnum):
    PERSON = "person"
    MERCHANT = "merchant"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ChartEntry:
    """One account code of the chart."""

    kind: AccountKind
    owner: OwnerKind
    description: str


CHART = {
    "receivable": ChartEntry(AccountKind.ASSET, OwnerKind.PERSON, "what a person owes"),
    "pending": ChartEntry(AccountKind.LIABILITY, OwnerKind.MERCHANT, "owed to a merchant once the person has paid"),
    "payable": ChartEntry(AccountKind.LIABILITY, OwnerKind.MERCHANT, "owed to a merchant now"),
    "reserve": ChartEntry(AccountKind.LIABILITY, OwnerKind.MERCHANT, "owed to a merchant, and held back for some days"),
    "wallet": ChartEntry(AccountKind.LIABILITY, OwnerKind.PERSON, "stored value of a person"),
    "refund_due": ChartEntry(AccountKind.LIABILITY, OwnerKind.PERSON, "on its way back to a person"),
    "fees": ChartEntry(AccountKind.INCOME, OwnerKind.NONE, "service fees merchants pay"),
    "late_fees": ChartEntry(AccountKind.INCOME, OwnerKind.NONE, "late fees people pay"),
    "losses": ChartEntry(AccountKind.EXPENSE, OwnerKind.NONE, "debts written off"),
    "recoveries": ChartEntry(AccountKind.INCOME, OwnerKind.NONE, "money that came after a write-off"),
    "payouts": ChartEntry(AccountKind.LIABILITY, OwnerKind.NONE, "sent to merchants, not yet confirmed"),
    "suspense": ChartEntry(AccountKind.LIABILITY, OwnerKind.NONE, "money whose meaning is not yet clear"),
    "disputed": ChartEntry(AccountKind.ASSET, OwnerKind.NONE, "reversed by a channel, liability not yet decided"),
    "advances": ChartEntry(
        AccountKind.ASSET, OwnerKind.NONE, "refunded to people ahead of a return, liability not yet decided"
    ),
}
#: The time zone of ledger days.
LEDGER_TIMEZONE = "Asia/Shanghai"
#: Money at a channel: one account each, `clearing:sandbox`, `clearing:wallet` …
CLEARING_PREFIX = "clearing:"
CLEARING_ENTRY = ChartEntry(AccountKind.ASSET, OwnerKind.NONE, "money at a channel")


@dataclass(frozen=True, slots=True)
class Account:
    code: str
    owner: UUID | None = None

    def __post_init__(self) -> None:
        if (chart_entry(self.code).owner is OwnerKind.NONE) != (self.owner is None):
            raise ValueError(f"{self.code} {'has no' if self.owner else 'needs an'} owner")


@dataclass(frozen=True, slots=True)
class Move:
    """An amount from one account to another. It has both sides, so it is always balanced."""

    debit: Account
    credit: Account
    amount: Money


def chart_entry(code: str) -> ChartEntry:
    """The chart entry for an account code.

    Raises:
        KeyError: the chart has no such account.
    """
    if code.startswith(CLEARING_PREFIX) and len(code) > len(CLEARING_PREFIX):
        return CLEARING_ENTRY
    return CHART[code]


def receivable(person_id: UUID) -> Account:
    return Account("receivable", person_id)


def pending(merchant_id: UUID) -> Account:
    return Account("pending", merchant_id)


def payable(merchant_id: UUID) -> Account:
    return Account("payable", merchant_id)


def reserve(merchant_id: UUID) -> Account:
    return Account("reserve", merchant_id)


def wallet(person_id: UUID) -> Account:
    return Account("wallet", person_id)


def refund_due(person_id: UUID) -> Account:
    return Account("refund_due", person_id)


def clearing(channel: str) -> Account:
    return Account(CLEARING_PREFIX + channel)


FEES = Account("fees")
LATE_FEES = Account("late_fees")
LOSSES = Account("losses")
RECOVERIES = Account("recoveries")
PAYOUTS = Account("payouts")
SUSPENSE = Account("suspense")
DISPUTED = Account("disputed")
ADVANCES = Account("advances")
