"""A channel takes back what cannot be: the money is gone there all the same, so it stands in suspense, with a case."""

from dataclasses import dataclass
from datetime import datetime

from billing.models import Case, Deduction
from billing.services.out_of_suspense import explain
from kernel.money import Money
from ledger import rules as book
from ledger import services as ledger

#: Cases of money that a channel took back and that was not there.
NEVER_TAKEN, WRONG_AMOUNT = "taken_back_untaken", "taken_back_wrong_amount"
#: Its movement's number is that of another debit's return.
SAME_NUMBER = "taken_back_same_number"
STRAYS = (NEVER_TAKEN, WRONG_AMOUNT, SAME_NUMBER)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a channel says: by this movement of its own it took so much of a debit back, and why."""

    txn: str
    amount: Money
    code: str


def note_stray(row: Deduction, told: Withdrawal, kind: str, *, at: datetime) -> None:
    """Money is gone that our book does not have there: booked where it can be seen, once for each movement."""
    if row.cases.filter(kind__in=STRAYS, detail__txn=told.txn).exists():
        return
    detail = {
        "txn": told.txn,
        "amount": told.amount.minor,
        "currency": told.amount.currency,
        "code": told.code[:40],
    }
    case = Case.objects.create(realm_id=row.realm_id, kind=kind, deduction=row, detail=detail, opened_at=at)
    move = book.Move(book.SUSPENSE, book.clearing(row.channel), told.amount)
    ledger.post([ledger.Fact(case.id, kind, [move])], realm_id=row.realm_id, at=at)


def was_judged(row: Deduction, txn: str) -> bool:
    """Whether colleagues have said already where the money of this movement belongs."""
    return row.cases.filter(kind__in=STRAYS, detail__txn=txn).exclude(resolution="").exists()


def let_stray_out(row: Deduction, txn: str, *, at: datetime) -> None:
    """What could not be is by now: what suspense holds of this movement leaves it, for a dispute takes its place."""
    explain(row.cases.filter(kind__in=STRAYS, detail__txn=txn), realm_id=row.realm_id, at=at)
