"""Disputes whose time has come: given up at their deadline, said to the channel, or asked about there."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction

from billing import channels
from billing.channels import Ruling
from billing.models import Dispute
from billing.services import answers, disputes
from kernel.actor import Actor
from kernel.refusal import Busy
from kernel.sweeps import Sweep, each

PRESSER = Actor.system("disputes")
log = structlog.get_logger(__name__)
#: How long one that something stands in the way of is left alone; and how often a channel is asked what it decided.
WAIT, ASK_EVERY = timedelta(minutes=1), timedelta(days=1)


def press_disputes(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """See to the disputes that are due, each by itself. Returns how many.

    Raises:
        Exception: the last of those that went wrong; they are due again soon, behind the others.
    """
    rows = {row.public_id: row for row in _take_turn(realm_id, at=at, limit=limit)}
    return each(rows, lambda key: _press_or_wait(rows[key], at=at), told="dispute_not_pressed")


@transaction.atomic
def _take_turn(realm_id: int, *, at: datetime, limit: int) -> list[Dispute]:
    """What is due, with its next time already set, so that whoever dies here only delays it."""
    due = Dispute.objects.filter(realm_id=realm_id, act_at__lte=at).order_by("act_at", "id")
    rows = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit])
    Dispute.objects.filter(pk__in=[row.id for row in rows]).update(act_at=at + WAIT)
    return rows


def _press_or_wait(row: Dispute, *, at: datetime) -> None:
    try:
        _press(row, at=at)
    except Busy:
        log.info("dispute_waits", dispute=row.public_id)


def _press(row: Dispute, *, at: datetime) -> None:
    if row.state == Dispute.State.OPEN:
        _end_of_hearing(row.id, at=at)
    elif row.channel not in channels.TRIBUNALS:
        Dispute.objects.filter(pk=row.id, state=row.state).update(
            act_at=None
        )  # a colleague says it, and what came of it
    elif row.said_at is None:
        if channels.contest(row.channel, row.channel_txn, row.evidence, at=at):
            Dispute.objects.filter(pk=row.id, state=row.state).update(said_at=at, act_at=at + ASK_EVERY)
    else:
        _settle(row.id, channels.ruling(row.channel, row.channel_txn, at=at), at=at)


@transaction.atomic
def _end_of_hearing(dispute_id: UUID, *, at: datetime) -> None:
    """The deadline has passed: what some merchants said is sent; where nobody said anything it is lost."""
    dispute = disputes.hold_dispute(dispute_id)
    if dispute.state == Dispute.State.OPEN and not answers.contest_answered(dispute, by=PRESSER, at=at):
        disputes.lose(dispute, dispute.bearer, by=PRESSER, at=at, because="unanswered")


@transaction.atomic
def _settle(dispute_id: UUID, ruling: Ruling, *, at: datetime) -> None:
    """What became of it is true, unless somebody was quicker."""
    dispute = disputes.hold_dispute(dispute_id)
    if dispute.state != Dispute.State.CONTESTED:
        return
    if ruling is Ruling.WON:
        disputes.win(dispute, by=PRESSER, at=at)
    elif ruling is Ruling.LOST:
        disputes.lose(dispute, dispute.bearer, by=PRESSER, at=at, because="ruled")
    else:
        Dispute.objects.filter(pk=dispute_id).update(act_at=at + ASK_EVERY)


DUE = Sweep(
    name="disputes",
    act=press_disputes,
    first="SELECT min(act_at) FROM billing_dispute WHERE realm_id = %(realm)s AND act_at IS NOT NULL",
    work=Dispute,
    column="act_at",
)
