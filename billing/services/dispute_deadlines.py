"""Scheduled job for disputes that are due: accept at the deadline, send the evidence, ask for the channel's ruling."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction

from billing import channels
from billing.channels import Ruling
from billing.models import Dispute
from billing.services import dispute_evidence, disputes
from kernel.actor import Actor
from kernel.refusal import Busy
from kernel.sweeps import Sweep, process_each

DISPUTE_ACTOR = Actor.system("disputes")
log = structlog.get_logger(__name__)
#: When a blocked dispute is tried again, and how often a channel is asked for its ruling.
RETRY_AFTER, ASK_EVERY = timedelta(minutes=1), timedelta(days=1)


def process_due_disputes(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Process the disputes that are due, each in its own transaction. Returns how many.

    Raises:
        Exception: the last failure. Failed disputes are due again soon, after the others.
    """
    rows = {row.public_id: row for row in _claim_due_disputes(realm_id, at=at, limit=limit)}
    return process_each(rows, lambda key: _process_or_wait(rows[key], at=at), event="dispute_not_pressed")


@transaction.atomic
def _claim_due_disputes(realm_id: int, *, at: datetime, limit: int) -> list[Dispute]:
    """Claim the disputes that are due. Their next time is set first, so that a crash only delays them."""
    due = Dispute.objects.filter(realm_id=realm_id, act_at__lte=at).order_by("act_at", "id")
    rows = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit])
    Dispute.objects.filter(pk__in=[row.id for row in rows]).update(act_at=at + RETRY_AFTER)
    return rows


def _process_or_wait(row: Dispute, *, at: datetime) -> None:
    try:
        _process(row, at=at)
    except Busy:
        log.info("dispute_waits", dispute=row.public_id)


def _process(row: Dispute, *, at: datetime) -> None:
    if row.state == Dispute.State.OPEN:
        _close_answer_period(row.id, at=at)
    elif row.channel not in channels.DISPUTE_CHANNELS:
        # Colleagues send the evidence and record the ruling by hand.
        Dispute.objects.filter(pk=row.id, state=row.state).update(act_at=None)
    elif row.said_at is None:
        if channels.contest(row.channel, row.channel_txn, row.evidence, at=at):
            Dispute.objects.filter(pk=row.id, state=row.state).update(said_at=at, act_at=at + ASK_EVERY)
    else:
        _apply_ruling(row.id, channels.query_ruling(row.channel, row.channel_txn, at=at), at=at)


@transaction.atomic
def _close_answer_period(dispute_id: UUID, *, at: datetime) -> None:
    """The deadline has passed: contest with the answers of the merchants, or lose the dispute if there are none."""
    dispute = disputes.lock_dispute(dispute_id)
    if dispute.state == Dispute.State.OPEN and not dispute_evidence.contest_at_deadline(
        dispute, by=DISPUTE_ACTOR, at=at
    ):
        disputes.mark_lost(dispute, dispute.bearer, by=DISPUTE_ACTOR, at=at, reason="unanswered")


@transaction.atomic
def _apply_ruling(dispute_id: UUID, ruling: Ruling, *, at: datetime) -> None:
    """Close the dispute by the channel's ruling, unless it is closed already. Without one, ask again later."""
    dispute = disputes.lock_dispute(dispute_id)
    if dispute.state != Dispute.State.CONTESTED:
        return
    if ruling is Ruling.WON:
        disputes.mark_won(dispute, by=DISPUTE_ACTOR, at=at)
    elif ruling is Ruling.LOST:
        disputes.mark_lost(dispute, dispute.bearer, by=DISPUTE_ACTOR, at=at, reason="ruled")
    else:
        Dispute.objects.filter(pk=dispute_id).update(act_at=at + ASK_EVERY)


DUE = Sweep(
    name="disputes",
    process_batch=process_due_disputes,
    first_due_sql="SELECT min(act_at) FROM billing_dispute WHERE realm_id = %(realm)s AND act_at IS NOT NULL",
    model=Dispute,
    due_column="act_at",
)
