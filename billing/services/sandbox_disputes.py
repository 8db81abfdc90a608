"""Simulated disputes: in a sandbox a merchant can make the bank return a debit."""

from datetime import datetime
from uuid import UUID

from billing.channels import bank_disputes
from billing.models import Deduction
from billing.refusals import NothingToTakeBack
from billing.services.callbacks import deliver_callbacks
from billing.services.instruments import SANDBOX
from kernel.idempotency import RETENTION


def dispute_latest_deduction(order_id: UUID, code: str, *, request_key: str = "", at: datetime) -> None:
    """Make the bank return what is left of the order's latest debit, and send its callback at once.

    A repeat with the same `request_key`, after a lost answer, returns nothing again.

    Raises:
        NothingToTakeBack: there is no debit at the bank for the order, or all of it went back.
    """
    taken = Deduction.objects.filter(lines__order_id=order_id, channel=SANDBOX, state=Deduction.State.SUCCEEDED)
    latest = taken.order_by("-id").first()
    if latest is None:
        raise NothingToTakeBack
    is_repeat = bool(request_key) and bank_disputes.is_repeated_request(request_key, within=RETENTION)
    if not is_repeat and bank_disputes.reverse_debit(latest.number, code, request_key=request_key, at=at) is None:
        raise NothingToTakeBack
    deliver_callbacks(latest.realm_id, at=at)
