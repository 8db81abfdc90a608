"""Suspense: money whose owner is unknown leaves it again when the channel's movement is booked after all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from billing.models import Break, Case, Deduction, RefundPart
from kernel.money import Money
from kernel.prepared_statements import PreparedQuery
from ledger import accounts as book
from ledger import services as ledger
from ledger.models import Posting

#: Kinds of the posting by which a colleague moves a break to suspense, and of the one that reverses it.
BREAK_TO_SUSPENSE, BREAK_REVERSED = "break_to_suspense", "break_came_back"
#: Kind of the posting that reverses a case's suspense posting, when a later report of the channel explained it.
CASE_EXPLAINED = "case_explained"

#: Locks the breaks of statement lines with these transactions, the earliest first.
_BREAKS_BY_TXN = PreparedQuery(
    lambda txns: (
        Break.objects.filter(line__channel_txn__any=txns, line__channel_txn__gt="")
        .select_related("line")
        .select_for_update(of=("self",), no_key=True)
        .order_by("id")
    ),
    ["text[]"],
)


@dataclass(frozen=True, slots=True)
class BookedMovement:
    """A channel's transaction that is booked now: our movement, the kind of its statement line, number and amount."""

    movement: Deduction | RefundPart
    kind: str
    txn: str
    amount: Money


def still_in_suspense(rows: "QuerySet[Break]") -> "QuerySet[Break]":
    """The breaks that a colleague moved to suspense and whose money is still there."""
    out = Posting.objects.filter(kind=BREAK_REVERSED, cause_id__in=rows.values("pk")).values("cause_id")
    return rows.filter(resolution=Break.Resolution.SUSPENSE).exclude(pk__in=out)


def release_breaks(rows: "QuerySet[Break]", *, realm_id: int, at: datetime) -> None:
    """Reverse the suspense postings of these breaks. Happens once, also when called concurrently."""
    locked_ids = rows.order_by("id").select_for_update(of=("self",), no_key=True).values_list("pk", flat=True)
    _reverse_breaks(
        list(still_in_suspense(Break.objects.filter(pk__in=list(locked_ids))).order_by("id")), realm_id=realm_id, at=at
    )


def release_booked(booked: Sequence[BookedMovement], *, at: datetime) -> None:
    """Reverse suspense postings of these transactions, which are now booked as what they are.

    The caller has locked our movements, as resolve_break does; a break without a movement of ours is locked itself.
    """
    found = _BREAKS_BY_TXN.rows([item.txn for item in booked]) if booked else []
    for item in booked if found else ():
        matching = [row.pk for row in found if _matches(row, item)]
        earliest = still_in_suspense(Break.objects.filter(pk__in=matching)).order_by("id")[:1]
        _reverse_breaks(list(earliest), realm_id=item.movement.realm_id, at=at)


def missing_breaks_of(movement: Deduction | RefundPart) -> "QuerySet[Break]":
    """The breaks that say that this movement is missing at the channel."""
    return movement.breaks.filter(kind__in=Break.NOT_AT_CHANNEL)


def close_explained_cases(rows: "QuerySet[Case]", *, realm_id: int, at: datetime) -> None:
    """Reverse the suspense postings of these open cases and close them.

    The caller has locked their movement.
    """
    found = list(rows.filter(closed_at=None).select_for_update(of=("self",), no_key=True).order_by("id"))
    entries = [ledger.JournalEntry(row.id, CASE_EXPLAINED, _reversed_moves(row.id, row.kind)) for row in found]
    ledger.post(entries, realm_id=realm_id, at=at)
    Case.objects.filter(pk__in=[row.id for row in found]).update(closed_at=at)


def _matches(row: Break, booked: BookedMovement) -> bool:
    """Whether the break is about this transaction. For refunds a channel may use one number for several of them."""
    line = row.line
    if line is None or (row.realm_id, row.channel) != (booked.movement.realm_id, booked.movement.channel):
        return False
    if (line.kind, line.channel_txn) != (booked.kind, booked.txn):
        return False
    if row.deduction_id or row.refund_part_id:
        return booked.movement.pk in (row.deduction_id, row.refund_part_id)
    return booked.kind != "refund" or row.theirs == booked.amount


def _reverse_breaks(rows: Sequence[Break], *, realm_id: int, at: datetime) -> None:
    entries = [ledger.JournalEntry(row.id, BREAK_REVERSED, _reversed_moves(row.id, BREAK_TO_SUSPENSE)) for row in rows]
    ledger.post(entries, realm_id=realm_id, at=at)


def _reversed_moves(cause: UUID, kind: str) -> list[book.Move]:
    """The moves posted under this cause and kind, reversed."""
    return [
        book.Move(
            book.Account(row.credit_account, row.credit_owner),
            book.Account(row.debit_account, row.debit_owner),
            Money(row.amount_minor, row.currency),
        )
        for row in Posting.objects.filter(cause_id=cause, kind=kind).order_by("line")
    ]
