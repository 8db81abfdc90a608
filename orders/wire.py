"""The order resource of the API and of webhooks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from django.conf import settings
from msgspec import Meta, convert

from kernel.ids import public
from kernel.models import LIVE
from kernel.money import AMOUNT_MINOR_MAX
from kernel.wire import Moment, Wire
from orders.models import Obligation, Order

Amount = Annotated[int, Meta(ge=0, le=AMOUNT_MINOR_MAX, description="Minor units: 1234 is ¥12.34.")]


class Item(Wire):
    """What is paid for; `amount` is the line's whole, however many it counts."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    amount: Amount
    count: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    description: Annotated[str, Meta(max_length=200)] = ""


class Discount(Wire):
    """Discounts."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    amount: Amount
    description: Annotated[str, Meta(max_length=200)] = ""


class ObligationOut(Wire):
    """What is owed at one time: a part of the total, or the late fee beside it."""

    id: str
    sequence: int
    kind: Literal["principal", "late_fee"]
    amount: int
    paid: int
    due_at: Moment
    state: str


class Failure(Wire, rename={"kind": "class"}):
    """Why the last attempt took nothing; `class` is hard, soft, technical or not_sent."""

    code: str
    kind: str
    at: Moment


class PlannedAttempt(Wire):
    """An attempt to come. No instrument named: the person's first one at that time."""

    at: Moment
    instrument: str | None
    reason: str


class Collection(Wire):
    """Deduction progress: attempts made, whether one is in flight, the last failure and the next attempts."""

    attempts: int
    in_flight: bool
    last_failure: Failure | None
    next_attempts: list[PlannedAttempt]


class OrderOut(Wire):
    """An order with all its details."""

    id: str
    object: Literal["order"]
    livemode: bool
    state: str
    mode: str
    out_order_no: str
    agreement: str
    service: str
    person: str
    title: str
    currency: str
    amount: int | None
    ceiling: int
    total: int | None
    paid: int
    refunded: int
    outstanding: int
    items: list[Item]
    discounts: list[Discount]
    obligations: list[ObligationOut]
    collection: Collection
    starts_at: Moment | None
    ends_at: Moment | None
    start_location: str
    end_location: str
    created_at: Moment
    opened_at: Moment | None
    completed_at: Moment | None
    deducted_at: Moment | None
    overdue_at: Moment | None
    cancelled_at: Moment | None
    cancel_reason: str
    expires_at: Moment | None
    attach: str
    metadata: dict[str, str]
    confirm_url: str | None
    timeline: str


def order_out(order: Order, obligations: Sequence[Obligation]) -> OrderOut:
    created = order.state == Order.State.CREATED
    return OrderOut(
        id=order.public_id,
        object="order",
        livemode=order.realm_id == LIVE,
        state=order.state,
        mode=order.mode,
        out_order_no=order.out_order_no,
        agreement=public("agr", order.agreement_id),
        service=public("svc", order.service_id),
        person=public("per", order.person_id),
        title=order.title,
        currency=order.currency,
        amount=order.amount_minor,
        ceiling=order.ceiling_minor,
        total=order.total_minor,
        paid=sum(row.paid_minor for row in obligations),
        refunded=order.refunded_minor,
        outstanding=sum(row.owed.minor for row in obligations),
        items=[convert(item, Item) for item in order.items],
        discounts=[convert(item, Discount) for item in order.discounts],
        obligations=[_obligation_out(row) for row in obligations],
        collection=_collection_out(obligations),
        starts_at=order.starts_at,
        ends_at=order.ends_at,
        start_location=order.start_location,
        end_location=order.end_location,
        created_at=order.created_at,
        opened_at=order.opened_at,
        completed_at=order.completed_at,
        deducted_at=order.deducted_at,
        overdue_at=order.overdue_at,
        cancelled_at=order.cancelled_at,
        cancel_reason=order.cancel_reason,
        expires_at=order.expires_at,
        attach=order.attach,
        metadata=order.metadata,
        confirm_url=f"{settings.BASE_URL}/confirm/{order.public_id}" if created else None,
        timeline=f"/v1/orders/{order.public_id}/events",
    )


def _obligation_out(row: Obligation) -> ObligationOut:
    return ObligationOut(
        id=row.public_id,
        sequence=row.sequence,
        kind="late_fee" if row.kind == Obligation.Kind.LATE_FEE else "principal",
        amount=row.amount_minor,
        paid=row.paid_minor,
        due_at=row.due_at,
        state=row.state,
    )


def _collection_out(obligations: Sequence[Obligation]) -> Collection:
    failures: list[dict[str, Any]] = [row.last_failure for row in obligations if row.last_failure]
    last = max(failures, key=lambda failure: str(failure["at"]), default=None)
    # Obligations collected at the same time from the same instrument are one attempt; none is made while paused.
    plans = {
        (a["at"], a.get("source")): PlannedAttempt(
            at=datetime.fromisoformat(a["at"]), instrument=a["instrument"], reason=a["reason"]
        )
        for row in obligations
        if row.paused_at is None
        for a in row.plan
    }
    return Collection(
        attempts=sum(row.attempts - row.shared_attempts for row in obligations),
        in_flight=any(row.in_flight for row in obligations),
        last_failure=convert(last, Failure, strict=False) if last else None,
        next_attempts=sorted(plans.values(), key=lambda attempt: attempt.at),
    )
