"""Queries for the promise record (守约记录): a person's orders of all merchants, filtered by status, month and text."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum

from credit.models import Agreement
from kernel import ids
from kernel.money import Money
from kernel.paging import newest_first, paginate, parse_cursor
from kernel.prepared_statements import PreparedQuery
from orders.models import Obligation, Order

#: Filters by state; the names are values of the `shelf` URL parameter.
STATUS_GROUPS: dict[str, tuple[str, ...]] = {
    "in_progress": (Order.State.CREATED, Order.State.OPEN),
    "to_pay": (Order.State.COMPLETED,),
    "kept": (Order.State.DEDUCTED,),
    "cancelled": (Order.State.CANCELLED, Order.State.EXPIRED),
    "overdue": (Order.State.OVERDUE,),
}
#: How many months the filter offers.
MONTHS_MAX = 120
AWAITING_MAX = 20
#: How many orders one text search covers; the next page continues from there.
SEARCH_WINDOW = 2000
_UNPAID = Sum(F("amount_minor") - F("paid_minor"))
#: What a person owes, by currency.
_OWED = PreparedQuery(
    lambda person_id: (
        Obligation.objects.filter(person_id=person_id, state__in=Obligation.PAYABLE)
        .order_by("currency")
        .values_list("currency")
        .annotate(unpaid=_UNPAID)
    ),
    ["uuid"],
)
_FIRST_ORDER_AT = PreparedQuery(
    lambda person_id: Order.objects.filter(person_id=person_id).order_by("created_at").values_list("created_at")[:1],
    ["uuid"],
)


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Filters of the promise record: status, text, and a span of time."""

    status_group: str = ""
    text: str = ""
    since: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A page of orders, the cursor of the next page, and whether older orders have not been searched yet."""

    orders: list[Order]
    next_cursor: str | None
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class OrdersInUse:
    """The number of orders in use, and the newest of them."""

    orders: list[Order]
    count: int


def search_orders(person_id: UUID, filters: HistoryFilter, *, cursor: str | None, limit: int) -> HistoryPage:
    """The person's orders that match, newest first. A text search covers SEARCH_WINDOW orders at a time.

    Raises:
        Invalid: the cursor is malformed.
    """
    rows, is_small = _filtered_orders(person_id, filters), filters.since is not None
    key = ids.parse(Order.prefix, filters.text)
    if key is not None:
        return HistoryPage(*paginate(rows.filter(pk=key), cursor=cursor, limit=limit))
    if not filters.text:
        return HistoryPage(*paginate(rows, cursor=cursor, limit=limit, is_small=is_small))
    oldest = _oldest_in_window(rows, before=parse_cursor(cursor, Order), is_small=is_small)
    matching = _match_text(rows.filter(pk__gte=oldest) if oldest else rows, person_id, filters.text)
    # All matches within the window are read at once: with a LIMIT PostgreSQL would walk the index of everybody's
    # orders.
    orders, next_cursor = paginate(matching, cursor=cursor, limit=limit, is_small=True)
    if next_cursor is None and oldest is not None:
        return HistoryPage(orders, ids.public(Order.prefix, oldest), is_partial=True)
    return HistoryPage(orders, next_cursor)


def _oldest_in_window(rows: "QuerySet[Order, Any]", *, before: UUID | None, is_small: bool) -> UUID | None:
    """The oldest order covered by one search; None if it covers all that are left."""
    older = rows.filter(pk__lt=before) if before else rows
    keys = list(
        newest_first(older, is_small=is_small).values_list("pk", flat=True)[SEARCH_WINDOW - 1 : SEARCH_WINDOW + 1]
    )
    return keys[0] if keys[1:] else None


def _filtered_orders(person_id: UUID, filters: HistoryFilter) -> "QuerySet[Order, Any]":
    """The person's orders with this status and in this time, each with its unpaid amount."""
    owed = Obligation.objects.filter(order=OuterRef("pk"), state__in=Obligation.PAYABLE).order_by().values("order")
    rows = Order.objects.filter(person_id=person_id).select_related("merchant")
    if filters.status_group in STATUS_GROUPS:
        rows = rows.filter(state__in=STATUS_GROUPS[filters.status_group])
    if filters.since and filters.before:
        rows = rows.filter(created_at__gte=filters.since, created_at__lt=filters.before)
    return rows.annotate(owed_minor=Subquery(owed.annotate(unpaid=_UNPAID).values("unpaid")))


def _match_text(rows: "QuerySet[Order, Any]", person_id: UUID, text: str) -> "QuerySet[Order, Any]":
    """Orders whose title or merchant contains the text, or whose number starts with it."""
    agreements = Agreement.objects.filter(person_id=person_id, merchant__name__icontains=text)
    merchants = list(agreements.values_list("merchant_id", flat=True).distinct())
    matches = Q(title__icontains=text) | Q(out_order_no__istartswith=text)
    return rows.filter(matches | Q(merchant_id__in=merchants) if merchants else matches)


def first_order_at(person_id: UUID) -> datetime | None:
    """When the person's first order was created."""
    return next((first for (first,) in _FIRST_ORDER_AT.rows(person_id)), None)


def owed_by(person_id: UUID) -> list[Money]:
    """What the person owes in each currency."""
    return [Money(unpaid, currency) for currency, unpaid in _OWED.rows(person_id)]


def written_off_by(person_id: UUID) -> dict[str, Money]:
    """What was written off and can still be paid, by currency."""
    rows = Obligation.objects.filter(person_id=person_id, state=Obligation.State.WRITTEN_OFF).order_by()
    sums = rows.values_list("currency").annotate(unpaid=_UNPAID)
    return {currency: Money(unpaid, currency) for currency, unpaid in sums}


def awaiting_confirmation(person_id: UUID, *, at: datetime) -> list[Order]:
    """Orders that wait for the person's confirmation and have not expired."""
    rows = Order.objects.filter(person_id=person_id, state=Order.State.CREATED, expires_at__gt=at)
    return list(rows.select_related("merchant").order_by("-pk")[:AWAITING_MAX])


def orders_in_use(person_id: UUID, limit: int) -> OrdersInUse:
    """The person's open orders, newest first, and their count."""
    rows = Order.objects.filter(person_id=person_id, state=Order.State.OPEN)
    orders = list(rows.select_related("merchant").order_by("-pk")[:limit])
    return OrdersInUse(orders, rows.count() if len(orders) == limit else len(orders))
