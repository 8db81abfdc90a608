"""A merchant's balances in the ledger."""

from dataclasses import dataclass

from billing.merchant_balances import merchant_balances
from kernel.money import Money
from merchants.models import Merchant


@dataclass(frozen=True, slots=True)
class MerchantBalance:
    """A merchant's balances in one currency: payable now, pending, held in reserve, fees paid and total credited."""

    currency: str
    payable: Money
    pending: Money
    held: Money
    fees: Money
    credited: Money


def balances_of(merchant: Merchant) -> list[MerchantBalance]:
    """The merchant's balances, one for each currency."""
    return [
        MerchantBalance(currency, *(Money(minor, currency) for minor in sums))
        for currency, *sums in merchant_balances(merchant)
    ]
