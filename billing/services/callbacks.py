"""A channel calls back: verified, kept as it came, acted on once, by the same resolver as every answer."""

import hmac
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction

from billing.channels import Taken, bank, bank_calls
from billing.models import Callback, Deduction, Payout, RefundPart
from billing.refusals import BadSignature
from billing.services.disputes import take_back
from billing.services.movements import MovementReport
from billing.services.settle import Report, settle_all
from billing.services.settle_parts import PARTS
from billing.services.settle_payouts import PAYOUTS
from billing.services.stray_returns import Withdrawal
from kernel import wire
from kernel.actor import Actor
from kernel.models import Realm
from kernel.money import Money
from kernel.refusal import Busy, Malformed, NotFound
from kernel.sweeps import WORKS_FOR_SECONDS, Sweep, running_realms
from kernel.time_limit import TimeIsUp

log = structlog.get_logger(__name__)


class BankNote(wire.Wire):
    """What the sandbox bank writes in a callback."""

    notify_id: str
    number: str
    txn: str
    amount: int
    currency: str
    #: Why it took the debit back, where this says that it did; `txn` is then the movement that did.
    taken_back: str = ""


def receive(channel: str, raw: bytes, signature: str, *, real: datetime) -> bool:
    """Take in a callback, stamped with the time of its deduction's realm when it is `real` outside.

    False if it was here before, which is no error.

    Raises:
        NotFound: there is no such channel, or it never heard of the number from us.
        Busy: it has taken something back whose outcome, or that of a refund of it, we do not know yet.
        BadSignature: the channel did not sign these bytes.
        Malformed, Invalid: it did, and they still make no sense.
    """
    return _receive(channel, raw, signature, lambda realm: realm.now(real))


@transaction.atomic
def _receive(channel: str, raw: bytes, signature: str, now_in: Callable[[Realm], datetime]) -> bool:
    if channel != "sandbox":
        raise NotFound
    if not hmac.compare_digest(bank.sign(raw).encode(), signature.encode()):
        raise BadSignature
    note = BankNote.of(wire.decode(raw))
    known = _named(channel, note.number)
    at = now_in(known.realm)
    _, fresh = Callback.objects.get_or_create(
        channel=channel, notify_id=note.notify_id, defaults={"raw": raw, "at": at}
    )
    if not fresh:
        return False
    by = Actor.channel(channel)
    _make_true(note, known, by=by, at=at)
    return True


def _make_true(note: BankNote, known: Deduction | RefundPart | Payout, *, by: Actor, at: datetime) -> None:
    amount = Money(note.amount, note.currency)
    answer = Taken(note.txn, amount)
    if note.taken_back:
        take_back(known.id, Withdrawal(note.txn, amount, note.taken_back), by=by, at=at)
    elif isinstance(known, RefundPart):
        PARTS.settle_all([MovementReport(known.id, answer, "callback")], by=by, at=at)
    elif isinstance(known, Payout):
        PAYOUTS.settle_all([MovementReport(known.id, answer, "callback")], by=by, at=at)
    else:
        settle_all([Report(known.id, answer, "callback")], by=by, at=at)


def _named(channel: str, number: str) -> Deduction | RefundPart | Payout:
    """What we sent to this channel under this number."""
    try:
        key = UUID(hex=number)
    except ValueError:
        raise Malformed("number is not one of ours.") from None
    for life in (Deduction, RefundPart, Payout):
        known = life.objects.select_related("realm").filter(pk=key, channel=channel).first()
        if known is not None:
            return known
    raise NotFound


def deliver_sandbox_callbacks(realm: Realm, *, real: datetime) -> int:
    """The sandbox bank delivers a realm's callbacks that are due when it is `real` outside. Returns how many were."""
    return deliver_callbacks(realm.id, at=realm.now(real))


def deliver_everywhere(*, real: datetime) -> None:
    """The postman goes to each sandbox whose time passes and for which something is due, for as long as a ring works.

    Trouble in one is logged and keeps no other waiting.
    """
    until = time.monotonic() + WORKS_FOR_SECONDS
    first = {int(key): due_at for key, due_at in bank_calls.waiting_for_calls().items() if key.isdecimal()}
    for realm in running_realms().filter(pk__in=first).order_by("?"):
        if first[realm.id] > realm.now(real):
            continue
        if time.monotonic() >= until:
            return
        try:
            deliver_sandbox_callbacks(realm, real=real)
        except TimeIsUp:
            raise
        except Exception:
            log.exception("sweep_failed", realm=realm.id, due="callbacks")


def deliver_callbacks(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """The sandbox bank's postman: takes a realm's due callbacks to the same door a real channel would knock at.

    One that is not taken in is logged, keeps nobody else waiting, and comes again the next time.
    """
    due = bank.callbacks_due(f"{realm_id}:", at=at, limit=limit)
    for item in due:
        try:
            _receive("sandbox", item.raw, item.signature, lambda _realm: at)
        except Busy:
            log.info("callback_waits", callback=item.id, realm=realm_id)
            continue
        except TimeIsUp:
            raise
        except Exception:
            log.exception("callback_not_taken_in", callback=item.id, realm=realm_id)
            continue
        bank.delivered(item.id, at=at)
    return len(due)


DUE = Sweep(
    name="callbacks",
    act=deliver_callbacks,
    first="SELECT min(c.due_at) FROM sandbox_bank.callback c JOIN sandbox_bank.debit d ON d.number = c.number"
    " WHERE c.delivered_at IS NULL AND d.token LIKE %(realm)s || ':%%'",
)
