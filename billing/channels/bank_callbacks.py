"""Callbacks that the sandbox bank has not delivered yet."""

from datetime import datetime

from billing.channels.bank import bank_transaction


def pending_callbacks() -> dict[str, datetime]:
    """When the first undelivered callback is due, by token prefix (the part of the token before the colon)."""
    with bank_transaction() as cursor:
        cursor.execute(
            "SELECT split_part(d.token, ':', 1), min(c.due_at) FROM sandbox_bank.callback c"
            " JOIN sandbox_bank.debit d USING (number) WHERE c.delivered_at IS NULL GROUP BY 1"
        )
        return dict(cursor.fetchall())
