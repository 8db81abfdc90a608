"""What it means that a payout arrived, or did not; how that is found out stands in `movements`."""

from datetime import datetime
from typing import Any

import msgspec

from billing.models import Payout, Settlement
from billing.services.movements import CaseNames, Resolver
from billing.services.unsettled import ARRIVED, CAME_BACK
from billing.statements import GONE_BACK
from billing.wire import settlement_out
from kernel.actor import Actor
from ledger import rules as book
from ledger import services as ledger
from merchants.services import News, publish


def _arrived(payout: Payout, *, by: Actor, at: datetime) -> None:
    """The merchant has the money: book it, and say so."""
    settlement = Settlement.objects.locked(payout.settlement_id)
    settlement.arrive(at=at)
    settlement.record("paid", by=by, at=at, payout=payout.public_id)
    _book(payout, ARRIVED, book.PAYOUTS, book.clearing(payout.channel), at=at)
    told: dict[str, Any] = msgspec.to_builtins(settlement_out(settlement))
    news = News(settlement.merchant_id, "settlement.paid", settlement.id, told)
    publish([news], realm_id=settlement.realm_id, at=at)


def _came_back(payout: Payout, *, by: Actor, at: datetime) -> None:
    """Nothing arrived: it is the merchant's balance again, and comes along into the next settlement."""
    settlement = Settlement.objects.locked(payout.settlement_id)
    settlement.bounce()
    settlement.record("failed", by=by, at=at, payout=payout.public_id, code=payout.failure_code)
    _book(payout, CAME_BACK, book.PAYOUTS, book.payable(payout.merchant_id), at=at)


def _book(payout: Payout, kind: str, debit: book.Account, credit: book.Account, *, at: datetime) -> None:
    fact = ledger.Fact(payout.id, kind, [book.Move(debit, credit, payout.amount)])
    ledger.post([fact], realm_id=payout.realm_id, at=at)


PAYOUTS = Resolver(
    model=Payout,
    column="payout",
    cases=CaseNames(
        wrong_amount="payout_of_wrong_amount",
        declined_after=GONE_BACK,
        twice="paid_out_twice",
        after_failure="paid_out_after_failure",
    ),
    arrived=_arrived,
    undone=_came_back,
)
