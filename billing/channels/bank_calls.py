"""Whom the sandbox bank still has to call back."""

from datetime import datetime

from billing.channels.bank import books


def waiting_for_calls() -> dict[str, datetime]:
    """Whom the bank still has to call back: how their tokens begin, up to the colon, and when the first call is due."""
    with books() as cursor:
        cursor.execute(
            "SELECT split_part(d.token, ':', 1), min(c.due_at) FROM sandbox_bank.callback c"
            " JOIN sandbox_bank.debit d USING (number) WHERE c.delivered_at IS NULL GROUP BY 1"
        )
        return dict(cursor.fetchall())
