"""Effects of a payout that succeeded or failed. How its result is determined is in `movements`."""

from datetime import datetime
from typing import Any

import msgspec

from billing.models import Payout, Settlement
from billing.services.movements import CaseKinds, MovementResolver
from billing.services.unsettled_postings import ARRIVED, CAME_BACK
from billing.settlement_queries import PAYOUT_RETURNED
from billing.wire import settlement_out
from kernel.actor import Actor
from ledger import accounts as book
from ledger import services as ledger
from merchants.services import NewEvent, publish


def _on_success(payout: Payout, *, by: Actor, at: datetime) -> None:
    """The merchant has the money: post it and publish `settlement.paid`."""
    settlement = Settlement.objects.locked(payout.settlement_id)
    settlement.mark_paid(at=at)
    settlement.record("paid", by=by, at=at, payout=payout.public_id)
    _post(payout, ARRIVED, book.PAYOUTS, book.clearing(payout.channel), at=at)
    data: dict[str, Any] = msgspec.to_builtins(settlement_out(settlement))
    event = NewEvent(settlement.merchant_id, "settlement.paid", settlement.id, data)
    publish([event], realm_id=settlement.realm_id, at=at)


def _on_failure(payout: Payout, *, by: Actor, at: datetime) -> None:
    """The payout failed: the amount is on the merchant's balance again and is carried over into the next settlement."""
    settlement = Settlement.objects.locked(payout.settlement_id)
    settlement.mark_failed()
    settlement.record("failed", by=by, at=at, payout=payout.public_id, code=payout.failure_code)
    _post(payout, CAME_BACK, book.PAYOUTS, book.payable(payout.merchant_id), at=at)


def _post(payout: Payout, kind: str, debit: book.Account, credit: book.Account, *, at: datetime) -> None:
    entry = ledger.JournalEntry(payout.id, kind, [book.Move(debit, credit, payout.amount)])
    ledger.post([entry], realm_id=payout.realm_id, at=at)


PAYOUTS = MovementResolver(
    model=Payout,
    column="payout",
    case_kinds=CaseKinds(
        wrong_amount="payout_of_wrong_amount",
        declined_after=PAYOUT_RETURNED,
        duplicate="paid_out_twice",
        after_failure="paid_out_after_failure",
    ),
    on_success=_on_success,
    on_failure=_on_failure,
)
