"""The chart of accounts, as code. An account is a code and, where it has one, an owner."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from kernel.money import Money


class Kind(StrEnum):
    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"


class Owner(StrEnum):
    PERSON = "person"
    MERCHANT = "merchant"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the chart."""

    kind: Kind
    owner: Owner
    holds: str


CHART = {
    "receivable": Entry(Kind.ASSET, Owner.PERSON, "what a person owes"),
    "pending": Entry(Kind.LIABILITY, Owner.MERCHANT, "owed to a merchant once the person has paid"),
    "payable": Entry(Kind.LIABILITY, Owner.MERCHANT, "owed to a merchant now"),
    "reserve": Entry(Kind.LIABILITY, Owner.MERCHANT, "owed to a merchant, and held back for some days"),
    "wallet": Entry(Kind.LIABILITY, Owner.PERSON, "stored value of a person"),
    "refund_due": Entry(Kind.LIABILITY, Owner.PERSON, "on its way back to a person"),
    "fees": Entry(Kind.INCOME, Owner.NONE, "service fees merchants pay"),
    "late_fees": Entry(Kind.INCOME, Owner.NONE, "late fees people pay"),
    "losses": Entry(Kind.EXPENSE, Owner.NONE, "debts written off"),
    "recoveries": Entry(Kind.INCOME, Owner.NONE, "money that came after a write-off"),
    "payouts": Entry(Kind.LIABILITY, Owner.NONE, "sent to merchants, not yet confirmed"),
    "suspense": Entry(Kind.LIABILITY, Owner.NONE, "money whose meaning is not yet clear"),
    "disputed": Entry(Kind.ASSET, Owner.NONE, "taken back by a channel, and not yet borne by anybody"),
    "advances": Entry(Kind.ASSET, Owner.NONE, "given back to people ahead of a return, and not yet borne by anybody"),
}
#: In which zone the days of the book begin and end.
ZONE = "Asia/Shanghai"
#: Money at a channel: one account each, `clearing:sandbox`, `clearing:wallet` …
CLEARING = "clearing:"
CLEARING_ENTRY = Entry(Kind.ASSET, Owner.NONE, "money at a channel")


@dataclass(frozen=True, slots=True)
class Account:
    code: str
    owner: UUID | None = None

    def __post_init__(self) -> None:
        if (entry(self.code).owner is Owner.NONE) != (self.owner is None):
            raise ValueError(f"{self.code} {'has no' if self.owner else 'needs an'} owner")


@dataclass(frozen=True, slots=True)
class Move:
    """An amount from one account to another: it names both sides, so it cannot be out of balance."""

    debit: Account
    credit: Account
    amount: Money


def entry(code: str) -> Entry:
    """The chart's line for an account code.

    Raises:
        KeyError: the chart has no such account.
    """
    if code.startswith(CLEARING) and len(code) > len(CLEARING):
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
    return Account(CLEARING + channel)


FEES = Account("fees")
LATE_FEES = Account("late_fees")
LOSSES = Account("losses")
RECOVERIES = Account("recoveries")
PAYOUTS = Account("payouts")
SUSPENSE = Account("suspense")
DISPUTED = Account("disputed")
ADVANCES = Account("advances")
