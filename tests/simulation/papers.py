"""The channel's statement of each day: every debit it took or declined. It comes days late.

By then whatever was in doubt has been asked about, so that a statement has nothing to tell but what the channel did
wrong: what nobody could have asked for.
"""

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import BinaryIO
from unittest import mock

from billing.channels.bank_statements import HEAD
from billing.channels.layouts import PLAIN
from billing.models import Break
from billing.services import fetch
from tests.simulation.faults import ITS_OWN, PROCESSING_MAX, FaultyChannel

A_DAY = timedelta(days=1)
#: Nothing is in doubt for longer than the longest a debit takes, the day until it is asked about again, and the hours
#: for which nobody may be at work.
DOUBT_MAX = PROCESSING_MAX + 2 * A_DAY
#: When a day's statement is there; and when it has been read, though its reader may have died some times.
READY_AFTER = DOUBT_MAX
READ_BY = READY_AFTER + 5 * A_DAY


def installed(channel: FaultyChannel) -> mock.patch.multiple:  # type: ignore[name-defined]  what it makes is private
    """The channel's own files are what is fetched."""

    def write(file: BinaryIO, *, realm_id: int, day: date) -> None:
        file.write(statement(channel, *PLAIN.window(day)))

    return mock.patch.multiple(fetch, WRITERS={channel.name: write}, READY_AFTER=READY_AFTER)


def statement(channel: FaultyChannel, begin: datetime, end: datetime) -> bytes:
    """What happened to its accounts from then until then, in its order, and a trailer."""
    text = io.StringIO()
    rows = sorted((at, *cells) for at, *cells in _lines(channel) if begin <= at < end)
    csv.writer(text).writerows([*cells, at.isoformat()] for at, *cells in rows)
    taken = sum(cells[3] for _at, *cells in rows if cells[5] == "success")
    return HEAD + text.getvalue().encode() + f"END,{len(rows)},{taken},0\r\n".encode()


def _lines(channel: FaultyChannel) -> Iterator[tuple[datetime, str, str, str, int, str, str]]:
    for number, debit in channel.debits.items():
        if debit.code:
            yield debit.settles_at, number, "", "debit", debit.asked.minor, debit.asked.currency, "failed"
        for taking in debit.takings:
            yield taking.at, number, taking.txn, "debit", taking.amount.minor, taking.amount.currency, "success"


def unexplained(channel: FaultyChannel) -> Iterator[str]:
    """Differences from statements by which the channel did nothing wrong."""
    for row in Break.objects.order_by("id"):
        debit = channel.debits.get(row.deduction_id.hex) if row.deduction_id else None
        if debit is None or debit.fault not in ITS_OWN:
            yield f"a statement says otherwise ({row.kind}, {debit and debit.fault}) of {row.deduction_id}"
