"""The sandbox bank: charges scripted accounts and keeps its own records.

Its tables are in a separate schema, written over a separate connection that commits at once: what it did stays done
when our transaction rolls back or our process is killed, as with any real bank.
"""

import hmac
import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

import psycopg2
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from billing.channels.base import Answer, Closed, Declined, NumberNotFound, Succeeded, Unknown
from billing.planning import FailureClass
from kernel.ids import uuid7
from kernel.money import Money
from kernel.postgres.base import is_quiet

_local = threading.local()
_A_DAY = timedelta(days=1)
#: The class id of the advisory locks on movement numbers.
NUMBER_LOCK_CLASS = 2


class Behaviour(StrEnum):
    """How an account at the sandbox bank behaves."""

    PAYS = "pays"
    NO_FUNDS = "no_funds"
    NO_FUNDS_UNTIL = "no_funds_until"
    HARD_DECLINE = "hard_decline"
    TIMEOUT_THEN_PAID = "timeout_then_paid"
    TIMEOUT_THEN_NOT_PAID = "timeout_then_not_paid"
    SLOW = "slow"
    DUPLICATE_CALLBACK = "duplicate_callback"
    LATE_CALLBACK = "late_callback"
    PARTIAL_BALANCE = "partial_balance"


@dataclass(frozen=True, slots=True)
class BankAccount:
    """A scripted account at the moment of a charge."""

    token: str
    behaviour: Behaviour
    until: datetime | None
    balance_minor: int | None
    charges: int


@dataclass(frozen=True, slots=True)
class Callback:
    """A signed callback that reports the outcome of a debit."""

    id: int
    raw: bytes
    signature: str


def open_account(
    token: str, behaviour: Behaviour, *, until: datetime | None = None, balance_minor: int | None = None
) -> None:
    """Open a scripted account. Does nothing if it exists."""
    with bank_transaction() as cursor:
        cursor.execute(
            "INSERT INTO sandbox_bank.account (token, behaviour, until, balance_minor) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (token) DO NOTHING",
            [token, behaviour.value, until, balance_minor],
        )


def change_account(
    token: str, behaviour: Behaviour, *, until: datetime | None = None, balance_minor: int | None = None
) -> None:
    """Change an account's behaviour from now on and reset its counters."""
    with bank_transaction() as cursor:
        cursor.execute(
            "UPDATE sandbox_bank.account SET behaviour = %s, until = %s, balance_minor = %s, charges = 0, refunds = 0"
            " WHERE token = %s",
            [behaviour.value, until, balance_minor, token],
        )


def accounts_of(tokens: Iterable[str]) -> dict[str, BankAccount]:
    """These accounts by their tokens."""
    with bank_transaction() as cursor:
        cursor.execute(
            "SELECT token, behaviour, until, balance_minor, charges FROM sandbox_bank.account WHERE token = ANY (%s)",
            [list(tokens)],
        )
        return {row[0]: BankAccount(row[0], Behaviour(row[1]), *row[2:]) for row in cursor.fetchall()}


def debit(number: str, token: str, amount: Money, *, at: datetime) -> Answer:
    """The bank's side of a charge: one effect per number, and the answer that reaches us, or none."""
    with bank_transaction() as cursor:
        if lock_number(cursor, number):
            return Declined("closed", FailureClass.TECHNICAL)
        cursor.execute(
            "UPDATE sandbox_bank.account SET charges = charges + 1 WHERE token = %s"
            " RETURNING token, behaviour, until, balance_minor, charges",
            [token],
        )
        row = cursor.fetchone()
        if row is None:
            return Declined("account_unknown", FailureClass.HARD)
        account = BankAccount(row[0], Behaviour(row[1]), *row[2:])
        movement = find_movement(cursor, number)
        if movement is not None:
            return answer_of(movement, at=at)
        if account.behaviour is Behaviour.TIMEOUT_THEN_NOT_PAID and account.charges == 1:
            return Unknown("timeout")
        refusal = _refusal(account, amount, at=at)
        record_movement(cursor, account, number, amount, refusal, at=at)
        if refusal is not None:
            return refusal
        return initial_answer(cursor, account, number, amount, at=at)


