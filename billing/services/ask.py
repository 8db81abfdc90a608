"""Outcomes nobody knows are asked about until somebody does."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from django.db import transaction
from django.db.models import F

from billing import channels, rules
from billing.models import Deduction, Payout, RefundPart
from billing.services.settle import Report, settle_all
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.sweeps import Sweep
from kernel.writes import update_all

ASKER = Actor.system("ask")
_M = TypeVar("_M", Deduction, RefundPart, Payout)


def ask_unknown(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Ask the channels about deductions whose time to be asked about has come. Returns how many were seen to."""
    rows = take_turn(Deduction, realm_id, at=at, limit=limit)
    reports = [Report(row.id, answer, "query") for row, answer in hear_all(rows, at=at)]
    settle_all(reports, by=ASKER, at=at)
    return len(rows)


def hear_all(
    rows: Sequence[_M], *, at: datetime, gives_up: Callable[[_M], bool] = lambda _row: True
) -> list[tuple[_M, channels.Answer]]:
    """What the channels say of them, as far as there is time for it.

    Where each question runs into its time limit the round ends long before its task does: what was heard by then is
    settled, and those nobody was asked about are due again at once, as if their turn had not come.
    """
    asks = ((row, row.channel, row.number, partial(heard, row, at=at, gives_up=gives_up(row))) for row in rows)
    found = list(channels.ask_all(asks, within=rules.SEND_LEASE / 2))
    asked = {row.pk for row, _ in found}
    left = [row for row in rows if row.pk not in asked]
    for model in {type(row) for row in left}:
        unasked = model.objects.filter(pk__in=[row.pk for row in left], state="unknown", asks__gt=0)
        unasked.update(asks=F("asks") - 1, ask_at=at)
    return found


def heard(row: Deduction | RefundPart | Payout, *, at: datetime, gives_up: bool = True) -> channels.Answer:
    """What the channel says of it. A number that may be believed never to have arrived is closed before it is given up.

    A request that was held up on its way for minutes would otherwise still be charged, beside the next attempt. Where
    the next attempt is the same number again (`gives_up` is False) it stays open: it moves money once.
    """
    channel, answer = channels.named(row.channel), channels.query(row.channel, row.number, at=at)
    patient = rules.never_sent(row.asks, channel.asks_min, row.sent_at or at, channel.finality, at=at)
    if isinstance(answer, channels.Absent) and patient and gives_up:
        return channels.close(row.channel, row.number, at=at)
    return answer


@transaction.atomic
def take_turn(model: type[_M], realm_id: int, *, at: datetime, limit: int) -> list[_M]:
    """Rows to ask about, their next ask already set, so that whoever dies here only delays them.

    One still `sent` past its lease belonged to a process that is gone: its outcome is unknown from now on.
    """
    due = model.objects.filter(realm_id=realm_id, ask_at__lte=at).order_by("ask_at", "id")
    rows = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit])
    orphans = [row for row in rows if row.state == row.State.SENT]
    for row in rows:
        row.asks += 1
        row.ask_at = rules.next_ask(row.asks, at=at)
    for row in orphans:
        row.lose(ask_at=rules.next_ask(row.asks, at=at))
    record_all(orphans, "unknown", by=ASKER, at=at)
    update_all(rows, ["asks", "ask_at"])
    return rows


DUE = Sweep(
    name="ask",
    act=ask_unknown,
    first="SELECT min(ask_at) FROM billing_deduction WHERE realm_id = %(realm)s AND ask_at IS NOT NULL",
    work=Deduction,
    column="ask_at",
)
