"""A request to end the service of an order, and the total and the times that follow from it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import msgspec

from kernel.money import Money
from kernel.refusal import FieldError
from orders import rules
from orders.models import Order
from orders.refusals import AboveCeiling, EndsInFuture, TimesInvalid, TotalInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """A merchant's request to complete an order, in plain values."""

    total: int | None = None
    items: Sequence[dict[str, Any]] | None = None
    discounts: Sequence[dict[str, Any]] = ()
    ends_at: datetime | None = None
    due_at: datetime | None = None
    end_location: str = ""

    @property
    def fingerprint(self) -> bytes:
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).digest()


def resolve_paid_at(order: Order, paid_at: datetime | None, *, at: datetime) -> datetime:
    """When it was paid: as the merchant says, who may round down to the minute; otherwise now."""
    if paid_at is None:
        return at
    if paid_at > at:
        raise TimesInvalid("paid_at is in the future.", errors=[FieldError("/paid_at", rules.current_time_message(at))])
    if paid_at < order.created_at.replace(second=0, microsecond=0):
        raise TimesInvalid("paid_at is before the order came to be.", field="/paid_at")
    return paid_at


def resolve_due_at(order: Order, request: CompletionRequest, *, at: datetime) -> datetime:
    """When it is due: as requested, or at once."""
    if request.ends_at and request.ends_at > at:
        raise EndsInFuture(errors=[FieldError("/ends_at", rules.current_time_message(at))])
    if request.ends_at and order.starts_at and request.ends_at < order.starts_at:
        raise TimesInvalid("ends_at is before starts_at.", field="/ends_at")
    if request.due_at and request.due_at > at + rules.DUE_DELAY_MAX:
        raise TimesInvalid(f"due_at is more than {rules.DUE_DELAY_MAX.days} days away.", field="/due_at")
    return max(request.due_at or at, at)


def resolve_total(order: Order, request: CompletionRequest) -> Money:
    items, ceiling_minor = request.items or (), order.ceiling_minor
    try:
        total = rules.compute_total(
            request.total, items, request.discounts, ceiling=ceiling_minor, default=order.amount_minor
        )
    except rules.AboveCeilingError as exc:
        raise AboveCeiling(str(exc), field=exc.field) from None
    except rules.TotalError as exc:
        raise TotalInvalid(str(exc), field=exc.field) from None
    return Money(total, order.currency)
