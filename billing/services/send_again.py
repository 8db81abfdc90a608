"""What could not be given back yet is sent again when its time has come, under the number it always had."""

from datetime import datetime

from django.db import transaction

from billing.models import RefundPart
from billing.rules import SEND_LEASE
from billing.services.refund import send_parts
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.sweeps import Sweep

SENDER = Actor.system("send_again")


def send_again(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Send refunds' parts again whose time has come. Returns how many were sent."""
    parts = _taken_up(realm_id, at=at, limit=limit)
    send_parts(parts, by=SENDER, at=at)
    return len(parts)


@transaction.atomic
def _taken_up(realm_id: int, *, at: datetime, limit: int) -> list[RefundPart]:
    """Each is sent from the moment this commits: whoever dies here leaves it to be asked about."""
    due = RefundPart.objects.filter(realm_id=realm_id, again_at__lte=at).order_by("again_at", "id")
    due = due.select_related("taken__deduction__instrument")
    parts = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit])
    for part in parts:
        part.send(at=at, ask_at=at + SEND_LEASE)
    record_all(parts, "sent", by=SENDER, at=at)
    return parts


DUE = Sweep(
    name="refunds_again",
    act=send_again,
    first="SELECT min(again_at) FROM billing_refundpart WHERE realm_id = %(realm)s AND again_at IS NOT NULL",
    beat="ask",
    work=RefundPart,
    column="again_at",
)
