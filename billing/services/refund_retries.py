"""Retries of refunds: parts that could not be paid are sent again when due, under the same number."""

from datetime import datetime

from django.db import transaction

from billing.models import RefundPart
from billing.rules import SEND_LEASE
from billing.services.refunds import send_parts
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.sweeps import Sweep

ACTOR = Actor.system("send_again")


def retry_refunds(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Send refund parts again whose retry is due. Returns how many were sent."""
    parts = _claim_due(realm_id, at=at, limit=limit)
    send_parts(parts, by=ACTOR, at=at)
    return len(parts)


@transaction.atomic
def _claim_due(realm_id: int, *, at: datetime, limit: int) -> list[RefundPart]:
    """Claim the due parts. They count as sent once this commits: after a crash they are polled."""
    due = RefundPart.objects.filter(realm_id=realm_id, again_at__lte=at).order_by("again_at", "id")
    due = due.select_related("taken__deduction__instrument")
    parts = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit])
    for part in parts:
        part.send(at=at, ask_at=at + SEND_LEASE)
    record_all(parts, "sent", by=ACTOR, at=at)
    return parts


SWEEP = Sweep(
    name="refunds_again",
    process_batch=retry_refunds,
    first_due_sql="SELECT min(again_at) FROM billing_refundpart WHERE realm_id = %(realm)s AND again_at IS NOT NULL",
    job_name="ask",
    model=RefundPart,
    due_column="again_at",
)
