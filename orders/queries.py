from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F, OuterRef, Prefetch, QuerySet, Subquery, Sum

from kernel.money import Money
from kernel.refusal import NotFound
from orders.models import Obligation, Order

#: How a person's orders are sorted on their promise record (守约记录).
SHELVES: dict[str, tuple[str, ...]] = {
    "in_progress": (Order.State.CREATED, Order.State.OPEN),
    "to_pay": (Order.State.COMPLETED,),
    "kept": (Order.State.DEDUCTED,),
    "cancelled": (Order.State.CANCELLED, Order.State.EXPIRED),
    "overdue": (Order.State.OVERDUE,),
}
_UNPAID = Sum(F("amount_minor") - F("paid_minor"))


@dataclass(frozen=True, slots=True)
class Sheet:
    """One order as its person sees it: what is owed of it in parts and in sum."""

    order: Order
    obligations: Sequence[Obligation]

    @property
    def paid(self) -> Money:
        return Money(sum(row.paid_minor for row in self.obligations), self.order.currency)

    @property
    def owed(self) -> Money:
        return Money(sum(row.owed.minor for row in self.obligations), self.order.currency)

    @property
    def in_flight(self) -> bool:
        """Whether money may be on its way right now."""
        return any(row.in_flight for row in self.obligations)


def orders_of(merchant_id: UUID) -> QuerySet[Order]:
    """The merchant's orders with what is owed of them."""
    obligations = Prefetch("obligations", Obligation.objects.order_by("sequence"))
    return Order.objects.filter(merchant_id=merchant_id).prefetch_related(obligations)


def order_of(merchant_id: UUID, order_id: UUID) -> Order:
    """The merchant's own order.

    Raises:
        NotFound: missing, or another merchant's.
    """
    order = orders_of(merchant_id).filter(pk=order_id).first()
    if order is None:
        raise NotFound
    return order


def record_of(person_id: UUID, shelf: str = "") -> QuerySet[Order]:
    """The person's orders of all merchants, or those on one shelf, each with what is still owed of it."""
    owed = Obligation.objects.filter(order=OuterRef("pk"), state__in=Obligation.PAYABLE).order_by().values("order")
    rows = Order.objects.filter(person_id=person_id).select_related("merchant")
    if shelf in SHELVES:
        rows = rows.filter(state__in=SHELVES[shelf])
    return rows.annotate(owed_minor=Subquery(owed.annotate(unpaid=_UNPAID).values("unpaid")))


def owed_by(person_id: UUID) -> list[Money]:
    """What the person owes altogether, in each currency."""
    rows = Obligation.objects.filter(person_id=person_id, state__in=Obligation.PAYABLE).order_by("currency")
    return [Money(unpaid, currency) for currency, unpaid in rows.values_list("currency").annotate(unpaid=_UNPAID)]


def sheet_of(person_id: UUID, order_id: UUID) -> Sheet:
    """The person's own order.

    Raises:
        NotFound: missing, or another person's.
    """
    rows = Order.objects.select_related("merchant", "service").filter(person_id=person_id, pk=order_id)
    order = rows.first()
    if order is None:
        raise NotFound
    return Sheet(order, list(order.obligations.order_by("sequence")))
