"""A request to end the service of an order, and the total and the times that follow from it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

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
        raise TimesInvalid(_("The payment time is in the future."), errors=[FieldError("/paid_at", _time_here(at))])
    if paid_at < order.created_at.replace(second=0, microsecond=0):
        raise TimesInvalid(_("The payment time is before the order was created."), field="/paid_at")
    return paid_at


def _time_here(at: datetime) -> Promise:
    """The current time, as a hint for whoever sent a time in the future."""
    return format_lazy(_("it is {now} here"), now=f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")


def resolve_due_at(order: Order, request: CompletionRequest, *, at: datetime) -> datetime:
    """When it is due: as requested, or at once."""
    if request.ends_at and request.ends_at > at:
        raise EndsInFuture(errors=[FieldError("/ends_at", _time_here(at))])
    if request.ends_at and order.starts_at and request.ends_at < order.starts_at:
        raise TimesInvalid(_("The end is before the start."), field="/ends_at")
    text = _("The due time is more than {days} days away.")
    if request.due_at and request.due_at > at + rules.DUE_DELAY_MAX:
        raise TimesInvalid(format_lazy(text, days=rules.DUE_DELAY_MAX.days), field="/due_at")
    return max(request.due_at or at, at)


def resolve_total(order: Order, request: CompletionRequest) -> Money:
    items, ceiling_minor = request.items or (), order.ceiling_minor
    try:
        total = rules.compute_total(
            request.total, items, request.discounts, ceiling=ceiling_minor, default=order.amount_minor
        )
    except rules.AboveCeilingError as exc:
        most = str(Money(ceiling_minor, order.currency))
        raise AboveCeiling(format_lazy(_("The agreed ceiling is {most}."), most=most), field=exc.field) from None
    except rules.TotalError as exc:
        raise TotalInvalid(str(exc), field=exc.field) from None
    return Money(total, order.currency)
