"""A person sends goods back: their money goes back ahead of them where they are trusted, and the clock stands still."""

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import Person
from billing.models import Dispute, Refund, RefundPart, Return, ReturnPolicy
from billing.refusals import AmountInvalid, NotReturnable, RefundTooMuch, ReturnClosed, ReturnOpen
from billing.returns import Terms
from billing.services.refund import Asked, prepare_refund, send_parts
from billing.services.settle_parts import lock_lines
from credit import services as credit
from kernel.actor import Actor
from kernel.ids import public
from kernel.money import Money
from kernel.refusal import FieldError, Invalid, Refusal
from kernel.versions import in_force
from merchants.models import Merchant, Service
from merchants.services import News, publish
from orders import services as orders
from orders.models import Obligation, Order, Pause
from orders.refusals import PaidElsewhere, WrittenOff

#: So many parcels of one order, those that were kept after all among them: saying so puts nothing off for ever.
RETURNS_MAX = 3
#: Why it is refunded. The person's own words stand in the return, and can be forgotten there.
FOR_A_RETURN = "退货 / return"
_LENGTHS = {"carrier": 40, "tracking_number": 40, "reason": 100}
_NUMBER = re.compile(r"[0-9A-Za-z-]+")
#: In which states there is something of an order to send back.
BILLED = (Order.State.COMPLETED, Order.State.OVERDUE, Order.State.DEDUCTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What is sent back with whom and why; all that is left of the order if no amount is said."""

    carrier: str
    tracking_number: str
    reason: str
    amount_minor: int | None = None


def open_return(order_id: UUID, parcel: Parcel, *, by: Actor, at: datetime) -> tuple[Return, bool]:
    """Goods are on their way back. Whoever is trusted, and has paid, has their money back before they arrive.

    Returns the return as it stands, and whether it is a new one: the same parcel of an order is the same return.

    Raises:
        NotFound: there is no such order; or its person sends it back, and has left.
        Invalid: a word is missing.
        NotReturnable: nothing of it is left to send back, or its time has passed.
        PaidElsewhere: the money never came through us.
        WrittenOff: its debt was given up as lost.
        AmountInvalid, RefundTooMuch: it is nothing, or more than is left of the order.
        ReturnOpen: another parcel of this order is on its way.
    """
    row, parts, fresh = _opened(order_id, _judged(parcel), by=by, at=at)
    send_parts(parts, by=by, at=at)
    return Return.objects.get(pk=row.id), fresh


@transaction.atomic
def withdraw_return(return_id: UUID, *, by: Actor, at: datetime) -> Return:
    """The person keeps the goods after all; a clock that it stopped goes on. Twice is once.

    Raises:
        NotFound: there is no such return.
        ReturnClosed: their money went back already, or the merchant has answered.
    """
    row = Return.objects.locked(return_id)
    if row.state == Return.State.WITHDRAWN:
        return row
    if row.state != Return.State.OPEN:
        raise ReturnClosed
    row.withdraw(at=at)
    row.record("withdrawn", by=by, at=at)
    orders.resume_order(row.order_id, Pause.Reason.RETURN, by=by, at=at)
    publish_return(row, "return.withdrawn", at=at)
    return row


@transaction.atomic
def _opened(order_id: UUID, parcel: Parcel, *, by: Actor, at: datetime) -> tuple[Return, list[RefundPart], bool]:
    lines = lock_lines(order_id)
    order = Order.objects.locked(order_id)
    known = order.returns.filter(carrier=parcel.carrier, tracking_number=parcel.tracking_number).first()
    if known is not None and known.state != Return.State.WITHDRAWN:
        return known, [], False
    policy = in_force(ReturnPolicy, at=at)
    terms = Terms(**policy.terms)
    amount = _amount(order, parcel.amount_minor, terms, at=at)
    order.record("return_opened", by=by, at=at, amount=amount.minor)
    parts: list[RefundPart] = []
    ahead: Refund | None = None
    if _is_trusted(order, amount, sum(line.kept_minor for line in lines), terms):
        asked = Asked(amount_minor=amount.minor, reason=FOR_A_RETURN, advanced=True)
        ahead, parts, _new = prepare_refund(order_id, asked, by=by, at=at)
    elif order.state != Order.State.DEDUCTED:
        orders.pause_order(order_id, Pause.Reason.RETURN, by=by, at=at)
    row = _begun(order, parcel, amount, ahead, terms, at=at)
    row.record("opened", by=by, at=at, policy=policy.version, amount=amount.minor)
    if by.kind == "person":
        Person.objects.staying(order.person_id)  # nobody sends anything after they have left
    publish_return(row, "return.opened", at=at)
    if ahead is not None:
        publish_return(row, "return.advanced", at=at)
    return row, parts, True


def _begun(order: Order, parcel: Parcel, amount: Money, ahead: Refund | None, terms: Terms, *, at: datetime) -> Return:
    return Return(
        realm_id=order.realm_id,
        merchant_id=order.merchant_id,
        person_id=order.person_id,
        order=order,
        currency=order.currency,
        amount_minor=amount.minor,
        carrier=parcel.carrier,
        tracking_number=parcel.tracking_number,
        reason=parcel.reason,
        state=Return.State.ADVANCED if ahead else Return.State.OPEN,
        advance=ahead,
        opened_at=at,
        answer_until=terms.until(at),
        act_at=terms.remind_at(at),
    )


def _judged(parcel: Parcel) -> Parcel:
    """The same without blanks around its words.

    Raises:
        Invalid: one is missing or too long, or the number is none.
    """
    words = {name: text.strip() for name, text in asdict(parcel).items() if name != "amount_minor"}
    errors = [
        FieldError(f"/{name}", format_lazy(_("1 to {most} characters."), most=most))
        for name, most in _LENGTHS.items()
        if not 0 < len(words[name]) <= most
    ]
    if not errors and not _NUMBER.fullmatch(words["tracking_number"]):
        errors.append(FieldError("/tracking_number", _("Letters, digits and hyphens only.")))
    if errors:
        raise Invalid(errors=errors)
    return Parcel(**words, amount_minor=parcel.amount_minor)


def _amount(order: Order, asked: int | None, terms: Terms, *, at: datetime) -> Money:
    """How much of the order is sent back."""
    if order.state not in BILLED or order.completed_at is None or at > order.completed_at + terms.within:
        raise NotReturnable
    if order.returns.filter(state__in=Return.LIVE).exists():
        raise ReturnOpen
    if order.history.filter(kind="paid_elsewhere").exists():
        raise PaidElsewhere
    if order.obligations.exclude(kind=Obligation.Kind.LATE_FEE).filter(state=Obligation.State.WRITTEN_OFF).exists():
        raise WrittenOff
    left = order.total - order.refunded
    if not left or order.returns.count() >= RETURNS_MAX:
        raise NotReturnable
    amount = Money(left.minor if asked is None else asked, order.currency)
    if amount.minor <= 0:
        raise AmountInvalid("Nothing would be sent back.")
    if amount > left:
        raise RefundTooMuch
    return amount


def _is_trusted(order: Order, amount: Money, kept_minor: int, terms: Terms) -> bool:
    """Whether the money goes back at once: it is all here, nothing else moves it, and the person is trusted so far.

    Whoever asks holds the person's profile until the transaction ends, so two returns at once are counted one by one.
    """
    if order.state != Order.State.DEDUCTED or amount.minor > kept_minor:
        return False
    if order.merchant.state == Merchant.State.SUSPENDED:
        return False
    if is_moved(order):
        return False
    orders.lock_refundable(order.id)
    profile = credit.lock_profile(order.person_id)
    if profile is None:
        return False
    undecided = Return.objects.filter(person_id=order.person_id, state__in=Return.LIVE, advance__isnull=False).count()
    overdue = bool(profile.overdue_orders)
    return terms.trusts(profile.score, overdue=overdue, undecided=undecided, amount=amount)


def is_moved(order: Order) -> bool:
    """Whether its money is on its way back already, or a channel has it and that is undecided."""
    if order.refunds.filter(state=Refund.State.PENDING).exists():
        return True
    return Dispute.objects.filter(lines__order_id=order.id, state__in=Dispute.LIVE).exists()


def returnable(order: Order, *, at: datetime) -> bool:
    """Whether its person can send something of it back now: goods at a price, not long ago, and nothing on its way.

    What is used and then paid for is not sent back; where it was all the same, its merchant says so by API.
    """
    if order.service.mode != Service.Mode.FIXED:
        return False
    try:
        _amount(order, None, in_force_terms(at), at=at)
    except Refusal:
        return False
    return True


def in_force_terms(at: datetime) -> Terms:
    return Terms(**in_force(ReturnPolicy, at=at).terms)


def publish_return(row: Return, event: str, *, at: datetime) -> None:
    """The merchant hears of it, among the events of the order."""
    data = {
        "id": row.public_id,
        "order": public("ord", row.order_id),
        "state": row.state,
        "currency": row.currency,
        "amount": row.amount_minor,
        "refund": public("rfd", row.advance_id) if row.advance_id else None,
        "carrier": row.carrier,
        "tracking_number": row.tracking_number,
        "reason": row.reason,
        "because": row.because,
        "answer_until": row.answer_until,
    }
    publish([News(row.merchant_id, event, row.order_id, data)], realm_id=row.realm_id, at=at)
