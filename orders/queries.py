from uuid import UUID

from django.db.models import Prefetch, QuerySet

from kernel.refusal import NotFound
from orders.models import Obligation, Order


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
