"""The sandbox bank's disputes: it reverses a debit, accepts evidence against that, and rules a day later."""

from datetime import datetime, timedelta

from billing.channels import bank
from billing.channels.bank_refunds import returned_minor_of
from billing.channels.base import Ruling
from kernel.ids import uuid7
from kernel.money import Money

#: A dispute is won if the evidence contains this word, and lost otherwise.
WINNING_EVIDENCE = "winning_evidence"
RULING_DELAY = timedelta(days=1)


def reverse_debit(number: str, code: str, *, request_key: str = "", at: datetime) -> Money | None:
    """Reverse what is left of the debit with this number and schedule a callback. None if nothing is left.

    `request_key` identifies the request, so that a retry of it is recognised: see `is_repeated_request`.
    """
    with bank.bank_transaction() as cursor:
        cursor.execute(
            "SELECT txn, token, amount_minor, currency FROM sandbox_bank.debit"
            " WHERE number = %s AND code = '' AND refund_of IS NULL AND NOT payout FOR UPDATE",
            [number],
        )
        row = cursor.fetchone()
        if row is None:
            return None
        txn, token, minor, currency = row
        remaining_minor = minor - returned_minor_of(cursor, txn)
        if not remaining_minor:
            return None
        reversal_txn = f"sb_{uuid7().hex}"
        cursor.execute(
            "INSERT INTO sandbox_bank.returned (txn, of, amount_minor, code, at, asked_as)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [reversal_txn, txn, remaining_minor, code, at, request_key],
        )
        cursor.execute(
            "UPDATE sandbox_bank.account SET balance_minor = balance_minor + %s"
            " WHERE token = %s AND balance_minor IS NOT NULL",
            [remaining_minor, token],
        )
        cursor.execute(
            "INSERT INTO sandbox_bank.callback (number, notify_id, due_at, return_txn) VALUES (%s, %s, %s, %s)",
            [number, f"b_{reversal_txn}", at, reversal_txn],
        )
        return Money(remaining_minor, currency)


def is_repeated_request(request_key: str, *, within: timedelta) -> bool:
    """Whether a debit was reversed for this request within the last `within` of real time, so that it is a retry."""
    with bank.bank_transaction() as cursor:
        cursor.execute(
            "SELECT 1 FROM sandbox_bank.returned WHERE asked_as = %s AND asked_as <> '' AND asked_at > now() - %s",
            [request_key, within],
        )
        return cursor.fetchone() is not None


def contest(txn: str, evidence: str, *, at: datetime) -> None:
    """Record the evidence against a reversal. Only the first counts."""
    with bank.bank_transaction() as cursor:
        cursor.execute(
            "UPDATE sandbox_bank.returned SET evidence = %s, contested_at = %s WHERE txn = %s AND contested_at IS NULL",
            [evidence, at, txn],
        )


def rule_dispute(txn: str, *, at: datetime) -> Ruling:
    """The bank's decision. If it is won, the reversal is undone."""
    with bank.bank_transaction() as cursor:
        cursor.execute("SELECT evidence, contested_at, given_way FROM sandbox_bank.returned WHERE txn = %s", [txn])
        row = cursor.fetchone()
        if row is None:
            return Ruling.OPEN
        evidence, contested_at, given_way = row
        if contested_at is None or at < contested_at + RULING_DELAY:
            return Ruling.OPEN
        if WINNING_EVIDENCE not in evidence:
            return Ruling.LOST
        if not given_way:
            cursor.execute("UPDATE sandbox_bank.returned SET given_way = true WHERE txn = %s", [txn])
        return Ruling.WON


def reversals_of(token: str) -> list[Money]:
    """What the bank really reversed for an account and kept, oldest first."""
    with bank.bank_transaction() as cursor:
        cursor.execute(
            "SELECT r.amount_minor, d.currency FROM sandbox_bank.returned r JOIN sandbox_bank.debit d ON d.txn = r.of"
            " WHERE d.token = %s AND NOT r.given_way ORDER BY r.at, r.txn",
            [token],
        )
        return [Money(minor, currency) for minor, currency in cursor.fetchall()]
