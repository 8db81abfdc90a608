"""The sandbox bank as a channel."""

from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError

from billing.channels import bank, bank_disputes, bank_payouts, bank_refunds
from billing.channels.base import Answer, ChargeRequest, PayoutRequest, RefundRequest, Ruling, Unknown


class SandboxChannel:
    """Charges scripted accounts and pays merchants. A lost connection is an unknown outcome, never a failure."""

    name = "sandbox"
    finality = timedelta(seconds=30)
    min_queries = 2
    max_parallel_calls = 1

    def charge(self, request: ChargeRequest) -> Answer:
        try:
            return bank.debit(request.number, request.token, request.amount, at=request.at)
        except (OperationalError, InterfaceError):
            return Unknown("connection_lost")

    def refund(self, request: RefundRequest) -> Answer:
        try:
            return bank_refunds.refund(request.number, request.txn, request.amount, at=request.at)
        except (OperationalError, InterfaceError):
            return Unknown("connection_lost")

    def pay_out(self, request: PayoutRequest) -> Answer:
        try:
            return bank_payouts.pay_out(request.number, request.payee, request.amount, at=request.at)
        except (OperationalError, InterfaceError):
            return Unknown("connection_lost")

    def query(self, number: str, *, at: datetime) -> Answer:
        try:
            return bank.look_up(number, at=at)
        except (OperationalError, InterfaceError):
            return Unknown("connection_lost")

    def close(self, number: str, *, at: datetime) -> Answer:
        try:
            return bank.close(number, at=at)
        except (OperationalError, InterfaceError):
            return Unknown("connection_lost")

    def contest(self, txn: str, evidence: str, *, at: datetime) -> None:
        bank_disputes.contest(txn, evidence, at=at)

    def query_ruling(self, txn: str, *, at: datetime) -> Ruling:
        return bank_disputes.rule_dispute(txn, at=at)
