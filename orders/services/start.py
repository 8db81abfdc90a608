"""An order begins: asked for by the merchant, assessed, held, and where the service wants it confirmed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import Exists

from credit import queries as standings
from credit import services as credit
from credit.models import Agreement, Decision
from credit.refusals import AgreementState
from credit.rules import Reason, Verdict
from kernel.actor import Actor
from kernel.prepared import Reading
from kernel.refusal import FieldError, NotFound
from kernel.transactions import joined
from kernel.versions import said_at
from kernel.write_batching import write
from merchants.models import LatePolicy, Service
from merchants.queries import late_columns
from orders import rules
from orders.models import Order
from orders.refusals import (
    AboveCeiling,
    AgreementNotActive,
    CurrencyMismatch,
    OrderNumberReused,
    OrderState,
    TimesInvalid,
    TotalInvalid,
    WrongAmountField,
)
from orders.services.tell import news_of, tell

#: What a merchant hears when the person said no.
DECLINED = "declined by the person"

#: Who would owe, with everything an assessment looks at; whether the number names an order already; late terms then.
_BEFORE = Reading(
    lambda agreement, merchant, number, at: (
        standings.with_standing(at)
        .filter(pk=agreement)
        .annotate(again=Exists(Order.objects.filter(merchant_id=merchant, out_order_no=number)))
        .annotate(late=said_at(LatePolicy, at))
    ),
    ["uuid", "uuid", "text", "timestamptz"],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the merchant asks for, in plain values."""

    agreement_id: UUID
    out_order_no: str
    title: str
    currency: str
    amount: int | None = None
    ceiling: int | None = None
    items: Sequence[dict[str, Any]] = field(default=())
    discounts: Sequence[dict[str, Any]] = field(default=())
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    start_location: str = ""
    end_location: str = ""
    attach: str = ""
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> bytes:
        """The same for the same wish, whatever the order or spacing of its JSON."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).digest()


@dataclass(frozen=True, slots=True)
class Opening:
    """How it ended: an order (new or the very same again), or the decision against it."""

    order: Order | None
    decision: Decision | None = None

    @property
    def coarse_reason(self) -> str:
        """What the merchant may hear of a refusal."""
        reasons = self.decision.reasons if self.decision else []
        return Verdict(approved=False, reasons=tuple(Reason(reason) for reason in reasons)).coarse


@joined()
def open_order(merchant_id: UUID, wish: Wish, *, by: Actor, at: datetime) -> Opening:
    """A person is about to use the service: they are assessed and the ceiling is held.

    A refused assessment is returned, not raised, because the decision must stay on record.

    Raises:
        NotFound: no such agreement of this merchant.
        OrderNumberReused: the number names an order with other parameters.
        MerchantNotActive: they are suspended, or not let in yet.
        AgreementNotActive, ServicePaused, AboveCeiling, WrongAmountField, CurrencyMismatch, TotalInvalid, TimesInvalid.
    """
    _queue_for_number(merchant_id, wish.out_order_no)
    found = _BEFORE.rows(wish.agreement_id, merchant_id, wish.out_order_no, at)
    if not found or found[0].again:
        return _again(merchant_id, wish)
    standing = standings.standing_under(found[0])
    agreement = standing.agreement
    if agreement.merchant_id != merchant_id:
        raise NotFound
    if agreement.state != Agreement.State.ACTIVE:
        raise AgreementNotActive
    credit.must_take_new(agreement.merchant, agreement.service)
    order = _order_of(agreement, wish, found[0].late["terms"], at=at)
    decision = _decided(standing, order, at=at, joining=True)
    if not decision.approved:
        return Opening(None, decision)
    order.record("requested" if order.state == Order.State.CREATED else "opened", by=by, at=at, decision=decision.id)
    if order.state == Order.State.OPEN:
        tell([news_of(order, "order.opened")], realm_id=order.realm_id, at=at)
    return Opening(order, decision)


@transaction.atomic
def confirm_order(order_id: UUID, *, by: Actor, at: datetime) -> Opening:
    """The person says yes: assessed again on what is true now, and the ceiling is held. Twice is once.

    Raises:
        NotFound: there is no such order.
        OrderState: it waits for nobody any more.
        AgreementNotActive: the person has stopped the service meanwhile.
        MerchantNotActive, ServicePaused: the merchant was suspended meanwhile, or takes nothing new.
    """
    order = Order.objects.locked(order_id)
    if order.state == Order.State.OPEN and order.opened_at is not None and order.version > 1:
        return Opening(order)
    if order.state != Order.State.CREATED or (order.expires_at and order.expires_at <= at):
        raise OrderState(f"The order is {order.state}.")
    standing = standings.standing_of(order.agreement_id, at=at)
    credit.must_take_new(standing.agreement.merchant, standing.agreement.service)
    if standing.agreement.state != Agreement.State.ACTIVE:
        raise AgreementNotActive
    order.confirm(at=at)
    decision = _decided(standing, order, at=at)
    if not decision.approved:
        return Opening(None, decision)
    order.record("confirmed", by=by, at=at, decision=decision.id)
    tell([news_of(order, "order.confirmed"), news_of(order, "order.opened")], realm_id=order.realm_id, at=at)
    return Opening(order, decision)


@transaction.atomic
def decline_order(order_id: UUID, *, by: Actor, at: datetime) -> Order:
    """The person says no to what waits for them. One that is open already is the merchant's to cancel.

    Raises:
        NotFound: there is no such order.
        OrderState: it waits for nobody any more.
    """
    order = Order.objects.locked(order_id)
    if order.state != Order.State.CREATED:
        raise OrderState(f"The order is {order.state}.")
    order.cancel(DECLINED, at=at)
    order.record("declined", by=by, at=at)
    credit.leave_orders([order.agreement_id], by=by, at=at)
    tell([news_of(order, "order.cancelled", reason=DECLINED)], realm_id=order.realm_id, at=at)
    return order


def _again(merchant_id: UUID, wish: Wish) -> Opening:
    """The number names an order already, or the agreement does not exist."""
    again = Order.objects.filter(merchant_id=merchant_id, out_order_no=wish.out_order_no).first()
    if again is None:
        raise NotFound
    if bytes(again.asked_hash) != wish.digest:
        raise OrderNumberReused
    return Opening(again)


def _queue_for_number(merchant_id: UUID, out_order_no: str) -> None:
    """Twins with one number stand in line here, so that the second one sees what the first one made."""
    name = hashlib.sha256(merchant_id.bytes + out_order_no.encode()).digest()[:8]
    write("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(name, "big", signed=True)])


def _order_of(agreement: Agreement, wish: Wish, late: Mapping[str, Any], *, at: datetime) -> Order:
    service = agreement.service
    if wish.currency != service.currency:
        raise CurrencyMismatch(f"The service is offered in {service.currency}.")
    if wish.starts_at and wish.ends_at and wish.ends_at < wish.starts_at:
        raise TimesInvalid("ends_at is before starts_at.", field="/ends_at")
    amount, ceiling = _amounts(service, wish, agreement.merchant.order_most_minor)
    waits = agreement.asks_first(ceiling)
    return Order(
        realm_id=agreement.realm_id,
        merchant_id=agreement.merchant_id,
        service=service,
        agreement=agreement,
        person=agreement.person,
        out_order_no=wish.out_order_no,
        asked_hash=wish.digest,
        state=Order.State.CREATED if waits else Order.State.OPEN,
        mode=service.mode,
        funding=service.funding,
        fee_bps=service.fee_at(at),
        **late_columns(service, late, agreement.agreed.late),
        title=wish.title,
        currency=wish.currency,
        amount_minor=amount,
        ceiling_minor=ceiling,
        items=list(wish.items),
        discounts=list(wish.discounts),
        starts_at=_utc(wish.starts_at),
        ends_at=_utc(wish.ends_at),
        start_location=wish.start_location,
        end_location=wish.end_location,
        attach=wish.attach,
        metadata=wish.metadata,
        created_at=at,
        opened_at=None if waits else at,
        expires_at=at + rules.CONFIRMATION if waits else None,
    )


def _utc(moment: datetime | None) -> datetime | None:
    """As it will be read again."""
    return moment and moment.astimezone(UTC)


def _amounts(service: Service, wish: Wish, most: int | None) -> tuple[int | None, int]:
    """The amount ordered (fixed only) and the ceiling."""
    fixed = service.mode == Service.Mode.FIXED
    if fixed and wish.amount is None:
        raise WrongAmountField("A fixed service takes amount.", errors=[FieldError("/amount", "needed")])
    if fixed and wish.ceiling is not None:
        raise WrongAmountField("A fixed service takes amount.", errors=[FieldError("/ceiling", "not for this service")])
    if not fixed and wish.amount is not None:
        raise WrongAmountField(
            "A dynamic service takes ceiling.", errors=[FieldError("/amount", "not for this service")]
        )
    ceiling = wish.amount if fixed else wish.ceiling
    highest = service.ceiling_minor if most is None else min(service.ceiling_minor, most)
    if ceiling is None:
        ceiling = highest
    if ceiling > highest:
        raise AboveCeiling(f"The service's ceiling is {highest}.", field="/amount" if fixed else "/ceiling")
    if wish.discounts or (fixed and wish.items):
        try:
            rules.total_of(wish.amount if fixed else None, wish.items, wish.discounts, ceiling=ceiling, default=None)
        except rules.TotalError as exc:
            raise TotalInvalid(str(exc), field="/items") from None
    return wish.amount, ceiling


def _decided(standing: standings.Standing, order: Order, *, at: datetime, joining: bool = False) -> Decision:
    """Assess the order; one that is open from now on holds its ceiling, one that waits for the person nothing yet.

    `joining`: it is a new one under its agreement.

    Raises:
        AgreementNotActive: which takes none any more.
    """
    waits = order.state == Order.State.CREATED
    try:
        decision = credit.decide(
            standing,
            order.ceiling_minor,
            occasion=Decision.Occasion.ORDER,
            at=at,
            out_order_no=order.out_order_no,
            holding=not waits,
            joining=joining,
        )
    except AgreementState:
        raise AgreementNotActive from None
    if joining and waits and decision.approved and not credit.join_order(order.agreement_id):
        raise AgreementNotActive
    return decision
