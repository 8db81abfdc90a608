"""Money on its way out whose outcome nobody knows is asked about until somebody does."""

from datetime import datetime

from billing.models import Payout, RefundPart
from billing.rules import sent_again_at
from billing.services.ask import ASKER, hear_all, take_turn
from billing.services.movements import MovementReport
from billing.services.settle_parts import PARTS
from billing.services.settle_payouts import PAYOUTS
from kernel.sweeps import Sweep


def ask_parts(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Ask the channels about refunds' parts whose time has come. Returns how many were seen to."""
    rows = take_turn(RefundPart, realm_id, at=at, limit=limit)
    found = hear_all(rows, at=at, gives_up=lambda row: sent_again_at(row.sends, at=at) is None)
    PARTS.settle_all([MovementReport(row.id, answer, "query") for row, answer in found], by=ASKER, at=at)
    return len(rows)


def ask_payouts(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """The same about payouts."""
    rows = take_turn(Payout, realm_id, at=at, limit=limit)
    found = hear_all(rows, at=at)
    PAYOUTS.settle_all([MovementReport(row.id, answer, "query") for row, answer in found], by=ASKER, at=at)
    return len(rows)


DUE = Sweep(
    name="ask_refunds",
    act=ask_parts,
    first="SELECT min(ask_at) FROM billing_refundpart WHERE realm_id = %(realm)s AND ask_at IS NOT NULL",
    beat="ask",
    work=RefundPart,
    column="ask_at",
)
PAYOUTS_DUE = Sweep(
    name="ask_payouts",
    act=ask_payouts,
    first="SELECT min(ask_at) FROM billing_payout WHERE realm_id = %(realm)s AND ask_at IS NOT NULL",
    beat="ask",
    work=Payout,
    column="ask_at",
)
