"""Money as whole minor units of one currency. Nothing here rounds implicitly."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

#: Decimal places of the minor unit (ISO 4217); two for all others.
EXPONENTS = {"JPY": 0, "KRW": 0, "VND": 0, "BHD": 3, "KWD": 3, "OMR": 3}
_OFFERED = (
    "AED AUD BHD BRL CAD CHF CNY DKK EUR GBP HKD IDR INR JPY KRW KWD KZT MOP MXN MYR NOK NZD OMR PHP PKR PLN RUB SAR"
    " SEK SGD THB TRY TWD USD VND ZAR"
)
#: Currencies that services may use. For each there is a credit limit (credit.rules.UNITS_PER_YUAN).
OFFERED_CURRENCIES = frozenset(_OFFERED.split())
#: The largest amount (minor units): far below 2^63, so that sums fit a bigint column.
AMOUNT_MINOR_MAX = 10**12
BPS = 10_000


class CurrencyMismatchError(ValueError):
    """Amounts of two currencies cannot be added."""


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount: `Money(1234, "CNY")` is ¥12.34."""

    minor: int
    currency: str = "CNY"

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units are whole numbers, not {self.minor!r}")

    def __add__(self, other: "Money") -> Self:
        self._require_same_currency(other)
        return type(self)(self.minor + other.minor, self.currency)

    def __sub__(self, other: "Money") -> Self:
        self._require_same_currency(other)
        return type(self)(self.minor - other.minor, self.currency)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __str__(self) -> str:
        places = EXPONENTS.get(self.currency, 2)
        sign, digits = ("-" if self.minor < 0 else ""), str(abs(self.minor)).rjust(places + 1, "0")
        whole, part = (digits[:-places], "." + digits[-places:]) if places else (digits, "")
        return f"{sign}{whole}{part} {self.currency}"

    def bps(self, share: int) -> Self:
        """`share` basis points of the amount, halves rounded away from zero: how fees are computed."""
        raw = abs(self.minor) * share
        rounded = (raw * 2 + BPS) // (2 * BPS)
        return type(self)(rounded if self.minor >= 0 else -rounded, self.currency)

    def split(self, weights: Sequence[int]) -> list[Self]:
        """Split in proportion to `weights`; the parts add up exactly, leftover units go to the largest remainders."""
        whole = sum(weights)
        if whole <= 0 or min(weights) < 0:
            raise ValueError("weights are not negative and not all zero")
        shares = [divmod(self.minor * weight, whole) for weight in weights]
        remainder = self.minor - sum(share for share, _ in shares)
        rounded_up = sorted(range(len(shares)), key=lambda i: -shares[i][1])[:remainder]
        return [type(self)(share + (i in rounded_up), self.currency) for i, (share, _) in enumerate(shares)]

    def _require_same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatchError(f"{self.currency} is not {other.currency}")


def sum_by_currency(amounts: Iterable[Money]) -> list[Money]:
    """The sum in each currency, sorted by currency."""
    sums = Counter[str]()
    for amount in amounts:
        sums[amount.currency] += amount.minor
    return [Money(minor, currency) for currency, minor in sorted(sums.items())]
