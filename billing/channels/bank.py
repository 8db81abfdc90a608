"""The sandbox bank: it takes money as its scripted accounts tell it to, and remembers what we forget.

Its books stand in a schema of their own and are written over a connection of their own that commits at once: what
it did stays done when our transaction rolls back or our process is killed, as with any real bank.
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

from billing.channels.base import Absent, Answer, Closed, Declined, Lost, Taken
from billing.planning import Kind
from kernel.ids import uuid7
from kernel.money import Money

_local = threading.local()
_A_DAY = timedelta(days=1)
#: The class of the advisory locks that name a number.
TURN = 2


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
    """One scripted account, as it stands at the moment of a charge."""

    token: str
    behaviour: Behaviour
    until: datetime | None
    balance_minor: int | None
    charges: int


@dataclass(frozen=True, slots=True)
class Callback:
    """What the bank sends to say how a debit ended."""

    id: int
    raw: bytes
    signature: str


def open_account(
    token: str, behaviour: Behaviour, *, until: datetime | None = None, balance_minor: int | None = None
) -> None:
    """A scripted account begins."""
    with books() as cursor:
        cursor.execute(
            "INSERT INTO sandbox_bank.account (token, behaviour, until, balance_minor) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (token) DO NOTHING",
            [token, behaviour.value, until, balance_minor],
        )


def change_account(
    token: str, behaviour: Behaviour, *, until: datetime | None = None, balance_minor: int | None = None
) -> None:
    """The account behaves otherwise from now on, as one that was never charged."""
    with books() as cursor:
        cursor.execute(
            "UPDATE sandbox_bank.account SET behaviour = %s, until = %s, balance_minor = %s, charges = 0, refunds = 0"
            " WHERE token = %s",
            [behaviour.value, until, balance_minor, token],
        )


def accounts_of(tokens: Iterable[str]) -> dict[str, BankAccount]:
    """How these accounts stand now, by their tokens."""
    with books() as cursor:
        cursor.execute(
            "SELECT token, behaviour, until, balance_minor, charges FROM sandbox_bank.account WHERE token = ANY (%s)",
            [list(tokens)],
        )
        return {row[0]: BankAccount(row[0], Behaviour(row[1]), *row[2:]) for row in cursor.fetchall()}


def debit(number: str, token: str, amount: Money, *, at: datetime) -> Answer:
    """The bank's side of a charge: one effect a number, and the answer that reaches us, or none."""
    with books() as cursor:
        if turn(cursor, number):
            return Declined("closed", Kind.TECHNICAL)
        cursor.execute(
            "UPDATE sandbox_bank.account SET charges = charges + 1 WHERE token = %s"
            " RETURNING token, behaviour, until, balance_minor, charges",
            [token],
        )
        row = cursor.fetchone()
        if row is None:
            return Declined("account_unknown", Kind.HARD)
        account = BankAccount(row[0], Behaviour(row[1]), *row[2:])
        known = movement_of(cursor, number)
        if known is not None:
            return told(known, at=at)
        if account.behaviour is Behaviour.TIMEOUT_THEN_NOT_PAID and account.charges == 1:
            return Lost("timeout")
        refusal = _refusal(account, amount, at=at)
        write(cursor, account, number, amount, refusal, at=at)
        if refusal is not None:
            return refusal
        return first_answer(cursor, account, number, amount, at=at)


def look_up(number: str, *, at: datetime) -> Answer:
    """What the bank says about a number when asked."""
    with books() as cursor:
        known = movement_of(cursor, number)
    return Absent() if known is None else told(known, at=at)


def close(number: str, *, at: datetime) -> Answer:
    """Nothing is taken under this number from now on; or what was, if it came to that."""
    with books() as cursor:
        turn(cursor, number)
        known = movement_of(cursor, number)
        if known is not None:
            return told(known, at=at)
        cursor.execute(
            "INSERT INTO sandbox_bank.closed (number, at) VALUES (%s, %s) ON CONFLICT (number) DO NOTHING", [number, at]
        )
    return Closed()


