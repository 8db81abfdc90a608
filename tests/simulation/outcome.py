"""The result of a seed's run: its log, and one summary line."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

from django.db import connection

from billing.models import Deduction
from tests.simulation.faults import FaultyChannel
from tests.simulation.world import Size

#: The final state of all tables, without ids that differ between runs of a seed.
FINAL_STATE_SQL = {
    "orders": """
        SELECT out_order_no, state, total_minor, version FROM orders_order ORDER BY out_order_no""",
    "debts": """
        SELECT r.out_order_no, o.sequence, o.kind, o.state, o.amount_minor, o.paid_minor, o.attempts, o.bucket
        FROM orders_obligation o JOIN orders_order r ON r.id = o.order_id ORDER BY 1, 2""",
    "deductions": """
        SELECT row_number() OVER (ORDER BY id), purpose, reason, state, amount_minor, failure_code, asks, prepared_at,
               resolved_at, channel_txn FROM billing_deduction ORDER BY id""",
    "cases": "SELECT kind, detail->>'txn', opened_at FROM billing_case ORDER BY id",
    "book": """
        SELECT kind, debit_account, credit_account, count(*), sum(amount_minor) FROM ledger_posting
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
    "told": "SELECT stage, count(*) FROM accounts_notice GROUP BY 1 ORDER BY 1",
    "sent": "SELECT channel, state, reason, count(*) FROM accounts_delivery GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    "scores": """
        SELECT score, count(*), sum(held_minor), sum(outstanding_minor) FROM credit_profile GROUP BY 1 ORDER BY 1""",
}


@dataclass(slots=True)
class Outcome:
    """The result of one run."""

    size: Size
    log: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    attempts: int = 0
    actions: int = 0
    crashes: int = 0
    seconds: float = 0.0
    #: Virtual seconds from the channel's withdrawal until the deduction counts as paid.
    delays: list[float] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """The log's digest, which is equal for every run of a seed."""
        return hashlib.sha256("\n".join(self.log).encode()).hexdigest()

    def __str__(self) -> str:
        delays = sorted(self.delays) or [0.0]
        faults = " ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        return (
            f"seed {self.size.seed}: {self.size.orders} orders, {self.size.days} days, {self.attempts} attempts, "
            f"{self.actions} acts, {self.crashes} crashes, {len(self.violations)} violations, taken to paid "
            f"{median(delays):.0f} s ({delays[int(len(delays) * 0.95)]:.0f} s of 95 %), {self.seconds:.0f} s, "
            f"log {self.digest} ({faults})"
        )


def final_state() -> Iterator[str]:
    """The final state, line by line."""
    with connection.cursor() as cursor:
        for name, sql in FINAL_STATE_SQL.items():
            cursor.execute(sql)
            yield from (f"{name} {' '.join(map(_to_text, row))}" for row in cursor.fetchall())


def delays(channel: FaultyChannel, at: datetime) -> list[float]:
    """For each payment, the seconds from the withdrawal until it counted as paid."""
    taken = {(withdrawal.number, withdrawal.txn): withdrawal.at for withdrawal in channel.withdrawals_until(at)}
    return [
        (row.resolved_at - taken[row.id.hex, row.channel_txn]).total_seconds()
        for row in Deduction.objects.filter(state=Deduction.State.SUCCEEDED).order_by("id")
        if row.resolved_at and row.channel_txn and (row.id.hex, row.channel_txn) in taken
    ]


def _to_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
