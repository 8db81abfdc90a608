"""The sandbox bank pays merchants: whatever is sent to an account arrives, unless its number says otherwise."""

from datetime import datetime
from typing import Any

from billing.channels import bank
from billing.channels.bank import BankAccount, Behaviour
from billing.channels.base import Answer, Declined, Lost, Payee
from billing.planning import Kind
from kernel.money import Money

#: How an account behaves whose number ends so; any other takes what it is sent.
BY_ENDING = {
    "0002": Behaviour.HARD_DECLINE,
    "0003": Behaviour.TIMEOUT_THEN_PAID,
    "0004": Behaviour.TIMEOUT_THEN_NOT_PAID,
    "0005": Behaviour.LATE_CALLBACK,
}


def pay_out(number: str, payee: Payee, amount: Money, *, at: datetime) -> Answer:
    """The bank's side of a payout: one effect a number, and the answer that reaches us, or none."""
    behaviour = BY_ENDING.get(payee.number[-4:], Behaviour.PAYS)
    bank.open_account(payee.token, behaviour)
    with bank.books() as cursor:
        if bank.turn(cursor, number):
            return Declined("closed", Kind.TECHNICAL)
        account = _account_of(cursor, payee.token)
        known = bank.movement_of(cursor, number)
        if known is not None:
            return bank.told(known, at=at)
        if account.behaviour is Behaviour.TIMEOUT_THEN_NOT_PAID and account.charges == 1:
            return Lost("timeout")
        closed = account.behaviour is Behaviour.HARD_DECLINE
        refusal = Declined("account_closed", Kind.HARD) if closed else None
        bank.write(cursor, account, number, amount, refusal, at=at, payout=True)
        return refusal or bank.first_answer(cursor, account, number, amount, at=at)


def payouts_to(token_like: str) -> list[Money]:
    """What really arrived at accounts whose token begins so, oldest first: the truth that our book is held against."""
    with bank.books() as cursor:
        cursor.execute(
            "SELECT amount_minor, currency FROM sandbox_bank.debit WHERE token LIKE %s AND code = '' AND payout"
            " ORDER BY at, number",
            [f"{token_like}%"],
        )
        return [Money(minor, currency) for minor, currency in cursor.fetchall()]


def _account_of(cursor: Any, token: str) -> BankAccount:
    cursor.execute(
        "UPDATE sandbox_bank.account SET charges = charges + 1 WHERE token = %s"
        " RETURNING token, behaviour, until, balance_minor, charges",
        [token],
    )
    row = cursor.fetchone()
    return BankAccount(row[0], Behaviour(row[1]), *row[2:])
