"""Who may owe, and how much. Pure: facts in, a verdict with its reasons out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from kernel.money import EXPONENTS

#: Which rules judged: written beside every decision.
POLICY = "2026-11"
SCORE_LOWEST, SCORE_HIGHEST, SCORE_FIRST = 350, 950, 650
#: A person may have this many orders of all merchants going at once.
OPEN_ORDERS_MAX = 20
#: From this score up a person is in this band, and as the first policy has it this much may be owed at once (minor
#: units). The floors are the published scale of the score; the amounts are what a version of the policy says.
BANDS = ((350, "D", 0), (550, "C", 100_000), (600, "B", 500_000), (700, "A", 1_000_000), (800, "S", 2_000_000))
#: No colleagues set a limit higher.
LIMIT_MOST_MINOR = 10_000_000
#: What the bands' yuan come to in whole units of other currencies: coarse, the same for everybody, and no rate: by it a
#: limit is chosen once, and nothing is ever exchanged or summed.
YUAN_IN: Mapping[str, Fraction] = {
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
#: After so many days without a broken promise, or known to us, a dimension is full.
DAYS_FULL = 365
SCORE_STEP = {"kept": 2, "breached": -40, "righted": 40, "cleared": 10, "uncleared": -10}
#: Which step of the same order's each of these takes back.
UNDOES = {"righted": "breached", "uncleared": "cleared"}


class Reason(StrEnum):
    """Why a person was refused. The person is told it; the merchant hears only a coarse word."""

    NOT_VERIFIED = "identity_not_verified"
    OVERDUE = "something_is_overdue"
    SCORE = "score_below_gate"
    LIMIT = "limit_reached"
    TOO_MANY_OPEN = "too_many_open_orders"
    NO_CREDIT = "no_credit_in_this_band"
    FROZEN = "credit_frozen"
    PLAN = "hardship_plan"


#: What a merchant may know: that the person cannot now, or that this amount is too much.
COARSE = {Reason.LIMIT: "amount_too_high", Reason.TOO_MANY_OPEN: "too_many_orders"}


@dataclass(frozen=True, slots=True)
class Grades:
    """What a version of the policy of limits says: how much each band may owe at once, and when that is looked at."""

    #: By band, in hundredths of a yuan.
    limits: Mapping[str, int] = field(default_factory=lambda: {name: limit for _, name, limit in BANDS})
    open_orders_max: int = OPEN_ORDERS_MAX
    #: Every so many days a limit follows its person's score; whether upwards, too.
    review_days: int = 30
    raises: bool = True

    def limit_of(self, score: int, currency: str = "CNY") -> int:
        """How much of a currency may be owed at once at this score (minor units); nothing of one not offered."""
        return in_currency(self.limits[band_of(score)], currency)

    def review_after(self, at: datetime) -> datetime:
        """When a limit that was set or looked at now is looked at next."""
        return at + timedelta(days=self.review_days)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything an assessment looks at; kept with the decision."""

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
    def coarse(self) -> str:
        """The one word a merchant hears."""
        words = {COARSE.get(reason, "not_eligible") for reason in self.reasons}
        return "not_eligible" if "not_eligible" in words else min(words, default="")


def assess(facts: Facts) -> Verdict:
    """May this person owe this much more? Every reason against it is named, not only the first."""
    against = (
        (not facts.verified, Reason.NOT_VERIFIED),
        (facts.frozen, Reason.FROZEN),
        (facts.overdue_orders > 0, Reason.OVERDUE),
        (facts.eased_orders > 0, Reason.PLAN),
        (facts.limit_minor == 0, Reason.NO_CREDIT),
        (facts.score < facts.score_min, Reason.SCORE),
        (facts.open_orders >= facts.open_orders_max, Reason.TOO_MANY_OPEN),
        (facts.limit_minor > 0 and facts.used_minor + facts.asked_minor > facts.limit_minor, Reason.LIMIT),
    )
    reasons = tuple(reason for holds, reason in against if holds)
    return Verdict(approved=not reasons, reasons=reasons)


def band_of(score: int) -> str:
    return next(name for floor, name, _ in reversed(BANDS) if score >= floor)


def limit_of(score: int, currency: str = "CNY") -> int:
    """The same by the policy's first version."""
    return Grades().limit_of(score, currency)


def reviewed(now_minor: int, wanted_minor: int, *, may_rise: bool) -> int:
    """What a limit comes to when it is looked at: down with the score always, up where nothing speaks against it."""
    return wanted_minor if may_rise else min(now_minor, wanted_minor)


def in_currency(fen: int, currency: str) -> int:
    """The limit of so many hundredths of a yuan, in another currency's minor units and rounded down."""
    return carried(fen, "CNY", currency)


def carried(minor: int, currency: str, into: str) -> int:
    """A limit of so much in one currency, said in another's minor units by the same table and rounded down."""
    if currency not in YUAN_IN:
        return 0
    places = EXPONENTS.get(into, 2) - EXPONENTS.get(currency, 2)
    return int(minor * YUAN_IN.get(into, Fraction()) / YUAN_IN[currency] * Fraction(10) ** places)


def bounded(score: int) -> int:
    """The score, within its bounds."""
    return max(SCORE_LOWEST, min(SCORE_HIGHEST, score))


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a person, by which they can see why they stand where they stand."""

    verified: bool
    kept: int
    breached: int
    overdue: int
    days_since_breach: int | None
    days_known: int
    limit_minor: int
    used_minor: int


@dataclass(frozen=True, slots=True)
class Dimension:
    """One side of a person's standing, from 0 to 100; `moves` says whether the score moves with it, or a decision."""

    name: str
    level: int
    moves: str


def dimensions(known: Known) -> list[Dimension]:
    """Five sides of what is stored. They explain; only promises kept and broken move the score itself."""
    ended = known.kept + known.breached
    calm = DAYS_FULL if known.days_since_breach is None else min(known.days_since_breach, DAYS_FULL)
    free = known.limit_minor - known.used_minor
    return [
        Dimension("kept", 100 * known.kept // ended if ended else 0, "score"),
        Dimension("calm", 0 if known.overdue else 100 * calm // DAYS_FULL, "score"),
        Dimension("identity", 100 if known.verified else 0, "decision"),
        Dimension("use", max(0, 100 * free // known.limit_minor) if known.limit_minor else 0, "decision"),
        Dimension("time", 100 * min(known.days_known, DAYS_FULL) // DAYS_FULL, ""),
    ]


def missing_minor(facts: Mapping[str, int]) -> int:
    """How much less would have to be in use for a decision on these facts to fit the limit."""
    return max(0, facts["used_minor"] + facts["asked_minor"] - facts["limit_minor"])


def missing_promises(facts: Mapping[str, int]) -> int:
    """How many more promises kept in time would lift the score over the service's gate."""
    return max(0, -(-(facts["score_min"] - facts["score"]) // SCORE_STEP["kept"]))
