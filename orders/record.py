"""Questions about the promise record (守约记录): a person's orders of all merchants, on shelves, by month, by words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum

from credit.models import Agreement
from kernel import ids
from kernel.money import Money
from kernel.paging import page, place_of, sorted_keys
from kernel.prepared import Reading
from orders.models import Obligation, Order

#: How a person's orders are sorted.
SHELVES: dict[str, tuple[str, ...]] = {
    "in_progress": (Order.State.CREATED, Order.State.OPEN),
    "to_pay": (Order.State.COMPLETED,),
    "kept": (Order.State.DEDUCTED,),
    "cancelled": (Order.State.CANCELLED, Order.State.EXPIRED),
    "overdue": (Order.State.OVERDUE,),
}
#: So many months can be jumped to.
MONTHS_MAX = 120
WAITING_MAX = 20
#: How many of a person's orders one search goes through; a link goes on from there.
SEARCHED = 2000
_UNPAID = Sum(F("amount_minor") - F("paid_minor"))
#: What a person owes, by currency.
_OWED = Reading(
    lambda person_id: (
        Obligation.objects.filter(person_id=person_id, state__in=Obligation.PAYABLE)
        .order_by("currency")
        .values_list("currency")
        .annotate(unpaid=_UNPAID)
    ),
    ["uuid"],
)
_FIRST = Reading(
    lambda person_id: Order.objects.filter(person_id=person_id).order_by("created_at").values_list("created_at")[:1],
    ["uuid"],
)


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody looks for on their record: a shelf, words, and a span of time."""

    shelf: str = ""
    text: str = ""
    since: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A page of orders, where the next begins, and whether older orders were not looked through yet."""

    orders: list[Order]
    further: str | None
    unfinished: bool = False


@dataclass(frozen=True, slots=True)
class InUse:
    """What somebody is using: how much of it there is, and the newest of it."""

    orders: list[Order]
    count: int


def look_through(person_id: UUID, look: Look, *, cursor: str | None, limit: int) -> Found:
    """The person's orders that are like this, newest first. Words are looked for in a stretch of orders at a time.

    Raises:
        Invalid: the cursor is not one we gave.
    """
    rows, few = _record_of(person_id, look), look.since is not None
    key = ids.parse(Order.prefix, look.text)
    if key is not None:
        return Found(*page(rows.filter(pk=key), cursor=cursor, limit=limit))
    if not look.text:
        return Found(*page(rows, cursor=cursor, limit=limit, few=few))
    edge = _edge(rows, before=place_of(cursor, Order), few=few)
    named = _named(rows.filter(pk__gte=edge) if edge else rows, person_id, look.text)
    # Of one stretch the rest is read at once: PostgreSQL would rather walk the keys of all who have orders.
    found, further = page(named, cursor=cursor, limit=limit, few=True)
    if further is None and edge is not None:
        return Found(found, ids.public(Order.prefix, edge), unfinished=True)
    return Found(found, further)


def _edge(rows: "QuerySet[Order, Any]", *, before: UUID | None, few: bool) -> UUID | None:
    """The last order of one search's reach, of those before this one; None where it reaches the oldest."""
    older = rows.filter(pk__lt=before) if before else rows
    keys = list(sorted_keys(older, few=few).values_list("pk", flat=True)[SEARCHED - 1 : SEARCHED + 1])
    return keys[0] if keys[1:] else None


def _record_of(person_id: UUID, look: Look) -> "QuerySet[Order, Any]":
    """The person's orders on this shelf and of this time, each with what is still owed of it."""
    owed = Obligation.objects.filter(order=OuterRef("pk"), state__in=Obligation.PAYABLE).order_by().values("order")
    rows = Order.objects.filter(person_id=person_id).select_related("merchant")
    if look.shelf in SHELVES:
        rows = rows.filter(state__in=SHELVES[look.shelf])
    if look.since and look.before:
        rows = rows.filter(created_at__gte=look.since, created_at__lt=look.before)
    return rows.annotate(owed_minor=Subquery(owed.annotate(unpaid=_UNPAID).values("unpaid")))


def _named(rows: "QuerySet[Order, Any]", person_id: UUID, text: str) -> "QuerySet[Order, Any]":
    """Those whose title or merchant is called so in part, or whose number begins so."""
    signed = Agreement.objects.filter(person_id=person_id, merchant__name__icontains=text)
    merchants = list(signed.values_list("merchant_id", flat=True).distinct())
    named = Q(title__icontains=text) | Q(out_order_no__istartswith=text)
    return rows.filter(named | Q(merchant_id__in=merchants) if merchants else named)


def first_of(person_id: UUID) -> datetime | None:
    """When the person's first order was made."""
    return next((first for (first,) in _FIRST.rows(person_id)), None)


def owed_by(person_id: UUID) -> list[Money]:
    """What the person owes altogether, in each currency."""
    return [Money(unpaid, currency) for currency, unpaid in _OWED.rows(person_id)]


def waiting_for(person_id: UUID, *, at: datetime) -> list[Order]:
    """What merchants ask the person to confirm, and still may."""
    rows = Order.objects.filter(person_id=person_id, state=Order.State.CREATED, expires_at__gt=at)
    return list(rows.select_related("merchant").order_by("-pk")[:WAITING_MAX])


def in_use(person_id: UUID, limit: int) -> InUse:
    """What the person is using now, the newest first."""
    rows = Order.objects.filter(person_id=person_id, state=Order.State.OPEN)
    shown = list(rows.select_related("merchant").order_by("-pk")[:limit])
    return InUse(shown, rows.count() if len(shown) == limit else len(shown))
