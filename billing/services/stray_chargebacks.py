"""Chargebacks that match no deduction of ours: the money has left the channel, so it is in suspense, with a case."""

from dataclasses import dataclass
from datetime import datetime

from billing.models import Case, Deduction
from billing.services.suspense import close_explained_cases
from kernel.money import Money
from ledger import accounts as book
from ledger import services as ledger

#: Kinds of cases: the channel took back a deduction that was never made, or another amount than was left of it.
NEVER_TAKEN, WRONG_AMOUNT = "taken_back_untaken", "taken_back_wrong_amount"
#: The transaction number is that of another deduction's chargeback.
SAME_NUMBER = "taken_back_same_number"
STRAY_KINDS = (NEVER_TAKEN, WRONG_AMOUNT, SAME_NUMBER)


@dataclass(frozen=True, slots=True)
class Chargeback:
    """A channel's report that it took a deduction back: its transaction, the amount, and the reason code."""

    txn: str
    amount: Money
    code: str


def open_stray_case(row: Deduction, chargeback: Chargeback, kind: str, *, at: datetime) -> None:
    """Book money that is gone at the channel into suspense and open a case, once for each transaction."""
    if row.cases.filter(kind__in=STRAY_KINDS, detail__txn=chargeback.txn).exists():
        return
    detail = {
        "txn": chargeback.txn,
        "amount": chargeback.amount.minor,
        "currency": chargeback.amount.currency,
        "code": chargeback.code[:40],
    }
    case = Case.objects.create(realm_id=row.realm_id, kind=kind, deduction=row, detail=detail, opened_at=at)
    move = book.Move(book.SUSPENSE, book.clearing(row.channel), chargeback.amount)
    ledger.post([ledger.JournalEntry(case.id, kind, [move])], realm_id=row.realm_id, at=at)


def is_case_resolved(row: Deduction, txn: str) -> bool:
    """Whether colleagues have already decided where the money of this transaction belongs."""
    return row.cases.filter(kind__in=STRAY_KINDS, detail__txn=txn).exclude(resolution="").exists()


def close_stray_case(row: Deduction, txn: str, *, at: datetime) -> None:
    """The chargeback fits by now: close its case and release its money from suspense, as a dispute takes its place."""
    close_explained_cases(row.cases.filter(kind__in=STRAY_KINDS, detail__txn=txn), realm_id=row.realm_id, at=at)
