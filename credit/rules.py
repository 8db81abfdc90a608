"""Credit assessment: score bands, limits, and the reasons for a refusal. Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from kernel.money import EXPONENTS, Money

#: The version of these rules, stored with every decision.
POLICY = "2026-11"
SCORE_LOWEST, SCORE_HIGHEST, INITIAL_SCORE = 350, 950, 650
#: How many orders of all merchants a person may have open at a time.
OPEN_ORDERS_MAX = 20
#: Score bands: minimum score, name, and the first policy's limit (minor units). The minimums are published; a policy
#: version sets the limits.
BANDS = ((350, "D", 0), (550, "C", 100_000), (600, "B", 500_000), (700, "A", 1_000_000), (800, "S", 2_000_000))
#: The maximum limit that staff can set.
LIMIT_MAX_MINOR = 10_000_000
#: Dual approval threshold in fen. In another currency: what a credit limit of this amount would be there.
DUAL_APPROVAL_MINOR = 100_000
#: Units of other currencies per yuan, used to convert limits. Deliberately coarse and the same for everybody: a limit
#: is converted once, amounts are never exchanged or summed.
UNITS_PER_YUAN: Mapping[str, Fraction] = {
    code: Fraction(units)
    for units, codes in {
        "1/20": "BHD KWD OMR",
        "1/10": "GBP",
        "1/8": "CHF EUR",
        "1/7": "USD",
        "1/5": "AUD CAD NZD SGD",
        "1/2": "AED BRL MYR PLN SAR",
        "1": "CNY DKK HKD MOP NOK SEK",
        "2": "MXN ZAR",
        "4": "THB TRY TWD",
        "5": "PHP",
        "10": "INR RUB",
        "20": "JPY",
        "40": "PKR",
        "60": "KZT",
        "200": "KRW",
        "2000": "IDR",
        "3000": "VND",
    }.items()
    for code in codes.split()
}
#: Days without anything overdue, or since registration, after which a dimension is at 100.
DAYS_FULL = 365
SCORE_STEP = {"kept": 2, "unkept": -2, "breached": -40, "righted": 40, "cleared": 10, "uncleared": -10}
#: Score steps that reverse an earlier step of the same order.
REVERSES = {"unkept": "kept", "righted": "breached", "uncleared": "cleared"}


class Reason(StrEnum):
    """Why a person was refused. The person sees the reason; the merchant only a coarse one."""

    NOT_VERIFIED = "identity_not_verified"
    OVERDUE = "something_is_overdue"
    SCORE = "score_below_gate"
    LIMIT = "limit_reached"
    TOO_MANY_OPEN = "too_many_open_orders"
    NO_CREDIT = "no_credit_in_this_band"
    FROZEN = "credit_frozen"
    PLAN = "hardship_plan"


#: The reasons merchants may see: not eligible, or this amount or number of orders is too high.
COARSE_REASONS = {Reason.LIMIT: "amount_too_high", Reason.TOO_MANY_OPEN: "too_many_orders"}


@dataclass(frozen=True, slots=True)
class LimitTerms:
    """The terms of a limit policy: the limit of each band, and how limits are reviewed."""

    #: By band, in hundredths of a yuan.
    limits: Mapping[str, int] = field(default_factory=lambda: {name: limit for _, name, limit in BANDS})
    open_orders_max: int = OPEN_ORDERS_MAX
    #: The review interval in days; and whether reviews may raise limits.
    review_days: int = 30
    raises: bool = True

    def limit_of(self, score: int, currency: str = "CNY") -> int:
        """The limit at this score in a currency (minor units); zero in a currency that is not offered."""
        return limit_in_currency(self.limits[band_of(score)], currency)

    def review_after(self, at: datetime) -> datetime:
        """When a limit set or reviewed now is reviewed next."""
        return at + timedelta(days=self.review_days)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything an assessment is based on; stored with the decision."""

    verified: bool
    score: int
    score_min: int
    limit_minor: int
    used_minor: int
    asked_minor: int
    overdue_orders: int
    open_orders: int
    frozen: bool = False
    eased_orders: int = 0
    open_orders_max: int = OPEN_ORDERS_MAX


@dataclass(frozen=True, slots=True)
class Verdict:
    approved: bool
    reasons: tuple[Reason, ...] = field(default=())

    @property
    def coarse_reason(self) -> str:
        """The reason given to the merchant."""
        words = {COARSE_REASONS.get(reason, "not_eligible") for reason in self.reasons}
        return "not_eligible" if "not_eligible" in words else min(words, default="")


