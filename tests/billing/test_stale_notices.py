"""A reminder held until the morning is sent only if it is still true then."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from accounts.deliver import deliver_due
from accounts.models import Delivery
from billing.channels import bank
from billing.services.pay import pay_now
from billing.services.reminders import remind_all
from orders import queries
from orders import services as orders
from orders.models import Order
from orders.rules import PlanOffer
from tests.billing.helpers import overdue_with_fees, token_of
from tests.conftest import BY, NOON, Shop

pytestmark = pytest.mark.django_db
NIGHT, MORNING = NOON + timedelta(days=6, hours=11), NOON + timedelta(days=6, hours=21)
LATER = NIGHT + timedelta(hours=1)


def agree_plan(order: Order) -> None:
    sums = queries.plan_options_for(order.person_id, order.id, at=LATER).sums
    orders.choose_plan(order.person_id, order.id, PlanOffer(3, 30), expected=sums, by=BY, at=LATER)


def pay_part(order: Order) -> None:
    bank.change_account(token_of(order), bank.Behaviour("pays"))
    pay_now(order.id, amount_minor=1_000, by=BY, at=LATER)


def lower(order: Order) -> None:
    orders.reduce_total(order.id, 9_000, "线坏了", by=BY, at=LATER)


def forgive_fees(order: Order) -> None:
    orders.waive_fees(order.id, "x", by=BY, at=LATER)


def nothing(_order: Order) -> None:
    """Change nothing."""


@pytest.mark.usefixtures("all_attempted")
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
def test_a_change_overnight_stops_an_overdue_reminder(
    fees: Shop, happens: Callable[[Order], None], ended: tuple[str, str]
) -> None:
    order = overdue_with_fees(fees)
    remind_all(fees.realm_id, at=NIGHT)
    happens(order)
    deliver_due(fees.realm_id, at=MORNING)
    asked = Delivery.objects.filter(person_id=order.person_id, collection=True)
    assert set(asked.values_list("state", "reason")) == {ended}
