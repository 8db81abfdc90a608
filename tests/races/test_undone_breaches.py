"""R: a breach is undone by several requests at once. The points are given back once."""

from datetime import timedelta
from functools import partial

import pytest

from accounts.models import Person
from billing.services.deduct import deduct_due
from credit.limit_reviews import review_limits
from credit.models import Profile, ScoreChange
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, reload_order, yuan
from tests.races.checks import rounds
from tests.threads import refusals, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)
LATE = NOON + timedelta(days=4)


def broken(shop: Shop) -> Order:
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)
    orders.mark_overdue(shop.realm_id, at=LATE, limit=9)
    return order


def record_of(person: Person) -> tuple[int, int]:
    profile = Profile.objects.get(pk=person.id)
    return profile.breached_orders, profile.overdue_orders


def test_concurrent_corrections_give_points_back_once(power_bank: Shop) -> None:
    in_time = LATE - timedelta(seconds=1)
    for turn in rounds("marked as paid, called off, lowered to nothing, limits reviewed"):
        order = broken(power_bank)
        outcomes = run_concurrently(
            partial(orders.mark_paid, order.id, in_time, f"till-{turn}", by=BY, at=LATE),
            partial(orders.mark_paid, order.id, in_time, f"till-{turn}", by=BY, at=LATE),
            partial(orders.cancel_order, order.id, "x", by=BY, at=LATE),
            partial(orders.reduce_total, order.id, 0, "x", by=BY, at=LATE),
            partial(review_limits, power_bank.realm_id, at=LATE, limit=99),
        )
        assert reload_order(order.id).overdue_at is None
        assert record_of(order.person) == (0, 0)
        told = list(ScoreChange.objects.filter(order_id=order.id).order_by("id").values_list("reason", flat=True))
        assert told in (["breached", "righted"], ["breached", "righted", "kept"]), refusals(outcomes)
        points = sum(ScoreChange.objects.filter(order_id=order.id).values_list("delta", flat=True))
        assert points == (2 if "kept" in told else 0)
