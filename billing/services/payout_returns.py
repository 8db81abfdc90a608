"""Payouts that a bank sends back days after they arrived: a case is opened, and closing it may owe the amount again."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction

from billing.models import Case, Payout, PayoutAccount, Settlement
from billing.refusals import PayoutNotOut, TransactionUsed
from billing.services.manual_resolution import clean_evidence, is_transaction_used
from billing.settlement_queries import PAYOUT_RETURNED
from billing.wire import settlement_out
from kernel.actor import Actor
from merchants.services import NewEvent, change_log, publish


@transaction.atomic
def record_payout_return(
    payout_id: UUID, *, txn: str, evidence: str, reason: str = "", by: Actor, at: datetime
) -> Case:
    """Record by hand that the bank returned a payout, by its own transaction `txn`, and open a case.

    The ledger does not change before the case is closed, and nothing more is paid to that account until then.

    Raises:
        NotFound: there is no such payout.
        PayoutNotOut: it has not arrived, or its return is recorded already.
        TransactionUsed: the bank's transaction belongs to another payout or case.
        Invalid: the evidence is empty or too long.
    """
    row = Payout.objects.locked(payout_id)
    if not can_be_returned(row):
        raise PayoutNotOut
    evidence, txn = clean_evidence(evidence, txn)
    if is_transaction_used(row, txn):
        raise TransactionUsed
    row.record("said_returned", by=by, at=at, txn=txn, evidence=evidence, note=reason)
    detail = {"code": "returned", "txn": txn}
    change_log.record_change(row.merchant_id, "payout_returned", row.settlement_id, by=by, at=at, txn=txn)
    return Case.objects.create(realm_id=row.realm_id, kind=PAYOUT_RETURNED, payout=row, detail=detail, opened_at=at)


def can_be_returned(row: Payout) -> bool:
    """Whether its return can be recorded: it arrived, and has no case that is open or owed it to the merchant again.

    So a payout is owed again at most once, however often the bank reports it.
    """
    return_cases = row.cases.filter(kind=PAYOUT_RETURNED)
    known = return_cases.filter(closed_at=None) | return_cases.filter(resolution=Case.Resolution.MERCHANT)
    return row.state == Payout.State.SUCCEEDED and not known.exists()


def publish_payout_returned(row: Payout, *, at: datetime) -> None:
    """Publish to the merchant, as an event of the settlement, that the amount is on their balance again."""
    settlement = Settlement.objects.locked(row.settlement_id)
    data: dict[str, Any] = msgspec.to_builtins(settlement_out(settlement))
    event = NewEvent(settlement.merchant_id, "settlement.returned", settlement.id, data)
    publish([event], realm_id=settlement.realm_id, at=at)


def has_open_return(merchant_id: UUID, account: PayoutAccount | None) -> bool:
    """Whether a return from this account is undecided. Nothing more is paid to the account until it is."""
    waiting = Case.objects.filter(kind=PAYOUT_RETURNED, closed_at=None, payout__merchant_id=merchant_id)
    return waiting.filter(payout__account=account).exists()
