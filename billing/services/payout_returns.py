"""A bank sends a payout back days after it arrived: it is looked at as a case, and owed again when that is judged."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction

from billing.models import Case, Payout, PayoutAccount, Settlement
from billing.refusals import PayoutNotOut, TransactionUsed
from billing.services.resolve import is_used, word_of
from billing.statements import GONE_BACK
from billing.wire import settlement_out
from kernel.actor import Actor
from merchants.services import News, publish, record


@transaction.atomic
def say_returned(payout_id: UUID, *, txn: str, evidence: str, reason: str = "", by: Actor, at: datetime) -> Case:
    """A colleague has read that the bank sent it back by a movement of its own, `txn`. That is a case from now on.

    Nothing moves in the book before the case is judged, and nothing more goes to that account until it is.

    Raises:
        NotFound: there is no such payout.
        PayoutNotOut: it has not arrived, or that it came back is said already.
        TransactionUsed: the bank's transaction is another payout's, or a case's.
        Invalid: there is no evidence, or more than is kept.
    """
    row = Payout.objects.locked(payout_id)
    if not returnable(row):
        raise PayoutNotOut
    evidence, txn = word_of(evidence, txn)
    if is_used(row, txn):
        raise TransactionUsed
    row.record("said_returned", by=by, at=at, txn=txn, evidence=evidence, note=reason)
    detail = {"code": "returned", "txn": txn}
    record.note(row.merchant_id, "payout_returned", row.settlement_id, by=by, at=at, txn=txn)
    return Case.objects.create(realm_id=row.realm_id, kind=GONE_BACK, payout=row, detail=detail, opened_at=at)


def returnable(row: Payout) -> bool:
    """Whether it can be said to have come back: it arrived, and no such case waits or made it owed again.

    That is so once for ever, however often the bank says so.
    """
    said = row.cases.filter(kind=GONE_BACK)
    known = said.filter(closed_at=None) | said.filter(resolution=Case.Resolution.MERCHANT)
    return row.state == Payout.State.SUCCEEDED and not known.exists()


def tell_owed_again(row: Payout, *, at: datetime) -> None:
    """Its merchant hears that it is their balance again, among the events of its settlement."""
    settlement = Settlement.objects.locked(row.settlement_id)
    told: dict[str, Any] = msgspec.to_builtins(settlement_out(settlement))
    news = News(settlement.merchant_id, "settlement.returned", settlement.id, told)
    publish([news], realm_id=settlement.realm_id, at=at)


def in_question(merchant_id: UUID, account: PayoutAccount | None) -> bool:
    """Whether something came back from the account, and nobody has judged it: nothing more is sent there until then."""
    waiting = Case.objects.filter(kind=GONE_BACK, closed_at=None, payout__merchant_id=merchant_id)
    return waiting.filter(payout__account=account).exists()
