"""Callbacks of channels: verified, stored as received, and applied once, by the same resolver as every answer."""

import hmac
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction

from billing.channels import Succeeded, bank, bank_callbacks
from billing.models import Callback, Deduction, Payout, RefundPart
from billing.refusals import BadSignature
from billing.services.deduction_outcomes import DeductionReport, settle_all
from billing.services.disputes import record_chargeback
from billing.services.movements import MovementReport
from billing.services.payout_outcomes import PAYOUTS
from billing.services.refund_outcomes import REFUND_PARTS
from billing.services.stray_chargebacks import Chargeback
from kernel import wire
from kernel.actor import Actor
from kernel.models import Realm
from kernel.money import Money
from kernel.refusal import Busy, Malformed, NotFound
from kernel.sweeps import TIME_BUDGET_SECONDS, Sweep, running_realms

log = structlog.get_logger(__name__)


class BankCallback(wire.Wire):
    """The body of a callback from the sandbox bank."""

    notify_id: str
    number: str
    txn: str
    amount: int
    currency: str
    #: The reason code if the bank returned the debit; `txn` is then the transaction of the return.
    taken_back: str = ""


def receive_callback(channel: str, raw: bytes, signature: str, *, real: datetime) -> bool:
    """Receive a callback, stamped with the time of its movement's realm at the real time `real`.

    Returns False if it was received before, which is no error.

    Raises:
        NotFound: there is no such channel, or nothing was sent to it under this number.
        Busy: it returns a debit whose outcome, or that of a refund of it, is not known yet.
        BadSignature: the channel did not sign these bytes.
        Malformed, Invalid: the signature is right, but the content is not.
    """
    return _process_callback(channel, raw, signature, lambda realm: realm.now(real))


@transaction.atomic
def _process_callback(channel: str, raw: bytes, signature: str, now_in: Callable[[Realm], datetime]) -> bool:
    if channel != "sandbox":
        raise NotFound
    if not hmac.compare_digest(bank.sign(raw).encode(), signature.encode()):
        raise BadSignature
    body = BankCallback.of(wire.decode(raw))
    movement = _find_movement(channel, body.number)
    at = now_in(movement.realm)
    _, created = Callback.objects.get_or_create(
        channel=channel, notify_id=body.notify_id, defaults={"raw": raw, "at": at}
    )
    if not created:
        return False
    by = Actor.channel(channel)
    _apply_callback(body, movement, by=by, at=at)
    return True


def _apply_callback(body: BankCallback, movement: Deduction | RefundPart | Payout, *, by: Actor, at: datetime) -> None:
    amount = Money(body.amount, body.currency)
    answer = Succeeded(body.txn, amount)
    if body.taken_back:
        record_chargeback(movement.id, Chargeback(body.txn, amount, body.taken_back), by=by, at=at)
    elif isinstance(movement, RefundPart):
        REFUND_PARTS.settle_all([MovementReport(movement.id, answer, "callback")], by=by, at=at)
    elif isinstance(movement, Payout):
        PAYOUTS.settle_all([MovementReport(movement.id, answer, "callback")], by=by, at=at)
    else:
        settle_all([DeductionReport(movement.id, answer, "callback")], by=by, at=at)


def _find_movement(channel: str, number: str) -> Deduction | RefundPart | Payout:
    """The deduction, refund part or payout sent to this channel under this number."""
    try:
        key = UUID(hex=number)
    except ValueError:
        raise Malformed("number is not one of ours.") from None
    for model in (Deduction, RefundPart, Payout):
        movement = model.objects.select_related("realm").filter(pk=key, channel=channel).first()
        if movement is not None:
            return movement
    raise NotFound


def deliver_realm_callbacks(realm: Realm, *, real: datetime) -> int:
    """Deliver the sandbox bank's callbacks that are due in a realm at the real time `real`. Returns how many were."""
    return deliver_callbacks(realm.id, at=realm.now(real))


def deliver_all_callbacks(*, real: datetime) -> None:
    """Deliver the sandbox bank's due callbacks in every running sandbox, within one job run's time budget.

    An error in one sandbox is logged and does not stop the others.
    """
    until = time.monotonic() + TIME_BUDGET_SECONDS
    first_due = {int(key): due_at for key, due_at in bank_callbacks.pending_callbacks().items() if key.isdecimal()}
    for realm in running_realms().filter(pk__in=first_due).order_by("?"):
        if first_due[realm.id] > realm.now(real):
            continue
        if time.monotonic() >= until:
            return
        try:
            deliver_realm_callbacks(realm, real=real)
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("sweep_failed", realm=realm.id, due="callbacks")


def deliver_callbacks(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Deliver a realm's due sandbox callbacks through the same code path as a real channel's.

    One that fails is logged, does not stop the others, and is delivered again by the next run.
    """
    due = bank.due_callbacks(f"{realm_id}:", at=at, limit=limit)
    for item in due:
        try:
            _process_callback("sandbox", item.raw, item.signature, lambda _realm: at)
        except Busy:
            log.info("callback_waits", callback=item.id, realm=realm_id)
            continue
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("callback_not_taken_in", callback=item.id, realm=realm_id)
            continue
        bank.mark_callback_delivered(item.id, at=at)
    return len(due)


SWEEP = Sweep(
    name="callbacks",
    process_batch=deliver_callbacks,
    first_due_sql="SELECT min(c.due_at) FROM sandbox_bank.callback c JOIN sandbox_bank.debit d ON d.number = c.number"
    " WHERE c.delivered_at IS NULL AND d.token LIKE %(realm)s || ':%%'",
)
