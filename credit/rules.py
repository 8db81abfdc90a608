"""Who may owe, and how much. Pure: facts in, a verdict with its reasons out."""

from dataclasses import dataclass, field
from enum import StrEnum

#: Which rules judged: written beside every decision.
POLICY = "2026-11"
SCORE_LOWEST, SCORE_HIGHEST, SCORE_FIRST = 350, 950, 650
#: A person may have this many orders of all merchants going at once.
OPEN_ORDERS_MAX = 20
#: From this score up, this much may be owed at once (minor units): the five bands.
BANDS = ((350, "D", 0), (550, "C", 100_000), (600, "B", 500_000), (700, "A", 1_000_000), (800, "S", 2_000_000))
SCORE_STEP = {"kept": 2, "breached": -40, "cleared": 10}


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
        (facts.open_orders >= OPEN_ORDERS_MAX, Reason.TOO_MANY_OPEN),
        (facts.limit_minor > 0 and facts.used_minor + facts.asked_minor > facts.limit_minor, Reason.LIMIT),
    )
    reasons = tuple(reason for holds, reason in against if holds)
    return Verdict(approved=not reasons, reasons=reasons)


def band_of(score: int) -> str:
    return next(name for floor, name, _ in reversed(BANDS) if score >= floor)


def limit_of(score: int) -> int:
    """How much may be owed at once at this score (minor units)."""
    return next(limit for floor, _, limit in reversed(BANDS) if score >= floor)


def score_after(score: int, step: str) -> int:
    """The score after one promise was kept, breached or cleared, within its bounds."""
    return max(SCORE_LOWEST, min(SCORE_HIGHEST, score + SCORE_STEP[step]))
