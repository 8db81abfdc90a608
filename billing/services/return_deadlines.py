"""Scheduled job for unanswered returns: merchants are reminded, and after the deadline the return is confirmed."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from billing.models import Return
from billing.return_refusals import ReturnClosed
from billing.services.return_decisions import confirm_return, escalate_return
from billing.services.returns import publish_return
from kernel.actor import Actor
from kernel.refusal import Busy, Refusal
from kernel.sweeps import Sweep, process_each
from orders.models import Order

RETURN_ACTOR = Actor.system("returns")
log = structlog.get_logger(__name__)
#: When a blocked return is tried again.
RETRY_AFTER = timedelta(minutes=10)


def process_due_returns(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Process the returns that are due, each in its own transaction. Returns how many.

    Raises:
        Exception: the last failure. Failed returns are due again soon, after the others.
    """
    rows = _claim_due_returns(realm_id, at=at, limit=limit)
    unanswered = {row.public_id: row for row in rows if at >= row.answer_until}
    process_each(unanswered, lambda key: _confirm_unanswered(unanswered[key], at=at), event="return_not_confirmed")
    return len(rows)


@transaction.atomic
def _claim_due_returns(realm_id: int, *, at: datetime, limit: int) -> list[Return]:
    """Claim the returns that are due, and send the reminders. The next time is set first: a crash only delays them."""
    due = Return.objects.filter(realm_id=realm_id, act_at__lte=at).order_by("act_at", "id")
    rows = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit])
    early = [row for row in rows if at < row.answer_until]
    Return.objects.filter(pk__in=[row.id for row in rows if row not in early]).update(act_at=at + RETRY_AFTER)
    for row in sorted(early, key=lambda row: row.order_id):
        row.act_at = row.answer_until
        row.record("reminded", by=RETURN_ACTOR, at=at)
        Order.objects.lock_all([row.order_id])
        publish_return(row, "return.unanswered", at=at)
    return rows


def _confirm_unanswered(row: Return, *, at: datetime) -> None:
    try:
        confirm_return(row.id, by=RETURN_ACTOR, at=at, unanswered=True)
    except ReturnClosed:
        log.info("return_answered", returned=row.public_id)
    except Busy:
        log.info("return_waits", returned=row.public_id)
    except Refusal as refusal:
        _escalate(row, refusal.code, at=at)


@transaction.atomic
def _escalate(row: Return, code: str, *, at: datetime) -> None:
    """Escalate to colleagues what cannot be confirmed automatically."""
    found = Return.objects.locked(row.id)
    if found.state in Return.WAITING:
        escalate_return(found, code, by=RETURN_ACTOR, at=at)


DUE = Sweep(
    name="returns",
    process_batch=process_due_returns,
    first_due_sql="SELECT min(act_at) FROM billing_return WHERE realm_id = %(realm)s AND act_at IS NOT NULL",
    model=Return,
    due_column="act_at",
)
