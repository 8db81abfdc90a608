"""Search over all kinds of rows, by ids, numbers, phone and names. Each query reads one index."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import QuerySet

from accounts import rules as numbers
from accounts.models import User, phone_index
from billing.channels import CHANNELS
from billing.models import Deduction, Dispute, Payout, RefundPart
from kernel import ids
from kernel.models import Identified
from merchants.models import Merchant
from orders.models import Order

#: At most this many hits of a kind are listed.
HITS_MAX = 20
#: Longer than anything that can be searched for.
TEXT_MAX = 80


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One matching row, and what it was matched by."""

    row: Identified
    matched_by: str

    @property
    def kind(self) -> str:
        return str(self.row._meta.model_name)


def search(text: str) -> list[SearchHit]:
    """Every row that matches. A public id matches only its own row."""
    text = text.strip()
    if not text or len(text) > TEXT_MAX or "\x00" in text:
        return []
    by_id = _by_public_id(text)
    if by_id is not None:
        return by_id
    return [SearchHit(row, by) for by, find in _SEARCHES for row in find(text)]


def is_phone(text: str) -> bool:
    """Whether the text is a phone number, so that the search reads personal data."""
    return _parse_phone(text) is not None


def _by_public_id(text: str) -> list[SearchHit] | None:
    """The row of a public id; None if the text is none. A key without prefix may be our request number at a channel."""
    prefix, _, tail = text.partition("_")
    key = ids.parse_hex(tail)
    if key is None:
        bare = ids.parse_hex(text)
        return (_hits_by_key([Deduction, RefundPart, Payout], bare, "number") if bare else None) or None
    models = [model for model in _identified_models() if model.prefix == prefix]
    return _hits_by_key(models, key, "id") if models else None  # a channel may number its transactions in our way


def _hits_by_key(models: Iterable[type[Identified]], key: UUID, matched_by: str) -> list[SearchHit]:
    rows = (model._default_manager.filter(pk=key).first() for model in models)
    return [SearchHit(row, matched_by) for row in rows if row is not None]


def _identified_models() -> list[type[Identified]]:
    return [model for model in apps.get_models() if issubclass(model, Identified)]


def _parse_phone(text: str) -> str | None:
    return numbers.parse_phone(text)


def _find_people(text: str) -> Iterable[Identified]:
    phone = _parse_phone(text)
    if phone is None:
        return []
    users = User.objects.select_related("person").filter(phone_index=phone_index(phone))
    return [getattr(user, "person", None) or user for user in users]


def _find_orders(text: str) -> "QuerySet[Any]":
    return Order.objects.select_related("merchant").filter(out_order_no=text).order_by("-id")[:HITS_MAX]


def _find_merchants(text: str) -> "QuerySet[Any]":
    return Merchant.objects.select_related("realm").filter(name__istartswith=text).order_by("name", "id")[:HITS_MAX]


def _find_deductions(text: str) -> "QuerySet[Any]":
    return Deduction.objects.filter(channel__in=list(CHANNELS), channel_txn=text).order_by("-id")[:HITS_MAX]


def _find_refund_parts(text: str) -> "QuerySet[Any]":
    return RefundPart.objects.filter(channel__in=list(CHANNELS), channel_txn=text).order_by("-id")[:HITS_MAX]


def _find_payouts(text: str) -> "QuerySet[Any]":
    return Payout.objects.filter(channel_txn=text).order_by("-id")[:HITS_MAX]


def _find_disputes(text: str) -> "QuerySet[Any]":
    return Dispute.objects.filter(channel__in=list(CHANNELS), channel_txn=text).order_by("-id")[:HITS_MAX]


_SEARCHES: tuple[tuple[str, Callable[[str], Iterable[Identified]]], ...] = (
    ("phone", _find_people),
    ("out_order_no", _find_orders),
    ("channel_txn", _find_deductions),
    ("channel_txn", _find_refund_parts),
    ("channel_txn", _find_payouts),
    ("channel_txn", _find_disputes),
    ("name", _find_merchants),
)
