"""The sandbox bank takes a debit back from us, hears what we say against it, and decides a day later."""

from datetime import datetime, timedelta

from billing.channels import bank
from billing.channels.bank_refunds import gone_of
from billing.channels.base import Ruling
from kernel.ids import uuid7
from kernel.money import Money

#: It gives way to evidence that holds this word, and to no other.
CONVINCING = "winning_evidence"
DECIDES_AFTER = timedelta(days=1)


def take_back(number: str, code: str, *, asked_as: str = "", at: datetime) -> Money | None:
    """Take back what is left of the debit under this number, and call back to say so. Once; nothing if nothing is.

    `asked_as` is what whoever asked for it will ask by again, if nobody answers: see `was_asked`.
    """
    with bank.books() as cursor:
        cursor.execute(
            "SELECT txn, token, amount_minor, currency FROM sandbox_bank.debit"
            " WHERE number = %s AND code = '' AND refund_of IS NULL AND NOT payout FOR UPDATE",
            [number],
        )
        row = cursor.fetchone()
        if row is None:
            return None
        txn, token, minor, currency = row
        left = minor - gone_of(cursor, txn)
        if not left:
            return None
        return_txn = f"sb_{uuid7().hex}"
        cursor.execute(
            "INSERT INTO sandbox_bank.returned (txn, of, amount_minor, code, at, asked_as)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [return_txn, txn, left, code, at, asked_as],
        )
        cursor.execute(
            "UPDATE sandbox_bank.account SET balance_minor = balance_minor + %s"
            " WHERE token = %s AND balance_minor IS NOT NULL",
            [left, token],
        )
        cursor.execute(
            "INSERT INTO sandbox_bank.callback (number, notify_id, due_at, return_txn) VALUES (%s, %s, %s, %s)",
            [number, f"b_{return_txn}", at, return_txn],
        )
        return Money(left, currency)


def was_asked(asked_as: str, *, within: timedelta) -> bool:
    """Whether something was taken back under this, so lately by real time that the same request may come again."""
    with bank.books() as cursor:
        cursor.execute(
            "SELECT 1 FROM sandbox_bank.returned WHERE asked_as = %s AND asked_as <> '' AND asked_at > now() - %s",
            [asked_as, within],
        )
        return cursor.fetchone() is not None


def contest(txn: str, evidence: str, *, at: datetime) -> None:
    """The bank hears what we say against it, once."""
    with bank.books() as cursor:
        cursor.execute(
            "UPDATE sandbox_bank.returned SET evidence = %s, contested_at = %s WHERE txn = %s AND contested_at IS NULL",
            [evidence, at, txn],
        )


def ruling(txn: str, *, at: datetime) -> Ruling:
    """What it has decided; when it gave way the money is ours again."""
    with bank.books() as cursor:
        cursor.execute("SELECT evidence, contested_at, given_way FROM sandbox_bank.returned WHERE txn = %s", [txn])
        row = cursor.fetchone()
        if row is None:
            return Ruling.OPEN
        evidence, contested_at, given_way = row
        if contested_at is None or at < contested_at + DECIDES_AFTER:
            return Ruling.OPEN
        if CONVINCING not in evidence:
            return Ruling.LOST
        if not given_way:
            cursor.execute("UPDATE sandbox_bank.returned SET given_way = true WHERE txn = %s", [txn])
        return Ruling.WON


def returns_of(token: str) -> list[Money]:
    """What the bank really took back from us for an account and kept, oldest first."""
    with bank.books() as cursor:
        cursor.execute(
            "SELECT r.amount_minor, d.currency FROM sandbox_bank.returned r JOIN sandbox_bank.debit d ON d.txn = r.of"
            " WHERE d.token = %s AND NOT r.given_way ORDER BY r.at, r.txn",
            [token],
        )
        return [Money(minor, currency) for minor, currency in cursor.fetchall()]
