"""What a colleague had put into suspense leaves it again when the channel's word on it is booked after all."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q, QuerySet

from billing.models import Break, Deduction
from ledger import rules as book
from ledger import services as ledger
from ledger.models import Posting

#: The posting that turns round what a colleague had placed.
CAME_BACK = "break_came_back"


def take_out(rows: Sequence[Break], *, realm_id: int, at: datetime) -> None:
    """What these breaks placed stands where it stood before."""
    ledger.post([ledger.Fact(row.id, CAME_BACK, _turned_round(row)) for row in rows], realm_id=realm_id, at=at)


def still_in(rows: "QuerySet[Break]") -> "QuerySet[Break]":
    """Those of them that a colleague has put into suspense and whose money stands there still."""
    out = Posting.objects.filter(kind=CAME_BACK, cause_id__in=rows.values("pk")).values("cause_id")
    return rows.filter(resolution=Break.Resolution.SUSPENSE).exclude(pk__in=out)


def let_return_out(row: Deduction, txn: str, *, at: datetime) -> None:
    """A return that stands in suspense as a difference is taken in: its money is not gone twice.

    The caller holds the deduction, as whoever places such a difference does.
    """
    said = Break.objects.filter(
        Q(deduction=row) | Q(deduction=None),
        realm_id=row.realm_id,
        channel=row.channel,
        kind=Break.Kind.MISSING_HERE,
        line__kind="return",
        line__channel_txn=txn,
    )
    take_out(list(still_in(said)), realm_id=row.realm_id, at=at)


def _turned_round(row: Break) -> list[book.Move]:
    clearing, amount = book.clearing(row.channel), row.theirs or row.ours
    if amount is None:
        return []
    more = (row.theirs is not None) != row.refund  # placing it had left more at the channel
    return [book.Move(book.SUSPENSE, clearing, amount) if more else book.Move(clearing, book.SUSPENSE, amount)]
