"""A merchant's request for an order, and the amounts it comes to."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from kernel.money import Money
from kernel.refusal import FieldError
from merchants.models import Service
from orders import rules
from orders.refusals import AboveCeiling, TotalInvalid, WrongAmountField


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """A merchant's request to open an order, in plain values."""

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
    def fingerprint(self) -> bytes:
        """SHA-256 of the request, independent of key order and spacing of its JSON."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).digest()


def resolve_amounts(service: Service, request: OrderRequest, merchant_max_minor: int | None) -> tuple[int | None, int]:
    """The amount ordered (fixed only) and the ceiling."""
    fixed = service.mode == Service.Mode.FIXED
    if fixed and request.amount is None:
        raise WrongAmountField(_("A fixed service takes amount."), errors=[FieldError("/amount", _("needed"))])
    if fixed and request.ceiling is not None:
        raise WrongAmountField(
            _("A fixed service takes amount."), errors=[FieldError("/ceiling", _("not for this service"))]
        )
    if not fixed and request.amount is not None:
        raise WrongAmountField(
            _("A dynamic service takes ceiling."), errors=[FieldError("/amount", _("not for this service"))]
        )
    ceiling = request.amount if fixed else request.ceiling
    max_minor = service.ceiling_minor if merchant_max_minor is None else min(service.ceiling_minor, merchant_max_minor)
    if ceiling is None:
        ceiling = max_minor
    if ceiling > max_minor:
        text, most = _("The service's ceiling is {most}."), str(Money(max_minor, service.currency))
        raise AboveCeiling(format_lazy(text, most=most), field="/amount" if fixed else "/ceiling")
    if request.discounts or (fixed and request.items):
        _check_items(request, request.amount if fixed else None, ceiling)
    return request.amount, ceiling


def _check_items(request: OrderRequest, amount: int | None, ceiling: int) -> None:
    """The items less the discounts are the amount ordered, or at most the ceiling."""
    try:
        rules.compute_total(amount, request.items, request.discounts, ceiling=ceiling, default=None)
    except rules.AboveCeilingError as exc:
        raise AboveCeiling(str(exc), field=exc.field) from None
    except rules.TotalError as exc:  # here the total is the sum of the items
        raise TotalInvalid(str(exc), field="/items" if exc.field == "/total" else exc.field) from None
