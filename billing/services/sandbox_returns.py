"""In a sandbox a merchant has the bank take a debit back, to see what comes of it."""

from datetime import datetime
from uuid import UUID

from billing.channels import bank_returns
from billing.models import Deduction
from billing.refusals import NothingToTakeBack
from billing.services.callbacks import deliver_callbacks
from billing.services.instruments import SANDBOX
from kernel.idempotency import KEPT


def take_back_latest(order_id: UUID, code: str, *, asked_as: str = "", at: datetime) -> None:
    """The bank takes back what is left of the latest debit for the order, and calls at once to say so.

    What is asked again by the same name (`asked_as`), because nobody lived to answer, takes nothing back again.

    Raises:
        NothingToTakeBack: nothing was taken for it from an account at the bank, or all of it went back.
    """
    taken = Deduction.objects.filter(lines__order_id=order_id, channel=SANDBOX, state=Deduction.State.SUCCEEDED)
    latest = taken.order_by("-id").first()
    if latest is None:
        raise NothingToTakeBack
    done = bool(asked_as) and bank_returns.was_asked(asked_as, within=KEPT)
    if not done and bank_returns.take_back(latest.number, code, asked_as=asked_as, at=at) is None:
        raise NothingToTakeBack
    deliver_callbacks(latest.realm_id, at=at)