def look_up(number: str, *, at: datetime) -> Answer:
    """The bank's answer to a query for a number."""
    with bank_transaction() as cursor:
        movement = find_movement(cursor, number)
    return NumberNotFound() if movement is None else answer_of(movement, at=at)


def close(number: str, *, at: datetime) -> Answer:
    """Block this number from now on; or the outcome, if the bank already has a movement with it."""
    with bank_transaction() as cursor:
        lock_number(cursor, number)
        movement = find_movement(cursor, number)
        if movement is not None:
            return answer_of(movement, at=at)
        cursor.execute(
            "INSERT INTO sandbox_bank.closed (number, at) VALUES (%s, %s) ON CONFLICT (number) DO NOTHING", [number, at]
        )
    return Closed()


def due_callbacks(token_prefix: str, *, at: datetime, limit: int = 100) -> list[Callback]:
    """Callbacks due by now for accounts with this token prefix, signed."""
    with bank_transaction() as cursor:
        cursor.execute(
            "SELECT c.id, c.notify_id, d.number, coalesce(r.txn, d.txn), coalesce(r.amount_minor, d.amount_minor),"
            " d.currency, coalesce(r.code, '') FROM sandbox_bank.callback c"
            " JOIN sandbox_bank.debit d USING (number) LEFT JOIN sandbox_bank.returned r ON r.txn = c.return_txn"
            " WHERE c.delivered_at IS NULL AND c.due_at <= %s AND d.token LIKE %s ORDER BY c.due_at, c.id LIMIT %s",
            [at, f"{token_prefix}%", limit],
        )
        rows = cursor.fetchall()
    callbacks = []
    for key, notify_id, number, txn, amount, currency, code in rows:
        body = {"notify_id": notify_id, "number": number, "txn": txn, "amount": amount, "currency": currency}
        body |= {"taken_back": code} if code else {}
        raw = json.dumps(body).encode()
        callbacks.append(Callback(key, raw, sign(raw)))
    return callbacks


def mark_callback_delivered(callback_id: int, *, at: datetime) -> None:
    """The callback was acknowledged: the bank stops sending it."""
    with bank_transaction() as cursor:
        cursor.execute("UPDATE sandbox_bank.callback SET delivered_at = %s WHERE id = %s", [at, callback_id])


def debits_of(token: str) -> list[Money]:
    """What was really debited from an account, oldest first. Tests compare our ledger with it."""
    with bank_transaction() as cursor:
        cursor.execute(
            "SELECT amount_minor, currency FROM sandbox_bank.debit WHERE token = %s AND code = ''"
            " AND refund_of IS NULL ORDER BY at, number",
            [token],
        )
        return [Money(minor, currency) for minor, currency in cursor.fetchall()]


def sign(raw: bytes) -> str:
    """The bank's signature on what it sends."""
    return hmac.new(b"sandbox-bank:" + settings.SECRET_KEY.encode(), raw, sha256).hexdigest()


def _refusal(account: BankAccount, amount: Money, *, at: datetime) -> Declined | None:
    match account.behaviour:
        case Behaviour.HARD_DECLINE:
            return Declined("account_closed", FailureClass.HARD)
        case Behaviour.NO_FUNDS:
            return Declined("insufficient_funds", FailureClass.SOFT)
        case Behaviour.NO_FUNDS_UNTIL if account.until and at < account.until:
            return Declined("insufficient_funds", FailureClass.SOFT)
        case Behaviour.PARTIAL_BALANCE if amount.minor > (account.balance_minor or 0):
            return Declined("insufficient_funds", FailureClass.SOFT)
    return None


