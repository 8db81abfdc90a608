"""Returns of goods: opening and withdrawing them. Trusted people get an early refund; else the order is paused."""

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import Person
from billing.models import Dispute, Refund, RefundPart, Return, ReturnPolicy
from billing.refusals import AmountInvalid, RefundTooMuch
from billing.return_refusals import NotReturnable, ReturnClosed, ReturnOpen
from billing.return_terms import ReturnTerms
from billing.services.refund_outcomes import lock_refundable_lines
from billing.services.refunds import RefundDetails, prepare_refund, send_parts
from credit import services as credit
from credit.queries import has_left
from kernel.actor import Actor
from kernel.ids import public
from kernel.money import Money
from kernel.policy_versions import version_in_force
from kernel.refusal import FieldError, Invalid, Refusal
from merchants.models import Merchant, Service
from merchants.services import NewEvent, publish
from orders import services as orders
from orders.models import Obligation, Order, Pause
from orders.refusals import PaidElsewhere, WrittenOff

#: The most returns of one order, withdrawn ones included, so that returns cannot postpone payment forever.
RETURNS_MAX = 3
#: The reason of the refund. The person's own words are only in the return, where they can be erased.
RETURN_REFUND_REASON = "退货 / return"
_MAX_LENGTHS = {"carrier": 40, "tracking_number": 40, "reason": 100}
_TRACKING_NUMBER = re.compile(r"[0-9A-Za-z-]+")
#: States in which an order can be returned.
RETURNABLE_STATES = (Order.State.COMPLETED, Order.State.OVERDUE, Order.State.DEDUCTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """The returned parcel: carrier, tracking number, reason, and amount (None: all that is left of the order)."""

    carrier: str
    tracking_number: str
    reason: str
    amount_minor: int | None = None


def open_return(order_id: UUID, parcel: Parcel, *, by: Actor, at: datetime) -> tuple[Return, bool]:
    """Open a return: goods are on their way back. A trusted person who has paid gets an early refund.

    Returns the return in its current state, and whether it is new: the same parcel of an order is the same return.

    Raises:
        NotFound: there is no such order, or the person who returns it has closed their account.
        Invalid: a field is missing or invalid.
        NotReturnable: nothing of it is left to return, the return window has passed, or the person has left.
        PaidElsewhere: it was not paid through the platform.
        WrittenOff: its debt is written off.
        AmountInvalid, RefundTooMuch: the amount is not positive, or more than is left of the order.
        ReturnOpen: another return of this order is open.
    """
    row, parts, is_new = _create_return(order_id, _validate_parcel(parcel), by=by, at=at)
    send_parts(parts, by=by, at=at)
    return Return.objects.get(pk=row.id), is_new


@transaction.atomic
def withdraw_return(return_id: UUID, *, by: Actor, at: datetime) -> Return:
    """Withdraw a return: the person keeps the goods. An order it paused is resumed. Idempotent.

    Raises:
        NotFound: there is no such return.
        ReturnClosed: it was refunded early, or the merchant has answered.
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
def _create_return(order_id: UUID, parcel: Parcel, *, by: Actor, at: datetime) -> tuple[Return, list[RefundPart], bool]:
    lines = lock_refundable_lines(order_id)
    order = Order.objects.locked(order_id)
    existing = order.returns.filter(carrier=parcel.carrier, tracking_number=parcel.tracking_number).first()
    if existing is not None and existing.state != Return.State.WITHDRAWN:
        return existing, [], False
    policy = version_in_force(ReturnPolicy, at=at)
    terms = ReturnTerms(**policy.terms)
    amount = _returnable_amount(order, parcel.amount_minor, terms, at=at)
    order.record("return_opened", by=by, at=at, amount=amount.minor)
    parts: list[RefundPart] = []
    early_refund: Refund | None = None
    if _gets_early_refund(order, amount, sum(line.kept_minor for line in lines), terms):
        details = RefundDetails(amount_minor=amount.minor, reason=RETURN_REFUND_REASON, advanced=True)
        early_refund, parts, _new = prepare_refund(order_id, details, by=by, at=at)
    elif order.state != Order.State.DEDUCTED:
        orders.pause_order(order_id, Pause.Reason.RETURN, by=by, at=at)
    row = _build_return(order, parcel, amount, early_refund, terms, at=at)
    row.record("opened", by=by, at=at, policy=policy.version, amount=amount.minor)
    if by.kind == "person":
        Person.objects.locked_active(order.person_id)  # not after they have closed their account
    else:
        Person.objects.locked(order.person_id)
    if has_left(order.person_id):  # an erasure that ran at this moment has ended, as it locks the person too
        raise NotReturnable
    publish_return(row, "return.opened", at=at)
    if early_refund is not None:
        publish_return(row, "return.advanced", at=at)
    return row, parts, True


def _build_return(
    order: Order, parcel: Parcel, amount: Money, early_refund: Refund | None, terms: ReturnTerms, *, at: datetime
) -> Return:
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
        state=Return.State.ADVANCED if early_refund else Return.State.OPEN,
        advance=early_refund,
        opened_at=at,
        answer_until=terms.answer_until(at),
        act_at=terms.remind_at(at),
    )


def _validate_parcel(parcel: Parcel) -> Parcel:
    """The parcel with its texts stripped and validated.

    Raises:
        Invalid: a text is missing or too long, or the tracking number is malformed.
    """
    texts = {name: text.strip() for name, text in asdict(parcel).items() if name != "amount_minor"}
    errors = [
        FieldError(f"/{name}", format_lazy(_("1 to {most} characters."), most=most))
        for name, most in _MAX_LENGTHS.items()
        if not 0 < len(texts[name]) <= most
    ]
    if not errors and not _TRACKING_NUMBER.fullmatch(texts["tracking_number"]):
        errors.append(FieldError("/tracking_number", _("Letters, digits and hyphens only.")))
    if errors:
        raise Invalid(errors=errors)
    return Parcel(**texts, amount_minor=parcel.amount_minor)


def _returnable_amount(order: Order, requested_minor: int | None, terms: ReturnTerms, *, at: datetime) -> Money:
    """The amount of the return: the requested one, or all that is left of the order.

    Raises:
        NotReturnable, ReturnOpen, PaidElsewhere, WrittenOff, AmountInvalid, RefundTooMuch: see open_return.
    """
    if (
        order.state not in RETURNABLE_STATES
        or order.completed_at is None
        or at > order.completed_at + terms.return_window
    ):
        raise NotReturnable
    if order.returns.filter(state__in=Return.LIVE).exists():
        raise ReturnOpen
    if order.history.filter(kind="paid_elsewhere").exists():
        raise PaidElsewhere
    if order.obligations.exclude(kind=Obligation.Kind.LATE_FEE).filter(state=Obligation.State.WRITTEN_OFF).exists():
        raise WrittenOff
    remaining = order.total - order.refunded
    if not remaining or order.returns.count() >= RETURNS_MAX:
        raise NotReturnable
    amount = Money(remaining.minor if requested_minor is None else requested_minor, order.currency)
    if amount.minor <= 0:
        raise AmountInvalid(_("The returned amount must be greater than zero."))
    if amount > remaining:
        raise RefundTooMuch
    return amount


def _gets_early_refund(order: Order, amount: Money, kept_minor: int, terms: ReturnTerms) -> bool:
    """Whether the return is refunded early: the order is paid, none of it is in flight, and the terms trust the person.

    Locks the person's profile until the transaction ends, so that concurrent returns are counted one after another.
    """
    if order.state != Order.State.DEDUCTED or amount.minor > kept_minor:
        return False
    if order.merchant.state == Merchant.State.SUSPENDED:
        return False
    if has_money_in_flight(order):
        return False
    orders.lock_refundable(order.id)
    profile = credit.lock_profile(order.person_id)
    if profile is None:
        return False
    open_returns = Return.objects.filter(
        person_id=order.person_id, state__in=Return.LIVE, advance__isnull=False
    ).count()
    has_overdue = bool(profile.overdue_orders)
    return terms.allows_early_refund(profile.score, has_overdue=has_overdue, open_returns=open_returns, amount=amount)


def has_money_in_flight(order: Order) -> bool:
    """Whether a refund of the order is pending or a dispute of it is open."""
    if order.refunds.filter(state=Refund.State.PENDING).exists():
        return True
    return Dispute.objects.filter(lines__order_id=order.id, state__in=Dispute.LIVE).exists()


def is_returnable(order: Order, *, at: datetime) -> bool:
    """Whether the person can return it now: a fixed-price order within the return window, without an open return.

    Orders that are charged by usage cannot be returned by the person; their merchant can open a return by the API.
    """
    if order.service.mode != Service.Mode.FIXED:
        return False
    try:
        _returnable_amount(order, None, current_return_terms(at), at=at)
    except Refusal:
        return False
    return True


def current_return_terms(at: datetime) -> ReturnTerms:
    return ReturnTerms(**version_in_force(ReturnPolicy, at=at).terms)


def publish_return(row: Return, event: str, *, at: datetime) -> None:
    """Publish the return to the merchant, as an event of the order."""
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
    publish([NewEvent(row.merchant_id, event, row.order_id, data)], realm_id=row.realm_id, at=at)