def assess(facts: Facts) -> Verdict:
    """Assess whether the person may owe this much more. Collects every reason against it, not only the first."""
    checks = (
        (not facts.verified, Reason.NOT_VERIFIED),
        (facts.frozen, Reason.FROZEN),
        (facts.overdue_orders > 0, Reason.OVERDUE),
        (facts.eased_orders > 0, Reason.PLAN),
        (facts.limit_minor == 0, Reason.NO_CREDIT),
        (facts.score < facts.score_min, Reason.SCORE),
        (facts.open_orders >= facts.open_orders_max, Reason.TOO_MANY_OPEN),
        (facts.limit_minor > 0 and facts.used_minor + facts.asked_minor > facts.limit_minor, Reason.LIMIT),
    )
    reasons = tuple(reason for failed, reason in checks if failed)
    return Verdict(approved=not reasons, reasons=reasons)


def band_of(score: int) -> str:
    return next(name for floor, name, _ in reversed(BANDS) if score >= floor)


def limit_of(score: int, currency: str = "CNY") -> int:
    """The limit under the first version of the policy."""
    return LimitTerms().limit_of(score, currency)


def limit_after_review(current_minor: int, target_minor: int, *, may_rise: bool) -> int:
    """The limit after a review: it always follows the score down, and up only if it may rise."""
    return target_minor if may_rise else min(current_minor, target_minor)


def limit_in_currency(fen: int, currency: str) -> int:
    """A limit in hundredths of a yuan, converted to another currency's minor units and rounded down."""
    return convert_limit(fen, "CNY", currency)


def dual_approval_threshold(currency: str) -> int:
    """The amount of a currency from which dual approval is required (minor units)."""
    return limit_in_currency(DUAL_APPROVAL_MINOR, currency)


def needs_dual_approval(amount: Money) -> bool:
    """Whether a decision about this amount requires dual approval."""
    return amount.minor >= dual_approval_threshold(amount.currency)


def convert_limit(minor: int, currency: str, into: str) -> int:
    """A limit converted from one currency to another by UNITS_PER_YUAN, in minor units and rounded down."""
    if currency not in UNITS_PER_YUAN:
        return 0
    places = EXPONENTS.get(into, 2) - EXPONENTS.get(currency, 2)
    return int(minor * UNITS_PER_YUAN.get(into, Fraction()) / UNITS_PER_YUAN[currency] * Fraction(10) ** places)


def clamp_score(score: int) -> int:
    """The score within its bounds."""
    return max(SCORE_LOWEST, min(SCORE_HIGHEST, score))


@dataclass(frozen=True, slots=True)
class CreditRecord:
    """The stored facts that explain a person's score and limit."""

    verified: bool
    kept: int
    breached: int
    overdue: int
    days_since_overdue: int | None
    days_known: int
    limit_minor: int
    used_minor: int


@dataclass(frozen=True, slots=True)
class Dimension:
    """One aspect of a person's record, from 0 to 100; `moves`: what it affects: the score, decisions, or nothing."""

    name: str
    level: int
    moves: str


def dimensions(record: CreditRecord) -> list[Dimension]:
    """Five aspects that explain the record. Only promises kept and breached change the score itself."""
    ended_orders = record.kept + record.breached
    calm_days = DAYS_FULL if record.days_since_overdue is None else min(record.days_since_overdue, DAYS_FULL)
    free = record.limit_minor - record.used_minor
    return [
        Dimension("kept", 100 * record.kept // ended_orders if ended_orders else 0, "score"),
        Dimension("calm", 0 if record.overdue else 100 * calm_days // DAYS_FULL, ""),
        Dimension("identity", 100 if record.verified else 0, "decision"),
        Dimension("use", max(0, 100 * free // record.limit_minor) if record.limit_minor else 0, "decision"),
        Dimension("time", 100 * min(record.days_known, DAYS_FULL) // DAYS_FULL, ""),
    ]


def missing_minor(facts: Mapping[str, int]) -> int:
    """How much less would have to be in use for these facts to fit the limit."""
    return max(0, facts["used_minor"] + facts["asked_minor"] - facts["limit_minor"])


def missing_promises(facts: Mapping[str, int]) -> int:
    """How many more promises kept would raise the score to the service's minimum."""
    return max(0, -(-(facts["score_min"] - facts["score"]) // SCORE_STEP["kept"]))
