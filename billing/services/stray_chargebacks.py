"""Chargebacks that match no deduction of ours: the money has left the channel, so it is in suspense, with a case."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from billing.models import Case, Deduction
from billing.services.contradictions import report_other_amount
from billing.services.deduction_outcomes import TAKEN_TWICE
from billing.services.suspense import close_explained_cases
from kernel.money import Money
from ledger import accounts as book
from ledger import services as ledger

#: Kinds of cases: the channel took back a deduction that was never made, or another amount than was left of it.
NEVER_TAKEN, WRONG_AMOUNT = "taken_back_untaken", "taken_back_wrong_amount"
#: The transaction number is that of another deduction's chargeback.
SAME_NUMBER = "taken_back_same_number"
#: The channel deducted twice under one number, and returned one of the two: the customer has paid once.
ONE_OF_TWO = "taken_back_one_of_two"
STRAY_KINDS = (NEVER_TAKEN, WRONG_AMOUNT, SAME_NUMBER, ONE_OF_TWO)


@dataclass(frozen=True, slots=True)
class Chargeback:
    """A channel's report that it took a deduction back: its transaction, the amount, and the reason code."""

    txn: str
    amount: Money
    code: str


def stray_kind_of(row: Deduction, chargeback: Chargeback, *, is_number_used: bool) -> str:
    """The kind of case for a chargeback that matches no deduction; empty if it may match this one, which is locked."""
    if is_number_used:
        return SAME_NUMBER
    if row.state != Deduction.State.SUCCEEDED:
        return NEVER_TAKEN
    if _corrects_second_debit(row, chargeback):
        return ONE_OF_TWO
    return WRONG_AMOUNT if _is_case_resolved(row, chargeback.txn) else ""


def open_stray_case(row: Deduction, chargeback: Chargeback, kind: str, *, at: datetime) -> None:
    """Book money that is gone at the channel into suspense and open a case, once for each transaction.

    If the channel repeats the transaction with another amount, that is a contradiction, and a case of its own.
    """
    detail: dict[str, object] = {"amount": chargeback.amount.minor, "currency": chargeback.amount.currency}
    known = row.cases.filter(kind__in=STRAY_KINDS, detail__txn=chargeback.txn)
    if known.exists():
        if not known.filter(detail__contains=detail).exists():
            report_other_return(row, chargeback, at=at)
        return
    detail |= {"txn": chargeback.txn, "code": chargeback.code[:40]}
    case = Case.objects.create(realm_id=row.realm_id, kind=kind, deduction=row, detail=detail, opened_at=at)
    move = book.Move(book.SUSPENSE, book.clearing(row.channel), chargeback.amount)
    ledger.post([ledger.JournalEntry(case.id, kind, [move])], realm_id=row.realm_id, at=at)


def report_other_return(row: Deduction, chargeback: Chargeback, *, at: datetime) -> None:
    """Open a case: the channel repeats a return that we know, with another amount."""
    report_other_amount(row, chargeback.txn, chargeback.amount, code=chargeback.code[:40], at=at)


def _corrects_second_debit(row: Deduction, chargeback: Chargeback) -> bool:
    """Whether the channel has debited this amount a second time under the number, and not returned that yet.

    A second debit that staff moved to the customer's wallet was kept: a return is then of the debit that we booked.
    """
    same = {"detail__amount": chargeback.amount.minor, "detail__currency": chargeback.amount.currency}
    unreturned = Q(closed_at=None) | Q(resolution=Case.Resolution.RETURNED)
    debits = row.cases.filter(unreturned, kind=TAKEN_TWICE, **same).count()
    returns = row.cases.filter(unreturned, kind=ONE_OF_TWO, **same).exclude(detail__txn=chargeback.txn).count()
    return debits > returns


def _is_case_resolved(row: Deduction, txn: str) -> bool:
    """Whether colleagues have already decided where the money of this transaction belongs."""
    return row.cases.filter(kind__in=STRAY_KINDS, detail__txn=txn).exclude(resolution="").exists()


def close_stray_case(row: Deduction, txn: str, *, at: datetime) -> None:
    """The chargeback fits by now: close its case and release its money from suspense, as a dispute takes its place."""
    close_explained_cases(row.cases.filter(kind__in=STRAY_KINDS, detail__txn=txn), realm_id=row.realm_id, at=at)
