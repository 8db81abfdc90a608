"""The sandbox bank's payouts to merchants: they arrive, unless the account number scripts something else."""

from datetime import datetime
from typing import Any

from billing.channels import bank
from billing.channels.bank import BankAccount, Behaviour
from billing.channels.base import Answer, Declined, Payee, Unknown
from billing.planning import FailureClass
from kernel.money import Money

#: The behaviour of an account by the last four digits of its number; any other accepts payouts.
BEHAVIOUR_BY_SUFFIX = {
    "0002": Behaviour.HARD_DECLINE,
    "0003": Behaviour.TIMEOUT_THEN_PAID,
    "0004": Behaviour.TIMEOUT_THEN_NOT_PAID,
    "0005": Behaviour.LATE_CALLBACK,
}


def pay_out(number: str, payee: Payee, amount: Money, *, at: datetime) -> Answer:
    """The bank's side of a payout: one effect per number, and the answer that reaches us, or none."""
    behaviour = BEHAVIOUR_BY_SUFFIX.get(payee.number[-4:], Behaviour.PAYS)
    bank.open_account(payee.token, behaviour)
    with bank.bank_transaction() as cursor:
        if bank.lock_number(cursor, number):
            return Declined("closed", FailureClass.TECHNICAL)
        account = _count_charge(cursor, payee.token)
        movement = bank.find_movement(cursor, number)
        if movement is not None:
            return bank.answer_of(movement, at=at)
        if account.behaviour is Behaviour.TIMEOUT_THEN_NOT_PAID and account.charges == 1:
            return Unknown("timeout")
        closed = account.behaviour is Behaviour.HARD_DECLINE
        refusal = Declined("account_closed", FailureClass.HARD) if closed else None
        bank.record_movement(cursor, account, number, amount, refusal, at=at, payout=True)
        return refusal or bank.initial_answer(cursor, account, number, amount, at=at)


def payouts_to(token_prefix: str) -> list[Money]:
    """What really arrived at accounts with this token prefix, oldest first. Tests compare our ledger with it."""
    with bank.bank_transaction() as cursor:
        cursor.execute(
            "SELECT amount_minor, currency FROM sandbox_bank.debit WHERE token LIKE %s AND code = '' AND payout"
            " ORDER BY at, number",
            [f"{token_prefix}%"],
        )
        return [Money(minor, currency) for minor, currency in cursor.fetchall()]


def _count_charge(cursor: Any, token: str) -> BankAccount:
    cursor.execute(
        "UPDATE sandbox_bank.account SET charges = charges + 1 WHERE token = %s"
        " RETURNING token, behaviour, until, balance_minor, charges",
        [token],
    )
    row = cursor.fetchone()
    return BankAccount(row[0], Behaviour(row[1]), *row[2:])
