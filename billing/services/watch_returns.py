"""Merchants who have not answered a return are reminded; then their silence counts as a yes."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from billing.models import Return
from billing.refusals import ReturnClosed
from billing.services.return_ends import confirm_return, give_to_staff
from billing.services.returns import publish_return
from kernel.actor import Actor
from kernel.refusal import Busy, Refusal
from kernel.sweeps import Sweep, each
from orders.models import Order

WATCHER = Actor.system("returns")
log = structlog.get_logger(__name__)
#: How long a return is left alone that something stands in the way of.
WAIT = timedelta(minutes=10)


def watch_returns(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """See to the returns that are due, each by itself. Returns how many.

    Raises:
        Exception: the last of those that went wrong; they are due again soon, behind the others.
    """
    rows = _take_turn(realm_id, at=at, limit=limit)
    silent = {row.public_id: row for row in rows if at >= row.answer_until}
    each(silent, lambda key: _take_silence(silent[key], at=at), told="return_not_confirmed")
    return len(rows)


@transaction.atomic
def _take_turn(realm_id: int, *, at: datetime, limit: int) -> list[Return]:
    """What is due, with its next time already set, so that whoever dies here only delays it; and who is reminded."""
    due = Return.objects.filter(realm_id=realm_id, act_at__lte=at).order_by("act_at", "id")
    rows = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit])
    early = [row for row in rows if at < row.answer_until]
    Return.objects.filter(pk__in=[row.id for row in rows if row not in early]).update(act_at=at + WAIT)
    for row in sorted(early, key=lambda row: row.order_id):
        row.act_at = row.answer_until
        row.record("reminded", by=WATCHER, at=at)
        Order.objects.lock_all([row.order_id])
        publish_return(row, "return.unanswered", at=at)
    return rows


def _take_silence(row: Return, *, at: datetime) -> None:
    try:
        confirm_return(row.id, by=WATCHER, at=at, unanswered=True)
    except ReturnClosed:
        log.info("return_answered", returned=row.public_id)
    except Busy:
        log.info("return_waits", returned=row.public_id)
    except Refusal as refusal:
        _hand_over(row, refusal.code, at=at)


@transaction.atomic
def _hand_over(row: Return, code: str, *, at: datetime) -> None:
    """What a silent merchant cannot be made to bear by itself is for colleagues."""
    found = Return.objects.locked(row.id)
    if found.state in Return.WAITING:
        give_to_staff(found, code, by=WATCHER, at=at)


DUE = Sweep(
    name="returns",
    act=watch_returns,
    first="SELECT min(act_at) FROM billing_return WHERE realm_id = %(realm)s AND act_at IS NOT NULL",
    work=Return,
    column="act_at",
)
