"""Polling of unknown outcomes: channels are queried about a deduction until its outcome is known."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from django.db import transaction
from django.db.models import F

from billing import channels, rules
from billing.models import Deduction, Payout, RefundPart
from billing.services.deduction_outcomes import DeductionReport, settle_all
from kernel.actor import Actor
from kernel.bulk_writes import update_all
from kernel.lifecycle import record_all
from kernel.sweeps import Sweep

ACTOR = Actor.system("ask")
_M = TypeVar("_M", Deduction, RefundPart, Payout)


def poll_deductions(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Query the channels about deductions whose next query is due. Returns how many were processed."""
    rows = claim_due(Deduction, realm_id, at=at, limit=limit)
    reports = [DeductionReport(row.id, answer, "query") for row, answer in query_all(rows, at=at)]
    settle_all(reports, by=ACTOR, at=at)
    return len(rows)


def query_all(
    rows: Sequence[_M], *, at: datetime, close_if_absent: Callable[[_M], bool] = lambda _row: True
) -> list[tuple[_M, channels.Answer]]:
    """The channels' answers about these rows, for as many as there is time for.

    If every query runs into its time limit, this returns well before its task's time limit: the answers so far are
    settled, and the rows not queried are due again at once, without counting an attempt.
    """
    calls = (
        (row, row.channel, row.number, partial(query_outcome, row, at=at, close_if_absent=close_if_absent(row)))
        for row in rows
    )
    answers = list(channels.query_all(calls, within=rules.SEND_LEASE / 2))
    answered = {row.pk for row, _ in answers}
    left = [row for row in rows if row.pk not in answered]
    for model in {type(row) for row in left}:
        rows_left = model.objects.filter(pk__in=[row.pk for row in left], state="unknown", asks__gt=0)
        rows_left.update(asks=F("asks") - 1, ask_at=at)
    return answers


def query_outcome(
    row: Deduction | RefundPart | Payout, *, at: datetime, close_if_absent: bool = True
) -> channels.Answer:
    """The channel's answer. If "not found" is final, the number is closed at the channel before it is abandoned.

    Otherwise a request delayed on its way for minutes would still be charged, beside the next attempt. Where the next
    attempt uses the same number (`close_if_absent` is False) it stays open: one number moves money once.
    """
    channel, answer = channels.get_channel(row.channel), channels.query(row.channel, row.number, at=at)
    is_final = rules.is_not_sent(row.asks, channel.min_queries, row.sent_at or at, channel.finality, at=at)
    if isinstance(answer, channels.NumberNotFound) and is_final and close_if_absent:
        return channels.close(row.channel, row.number, at=at)
    return answer


@transaction.atomic
def claim_due(model: type[_M], realm_id: int, *, at: datetime, limit: int) -> list[_M]:
    """Lock rows whose query is due and schedule their next one, so that a crash here only delays them.

    A row still `sent` past its lease was left by a process that died: its state becomes `unknown`.
    """
    due = model.objects.filter(realm_id=realm_id, ask_at__lte=at).order_by("ask_at", "id")
    rows = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit])
    orphans = [row for row in rows if row.state == row.State.SENT]
    for row in rows:
        row.asks += 1
        row.ask_at = rules.next_query_at(row.asks, at=at)
    for row in orphans:
        row.mark_unknown(ask_at=rules.next_query_at(row.asks, at=at))
    record_all(orphans, "unknown", by=ACTOR, at=at)
    update_all(rows, ["asks", "ask_at"])
    return rows


SWEEP = Sweep(
    name="ask",
    process_batch=poll_deductions,
    first_due_sql="SELECT min(ask_at) FROM billing_deduction WHERE realm_id = %(realm)s AND ask_at IS NOT NULL",
    model=Deduction,
    due_column="ask_at",
)
