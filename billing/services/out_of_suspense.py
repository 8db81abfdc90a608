"""What stands in suspense leaves it again when the channel's word on it is booked after all: money is there once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from billing.models import Break, Case, Deduction, RefundPart
from kernel.money import Money
from kernel.prepared import Reading
from ledger import rules as book
from ledger import services as ledger
from ledger.models import Posting

#: The posting with which a colleague places a break, and the one that turns it round.
PLACED, CAME_BACK = "break_to_suspense", "break_came_back"
#: The posting that turns round what stood in suspense for a case, which a later word of the channel's explained.
EXPLAINED = "case_explained"

#: Differences found in lines that name these transactions, held until they are settled, the earliest first.
_FOUND = Reading(
    lambda txns: (
        Break.objects.filter(line__channel_txn__any=txns, line__channel_txn__gt="")
        .select_related("line")
        .select_for_update(of=("self",), no_key=True)
        .order_by("id")
    ),
    ["text[]"],
)


@dataclass(frozen=True, slots=True)
class Booked:
    """What is booked now: of which movement of ours, in which kind of line a statement names it, and as what."""

    of: Deduction | RefundPart
    kind: str
    txn: str
    amount: Money


def still_in(rows: "QuerySet[Break]") -> "QuerySet[Break]":
    """Those of them that a colleague has put into suspense and whose money stands there still."""
    out = Posting.objects.filter(kind=CAME_BACK, cause_id__in=rows.values("pk")).values("cause_id")
    return rows.filter(resolution=Break.Resolution.SUSPENSE).exclude(pk__in=out)


def take_out(rows: "QuerySet[Break]", *, realm_id: int, at: datetime) -> None:
    """What these breaks placed stands where it stood before; once, whoever else takes it out at this moment."""
    held = rows.order_by("id").select_for_update(of=("self",), no_key=True).values_list("pk", flat=True)
    _turn_back(list(still_in(Break.objects.filter(pk__in=list(held))).order_by("id")), realm_id=realm_id, at=at)


def let_out(booked: Sequence[Booked], *, at: datetime) -> None:
    """What was placed of these movements of the channel's, and is booked now as what it is, leaves suspense.

    The caller holds what they are of, as whoever places such a difference does; one that is of nothing of ours is held
    by itself.
    """
    found = _FOUND.rows([told.txn for told in booked]) if booked else []
    for told in booked if found else ():
        mine = [row.pk for row in found if _is_about(row, told)]
        earliest = still_in(Break.objects.filter(pk__in=mine)).order_by("id")[:1]
        _turn_back(list(earliest), realm_id=told.of.realm_id, at=at)


def missing_of(ours: Deduction | RefundPart) -> "QuerySet[Break]":
    """The breaks that say that of ours nothing is there."""
    return ours.breaks.filter(kind__in=Break.GONE)


def explain(rows: "QuerySet[Case]", *, realm_id: int, at: datetime) -> None:
    """What suspense holds for these cases leaves it the way it came, and nobody needs to look at them any more.

    The caller holds the movement that they are about.
    """
    found = list(rows.filter(closed_at=None).select_for_update(of=("self",), no_key=True).order_by("id"))
    facts = [ledger.Fact(row.id, EXPLAINED, _turned_round(row.id, row.kind)) for row in found]
    ledger.post(facts, realm_id=realm_id, at=at)
    Case.objects.filter(pk__in=[row.id for row in found]).update(closed_at=at)


def _is_about(row: Break, told: Booked) -> bool:
    """Whether the difference is this movement. Of what goes back a channel may use one number for several."""
    line = row.line
    if line is None or (row.realm_id, row.channel) != (told.of.realm_id, told.of.channel):
        return False
    if (line.kind, line.channel_txn) != (told.kind, told.txn):
        return False
    if row.deduction_id or row.refund_part_id:
        return told.of.pk in (row.deduction_id, row.refund_part_id)
    return told.kind != "refund" or row.theirs == told.amount


def _turn_back(rows: Sequence[Break], *, realm_id: int, at: datetime) -> None:
    facts = [ledger.Fact(row.id, CAME_BACK, _turned_round(row.id, PLACED)) for row in rows]
    ledger.post(facts, realm_id=realm_id, at=at)


def _turned_round(cause: UUID, kind: str) -> list[book.Move]:
    """What was posted for it, the other way."""
    return [
        book.Move(
            book.Account(row.credit_account, row.credit_owner),
            book.Account(row.debit_account, row.debit_owner),
            Money(row.amount_minor, row.currency),
        )
        for row in Posting.objects.filter(cause_id=cause, kind=kind).order_by("line")
    ]