def record_movement(
    cursor: Any,
    account: BankAccount,
    number: str,
    amount: Money,
    refusal: Declined | None,
    *,
    at: datetime,
    refund_of: str | None = None,
    payout: bool = False,
) -> None:
    """Insert the bank's record of a debit, refund or payout that it executed or declined."""
    code, kind = (refusal.code, refusal.kind) if refusal else ("", "")
    settles_at = at + _A_DAY if account.behaviour is Behaviour.LATE_CALLBACK and not refusal else at
    txn, moved = f"sb_{uuid7().hex}", [amount.minor, amount.currency]
    cursor.execute(
        "INSERT INTO sandbox_bank.debit (number, token, txn, amount_minor, currency, code, kind, at, settles_at,"
        " refund_of, payout) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [number, account.token, txn, *moved, code, kind, at, settles_at, refund_of, payout],
    )
    if refusal is None and account.balance_minor is not None:
        cursor.execute(
            "UPDATE sandbox_bank.account SET balance_minor = balance_minor - %s WHERE token = %s",
            [-amount.minor if refund_of else amount.minor, account.token],
        )


def initial_answer(cursor: Any, account: BankAccount, number: str, amount: Money, *, at: datetime) -> Answer:
    """The answer that reaches the caller once the money has moved, by the account's behaviour."""
    late = account.behaviour is Behaviour.LATE_CALLBACK
    if late or account.behaviour is Behaviour.DUPLICATE_CALLBACK:
        # One callback, sent once or three times: a repeat carries the same notify_id, as with real channels.
        cursor.executemany(
            "INSERT INTO sandbox_bank.callback (number, notify_id, due_at) VALUES (%s, %s, %s)",
            [(number, f"n_{number}", at + _A_DAY if late else at)] * (1 if late else 3),
        )
    if account.behaviour is Behaviour.SLOW or (
        account.behaviour is Behaviour.TIMEOUT_THEN_PAID and account.charges == 1
    ):
        return Unknown("timeout")
    if late:
        return Unknown("processing")
    movement = find_movement(cursor, number)
    if movement is None:
        raise RuntimeError(f"the sandbox bank lost {number}")
    return Succeeded(movement["txn"], amount)


def lock_number(cursor: Any, number: str) -> bool:
    """Lock a number until the bank's transaction ends. Returns whether the number is closed."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [NUMBER_LOCK_CLASS, number])
    cursor.execute("SELECT 1 FROM sandbox_bank.closed WHERE number = %s", [number])
    return cursor.fetchone() is not None


def find_movement(cursor: Any, number: str) -> dict[str, Any] | None:
    columns = "txn, amount_minor, currency, code, kind, settles_at"
    cursor.execute(f"SELECT {columns} FROM sandbox_bank.debit WHERE number = %s", [number])  # noqa: S608  constant
    row = cursor.fetchone()
    return dict(zip(("txn", "amount", "currency", "code", "kind", "settles_at"), row, strict=True)) if row else None


def answer_of(movement: dict[str, Any], *, at: datetime) -> Answer:
    if movement["code"]:
        return Declined(movement["code"], movement["kind"])
    if at < movement["settles_at"]:
        return Unknown("processing")
    return Succeeded(movement["txn"], Money(movement["amount"], movement["currency"]))


@contextmanager
def bank_transaction() -> Iterator[Any]:
    """A transaction on the bank's own connection, committed at the end whatever happens to ours.

    Raises:
        django.db.Error: wrapped as on our own connection.
    """
    bank_connection, name = getattr(_local, "connection", None), connection.settings_dict["NAME"]
    if bank_connection is None or not is_quiet(bank_connection) or _local.name != name:
        params = {k: v for k, v in connection.get_connection_params().items() if k not in ("cursor_factory", "context")}
        with connection.wrap_database_errors:
            bank_connection = _local.connection = psycopg2.connect(**params)
        _local.name = name
    try:
        with connection.wrap_database_errors, bank_connection, bank_connection.cursor() as cursor:
            yield cursor
    except (OperationalError, InterfaceError):
        bank_connection.close()
        raise


def close_connection() -> None:
    """Close this thread's connection to the bank."""
    if (bank_connection := getattr(_local, "connection", None)) is not None:
        bank_connection.close()
