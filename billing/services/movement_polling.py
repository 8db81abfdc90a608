"""Polling of unknown outcomes of money paid out: parts of refunds, and payouts."""

from datetime import datetime

from billing.models import Payout, RefundPart
from billing.rules import next_resend_at
from billing.services.movements import MovementReport
from billing.services.outcome_polling import ACTOR, claim_due, query_all
from billing.services.payout_outcomes import PAYOUTS
from billing.services.refund_outcomes import REFUND_PARTS
from kernel.sweeps import Sweep


def poll_refund_parts(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Query the channels about refund parts whose next query is due. Returns how many were processed."""
    rows = claim_due(RefundPart, realm_id, at=at, limit=limit)
    answers = query_all(rows, at=at, close_if_absent=lambda row: next_resend_at(row.sends, at=at) is None)
    REFUND_PARTS.settle_all([MovementReport(row.id, answer, "query") for row, answer in answers], by=ACTOR, at=at)
    return len(rows)


def poll_payouts(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Query the channels about payouts whose next query is due. Returns how many were processed."""
    rows = claim_due(Payout, realm_id, at=at, limit=limit)
    answers = query_all(rows, at=at)
    PAYOUTS.settle_all([MovementReport(row.id, answer, "query") for row, answer in answers], by=ACTOR, at=at)
    return len(rows)


REFUNDS_SWEEP = Sweep(
    name="ask_refunds",
    process_batch=poll_refund_parts,
    first_due_sql="SELECT min(ask_at) FROM billing_refundpart WHERE realm_id = %(realm)s AND ask_at IS NOT NULL",
    job_name="ask",
    model=RefundPart,
    due_column="ask_at",
)
PAYOUTS_SWEEP = Sweep(
    name="ask_payouts",
    process_batch=poll_payouts,
    first_due_sql="SELECT min(ask_at) FROM billing_payout WHERE realm_id = %(realm)s AND ask_at IS NOT NULL",
    job_name="ask",
    model=Payout,
    due_column="ask_at",
)