def callbacks_due(tokens_like: str, *, at: datetime, limit: int = 100) -> list[Callback]:
    """Callbacks the bank sends by now for accounts whose token begins so, signed."""
    with books() as cursor:
        cursor.execute(
            "SELECT c.id, c.notify_id, d.number, coalesce(r.txn, d.txn), coalesce(r.amount_minor, d.amount_minor),"
            " d.currency, coalesce(r.code, '') FROM sandbox_bank.callback c"
            " JOIN sandbox_bank.debit d USING (number) LEFT JOIN sandbox_bank.returned r ON r.txn = c.return_txn"
            " WHERE c.delivered_at IS NULL AND c.due_at <= %s AND d.token LIKE %s ORDER BY c.due_at, c.id LIMIT %s",
            [at, f"{tokens_like}%", limit],
        )
        rows = cursor.fetchall()
    made = []
    for key, notify_id, number, txn, amount, currency, code in rows:
        body = {"notify_id": notify_id, "number": number, "txn": txn, "amount": amount, "currency": currency}
        body |= {"taken_back": code} if code else {}
        raw = json.dumps(body).encode()
        made.append(Callback(key, raw, sign(raw)))
    return made


def delivered(callback_id: int, *, at: datetime) -> None:
    """We have acknowledged the callback; the bank sends it no more."""
    with books() as cursor:
        cursor.execute("UPDATE sandbox_bank.callback SET delivered_at = %s WHERE id = %s", [at, callback_id])


def debits_of(token: str) -> list[Money]:
    """What was really taken from an account, oldest first: the truth the tests hold our book against."""
    with books() as cursor:
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
            return Declined("account_closed", Kind.HARD)
        case Behaviour.NO_FUNDS:
            return Declined("insufficient_funds", Kind.SOFT)
        case Behaviour.NO_FUNDS_UNTIL if account.until and at < account.until:
            return Declined("insufficient_funds", Kind.SOFT)
        case Behaviour.PARTIAL_BALANCE if amount.minor > (account.balance_minor or 0):
            return Declined("insufficient_funds", Kind.SOFT)
    return None


def write(
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
    """The bank's own line of what it moved or refused: out of the account, back into it, or to it from us."""
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


def first_answer(cursor: Any, account: BankAccount, number: str, amount: Money, *, at: datetime) -> Answer:
    """The money has moved; this is what of it reaches the caller."""
    late = account.behaviour is Behaviour.LATE_CALLBACK
    if late or account.behaviour is Behaviour.DUPLICATE_CALLBACK:
        # One callback, sent once or three times over: a repeat carries the same notify_id, as real channels' do.
        cursor.executemany(
            "INSERT INTO sandbox_bank.callback (number, notify_id, due_at) VALUES (%s, %s, %s)",
            [(number, f"n_{number}", at + _A_DAY if late else at)] * (1 if late else 3),
        )
    if account.behaviour is Behaviour.SLOW or (
        account.behaviour is Behaviour.TIMEOUT_THEN_PAID and account.charges == 1
    ):
        return Lost("timeout")
    if late:
        return Lost("processing")
    known = movement_of(cursor, number)
    if known is None:
        raise RuntimeError(f"the sandbox bank lost {number}")
    return Taken(known["txn"], amount)


def turn(cursor: Any, number: str) -> bool:
    """One at a time about one number, until the bank's transaction ends. Whether it is closed."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [TURN, number])
    cursor.execute("SELECT 1 FROM sandbox_bank.closed WHERE number = %s", [number])
    return cursor.fetchone() is not None


def movement_of(cursor: Any, number: str) -> dict[str, Any] | None:
    cursor.execute(
        "SELECT txn, amount_minor, currency, code, kind, settles_at FROM sandbox_bank.debit WHERE number = %s",
        [number],
    )
    row = cursor.fetchone()
    return dict(zip(("txn", "amount", "currency", "code", "kind", "settles_at"), row, strict=True)) if row else None


def told(known: dict[str, Any], *, at: datetime) -> Answer:
    if known["code"]:
        return Declined(known["code"], known["kind"])
    if at < known["settles_at"]:
        return Lost("processing")
    return Taken(known["txn"], Money(known["amount"], known["currency"]))


@contextmanager
def books() -> Iterator[Any]:
    """One transaction of the bank's own, committed at its end whatever becomes of ours.

    Raises:
        django.db.Error: as on our own line, so that whoever asked is told the same.
    """
    held, name = getattr(_local, "connection", None), connection.settings_dict["NAME"]
    if held is None or held.closed or _local.name != name:
        params = {k: v for k, v in connection.get_connection_params().items() if k not in ("cursor_factory", "context")}
        with connection.wrap_database_errors:
            held = _local.connection = psycopg2.connect(**params)
        _local.name = name
    try:
        with connection.wrap_database_errors, held, held.cursor() as cursor:
            yield cursor
    except (OperationalError, InterfaceError):
        held.close()
        raise


def hang_up() -> None:
    """Close this thread's line to the bank."""
    held = getattr(_local, "connection", None)
    if held is not None:
        held.close()
