"""The sandbox bank's refunds of a debit, never more than was debited."""

from datetime import datetime
from typing import Any

from billing.channels import bank
from billing.channels.bank import BankAccount, Behaviour
from billing.channels.base import Answer, Declined, Unknown
from billing.planning import FailureClass
from kernel.money import Money


def refund(number: str, txn: str, amount: Money, *, at: datetime) -> Answer:
    """The bank's side of a refund: one effect per number, and the answer that reaches us, or none."""
    with bank.bank_transaction() as cursor:
        if bank.lock_number(cursor, number):
            return Declined("closed", FailureClass.TECHNICAL)
        movement = bank.find_movement(cursor, number)
        if movement is not None:
            return bank.answer_of(movement, at=at)
        refundable = _refundable_of(cursor, txn)
        if refundable is None:
            return Declined("transaction_unknown", FailureClass.HARD)
        account = _count_refund(cursor, txn)
        if account.behaviour is Behaviour.TIMEOUT_THEN_NOT_PAID and account.charges == 1:
            return Unknown("timeout")
        refusal = _refusal(account, refundable, amount)
        bank.record_movement(cursor, account, number, amount, refusal, at=at, refund_of=txn)
        return refusal or bank.initial_answer(cursor, account, number, amount, at=at)


def refunds_of(token: str) -> list[Money]:
    """What was really refunded to an account, oldest first. Tests compare our ledger with it."""
    with bank.bank_transaction() as cursor:
        cursor.execute(
            "SELECT amount_minor, currency FROM sandbox_bank.debit WHERE token = %s AND code = ''"
            " AND refund_of IS NOT NULL ORDER BY at, number",
            [token],
        )
        return [Money(minor, currency) for minor, currency in cursor.fetchall()]


def returned_minor_of(cursor: Any, txn: str) -> int:
    """How much of a debit went back to its account: refunded by us, or reversed by the bank."""
    cursor.execute(
        "SELECT coalesce((SELECT sum(amount_minor) FROM sandbox_bank.debit WHERE refund_of = %(txn)s AND code = ''), 0)"
        " + coalesce((SELECT sum(amount_minor) FROM sandbox_bank.returned WHERE of = %(txn)s AND NOT given_way), 0)",
        {"txn": txn},
    )
    return int(cursor.fetchone()[0])


def _refundable_of(cursor: Any, txn: str) -> Money | None:
    """What is left to refund of a transaction, locked so that its refunds run one at a time."""
    cursor.execute(
        "SELECT amount_minor, currency FROM sandbox_bank.debit"
        " WHERE txn = %s AND code = '' AND refund_of IS NULL FOR UPDATE",
        [txn],
    )
    taken = cursor.fetchone()
    if taken is None:
        return None
    return Money(taken[0] - returned_minor_of(cursor, txn), taken[1])


def _count_refund(cursor: Any, txn: str) -> BankAccount:
    """The account the money came from, with this refund counted."""
    cursor.execute(
        "UPDATE sandbox_bank.account a SET refunds = refunds + 1 FROM sandbox_bank.debit d"
        " WHERE d.txn = %s AND a.token = d.token"
        " RETURNING a.token, a.behaviour, a.until, a.balance_minor, a.refunds",
        [txn],
    )
    row = cursor.fetchone()
    return BankAccount(row[0], Behaviour(row[1]), *row[2:])


def _refusal(account: BankAccount, refundable: Money, amount: Money) -> Declined | None:
    if account.behaviour is Behaviour.HARD_DECLINE:
        return Declined("account_closed", FailureClass.HARD)
    if amount.currency != refundable.currency or amount.minor > refundable.minor:
        return Declined("refund_too_much", FailureClass.HARD)
    return None
