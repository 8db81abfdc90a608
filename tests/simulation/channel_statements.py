"""The channel's daily statements: every debit it took or declined. They are available days later.

By then all results in doubt have been queried, so a statement can differ only by the channel's own mistakes.
"""

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import BinaryIO
from unittest import mock

from billing.channels.bank_statements import HEADER
from billing.channels.statement_layouts import DEFAULT_LAYOUT
from billing.models import Break
from billing.services import statement_fetching
from tests.simulation.faults import CHANNEL_MISTAKES, PROCESSING_MAX, FaultyChannel

A_DAY = timedelta(days=1)
#: The longest a result can be in doubt: the longest processing time, a day until the next query, and worker outages.
DOUBT_MAX = PROCESSING_MAX + 2 * A_DAY
#: When a day's statement is available, and by when it has been read in spite of crashes.
READY_AFTER = DOUBT_MAX
READ_BY = READY_AFTER + 5 * A_DAY


def patch_statement_fetching(channel: FaultyChannel) -> mock.patch.multiple:  # type: ignore[name-defined]  what it makes is private
    """Make statement fetching read this channel's statements."""

    def write(file: BinaryIO, *, realm_id: int, day: date) -> None:
        file.write(statement_csv(channel, *DEFAULT_LAYOUT.day_bounds(day)))

    return mock.patch.multiple(statement_fetching, WRITERS={channel.name: write}, READY_AFTER=READY_AFTER)


def statement_csv(channel: FaultyChannel, begin: datetime, end: datetime) -> bytes:
    """The statement of a period as CSV, sorted by time, with a trailer."""
    text = io.StringIO()
    rows = sorted((at, *cells) for at, *cells in _statement_rows(channel) if begin <= at < end)
    csv.writer(text).writerows([*cells, at.isoformat()] for at, *cells in rows)
    taken = sum(cells[3] for _at, *cells in rows if cells[5] == "success")
    return HEADER + text.getvalue().encode() + f"END,{len(rows)},{taken},0\r\n".encode()


def _statement_rows(channel: FaultyChannel) -> Iterator[tuple[datetime, str, str, str, int, str, str]]:
    for number, debit in channel.debits.items():
        if debit.code:
            yield debit.settles_at, number, "", "debit", debit.requested.minor, debit.requested.currency, "failed"
        for withdrawal in debit.withdrawals:
            yield (
                withdrawal.at,
                number,
                withdrawal.txn,
                "debit",
                withdrawal.amount.minor,
                withdrawal.amount.currency,
                "success",
            )


def unexplained_breaks(channel: FaultyChannel) -> Iterator[str]:
    """Discrepancies that are not caused by a mistake of the channel."""
    for row in Break.objects.order_by("id"):
        debit = channel.debits.get(row.deduction_id.hex) if row.deduction_id else None
        if debit is None or debit.fault not in CHANNEL_MISTAKES:
            yield f"a statement says otherwise ({row.kind}, {debit and debit.fault}) of {row.deduction_id}"
