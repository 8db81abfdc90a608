"""Finding anything by what people write down of it: each question is one look into one index."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import QuerySet

from accounts import rules as numbers
from accounts.models import User, phone_index
from billing.channels import CHANNELS
from billing.models import Deduction, RefundPart
from kernel import ids
from kernel.models import Identified
from merchants.models import Merchant
from orders.models import Order

#: More than so many of a kind are not listed: who looks for one thing writes more of it.
FOUND_MAX = 20
#: Longer than anything that could be found.
TEXT_MAX = 80


@dataclass(frozen=True, slots=True)
class Found:
    """One row that was meant, and by what it was found."""

    row: Identified
    by: str

    @property
    def kind(self) -> str:
        return str(self.row._meta.model_name)


def find(text: str) -> list[Found]:
    """Everything that this may mean. A public id means one thing, and nothing else is asked then."""
    text = text.strip()
    if not text or len(text) > TEXT_MAX or "\x00" in text:
        return []
    named = _by_public_id(text)
    if named is not None:
        return named
    return [Found(row, by) for by, ask in _WAYS for row in ask(text)]


def means_a_phone(text: str) -> bool:
    """Whether this is somebody's number, so that looking for it is a look at personal data."""
    return _phone(text) is not None


def _by_public_id(text: str) -> list[Found] | None:
    """The row a public id names; None for what is none. A bare key may be a number at a channel, ours or its own."""
    prefix, _, tail = text.partition("_")
    key = ids.bare(tail)
    if key is None:
        bare = ids.bare(text)
        return (_rows([Deduction, RefundPart], bare, "number") if bare else None) or None
    named = [model for model in _identified() if model.prefix == prefix]
    return _rows(named, key, "id") if named else None  # a channel may number its transactions in our way


def _rows(models: Iterable[type[Identified]], key: UUID, by: str) -> list[Found]:
    rows = (model._default_manager.filter(pk=key).first() for model in models)
    return [Found(row, by) for row in rows if row is not None]


def _identified() -> list[type[Identified]]:
    return [model for model in apps.get_models() if issubclass(model, Identified)]


def _phone(text: str) -> str | None:
    return numbers.phone_in_e164(text)


def _people(text: str) -> Iterable[Identified]:
    phone = _phone(text)
    if phone is None:
        return []
    users = User.objects.select_related("person").filter(phone_index=phone_index(phone))
    return [getattr(user, "person", None) or user for user in users]


def _orders(text: str) -> "QuerySet[Any]":
    return Order.objects.select_related("merchant").filter(out_order_no=text).order_by("-id")[:FOUND_MAX]


def _merchants(text: str) -> "QuerySet[Any]":
    return Merchant.objects.select_related("realm").filter(name__istartswith=text).order_by("name", "id")[:FOUND_MAX]


def _deductions(text: str) -> "QuerySet[Any]":
    return Deduction.objects.filter(channel__in=list(CHANNELS), channel_txn=text).order_by("-id")[:FOUND_MAX]


def _parts(text: str) -> "QuerySet[Any]":
    return RefundPart.objects.filter(channel__in=list(CHANNELS), channel_txn=text).order_by("-id")[:FOUND_MAX]


_WAYS: tuple[tuple[str, Callable[[str], Iterable[Identified]]], ...] = (
    ("phone", _people),
    ("out_order_no", _orders),
    ("channel_txn", _deductions),
    ("channel_txn", _parts),
    ("name", _merchants),
)
