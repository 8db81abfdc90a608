"""A demand that waited for the morning goes out only if what it says is still true then."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from accounts.deliver import deliver_due
from accounts.models import Delivery
from billing.channels import bank
from billing.services.pay import pay_now
from billing.services.remind import remind_due
from orders import queries
from orders import services as orders
from orders.models import Order
from orders.rules import Offer
from tests.billing.bench import late_with_fees, token_of
from tests.conftest import BY, NOON, Shop

pytestmark = pytest.mark.django_db
NIGHT, MORNING = NOON + timedelta(days=6, hours=11), NOON + timedelta(days=6, hours=21)
LATER = NIGHT + timedelta(hours=1)


def agree_plan(order: Order) -> None:
    sums = queries.easing_of(order.person_id, order.id, at=LATER).sums
    orders.ease(order.person_id, order.id, Offer(3, 30), expected=sums, by=BY, at=LATER)


def pay_part(order: Order) -> None:
    bank.change_account(token_of(order), bank.Behaviour("pays"))
    pay_now(order.id, amount_minor=1_000, by=BY, at=LATER)


def lower(order: Order) -> None:
    orders.lower_total(order.id, 9_000, "线坏了", by=BY, at=LATER)


def forgive_fees(order: Order) -> None:
    orders.waive_fees(order.id, "x", by=BY, at=LATER)


def nothing(_order: Order) -> None:
    """It stays as it was."""


@pytest.mark.usefixtures("all_asked")
@pytest.mark.parametrize(
    ("happens", "ended"),
    [
        (nothing, ("sent", "")),
        (agree_plan, ("skipped", "started_anew")),
        (pay_part, ("skipped", "less_is_owed")),
        (lower, ("skipped", "less_is_owed")),
        (forgive_fees, ("skipped", "less_is_owed")),
    ],
)
def test_what_changed_overnight_keeps_a_demand_at_home(
    fees: Shop, happens: Callable[[Order], None], ended: tuple[str, str]
) -> None:
    order = late_with_fees(fees)
    remind_due(fees.realm_id, at=NIGHT)
    happens(order)
    deliver_due(fees.realm_id, at=MORNING)
    asked = Delivery.objects.filter(person_id=order.person_id, collection=True)
    assert set(asked.values_list("state", "reason")) == {ended}
