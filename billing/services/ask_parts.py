"""Refunds whose outcome nobody knows are asked about until somebody does."""

from datetime import datetime

from django.db import transaction

from billing import rules
from billing.models import RefundPart
from billing.services.ask import ASKER, heard
from billing.services.settle_parts import PartReport, settle_parts
from kernel.lifecycle import record_all
from kernel.sweeps import Sweep
from kernel.writes import update_all


def ask_parts(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Ask the channels about parts whose time to be asked about has come. Returns how many were asked about."""
    parts = _take_turn(realm_id, at=at, limit=limit)
    settle_parts([PartReport(part.id, heard(part, at=at), "query") for part in parts], by=ASKER, at=at)
    return len(parts)


@transaction.atomic
def _take_turn(realm_id: int, *, at: datetime, limit: int) -> list[RefundPart]:
    """Parts to ask about, their next ask already set. One `sent` past its lease is unknown from now on."""
    due = RefundPart.objects.filter(realm_id=realm_id, ask_at__lte=at).order_by("ask_at", "id")
    rows = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit])
    orphans = [row for row in rows if row.state == RefundPart.State.SENT]
    for row in rows:
        row.asks += 1
        row.ask_at = rules.next_ask(row.asks, at=at)
    for row in orphans:
        row.lose(ask_at=rules.next_ask(row.asks, at=at))
    record_all(orphans, "unknown", by=ASKER, at=at)
    update_all(rows, ["asks", "ask_at"])
    return rows


DUE = Sweep(
    name="ask_refunds",
    act=ask_parts,
    first="SELECT min(ask_at) FROM billing_refundpart WHERE realm_id = %(realm)s AND ask_at IS NOT NULL",
    beat="ask",
    work=RefundPart,
    column="ask_at",
)
