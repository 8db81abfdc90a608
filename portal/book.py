"""What the book says of a merchant's own accounts."""

from dataclasses import dataclass

from billing.standing import standing_of
from kernel.money import Money
from merchants.models import Merchant


@dataclass(frozen=True, slots=True)
class Account:
    """What the book says of a merchant in one currency: what it is owed now, what later, and what it paid in fees."""

    currency: str
    payable: Money
    pending: Money
    held: Money
    fees: Money
    credited: Money


def accounts_of(merchant: Merchant) -> list[Account]:
    """The merchant's own accounts in the book."""
    return [Account(currency, *(Money(minor, currency) for minor in sums)) for currency, *sums in standing_of(merchant)]
