"""The channel to the sandbox bank."""

from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError

from billing.channels import bank, bank_payouts, bank_refunds, bank_returns
from billing.channels.base import Answer, Charge, Disbursal, Lost, Return, Ruling


class SandboxChannel:
    """Charges scripted accounts and pays merchants; any trouble on the line is an unknown outcome, never a failure."""

    name = "sandbox"
    finality = timedelta(seconds=30)
    asks_min = 2
    at_once = 1

    def charge(self, charge: Charge) -> Answer:
        try:
            return bank.debit(charge.number, charge.token, charge.amount, at=charge.at)
        except (OperationalError, InterfaceError):
            return Lost("connection_lost")

    def give_back(self, asked: Return) -> Answer:
        try:
            return bank_refunds.refund(asked.number, asked.txn, asked.amount, at=asked.at)
        except (OperationalError, InterfaceError):
            return Lost("connection_lost")

    def pay_out(self, asked: Disbursal) -> Answer:
        try:
            return bank_payouts.pay_out(asked.number, asked.payee, asked.amount, at=asked.at)
        except (OperationalError, InterfaceError):
            return Lost("connection_lost")

    def query(self, number: str, *, at: datetime) -> Answer:
        try:
            return bank.look_up(number, at=at)
        except (OperationalError, InterfaceError):
            return Lost("connection_lost")

    def close(self, number: str, *, at: datetime) -> Answer:
        try:
            return bank.close(number, at=at)
        except (OperationalError, InterfaceError):
            return Lost("connection_lost")

    def contest(self, txn: str, evidence: str, *, at: datetime) -> None:
        bank_returns.contest(txn, evidence, at=at)

    def ruling(self, txn: str, *, at: datetime) -> Ruling:
        return bank_returns.ruling(txn, at=at)
