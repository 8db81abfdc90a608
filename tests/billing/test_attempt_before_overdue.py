"""Nothing becomes overdue before its deduction was attempted, even if processing was late."""

from datetime import datetime, timedelta

import pytest

from billing.channels import Declined
from billing.planning import FailureClass
from billing.services import attempt_plans, deduct
from billing.services.deduct import deduct_due
from billing.services.deduction_outcomes import DeductionReport, settle_all
from credit.models import Profile
from orders import services as orders
from orders.models import Obligation, Order
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, state_of, yuan

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def due_at_once(hours: int) -> Shop:
    return make_shop("云上影院", grace=timedelta(hours=hours))


def mark_overdue(shop: Shop, at: datetime) -> int:
    """Run the overdue sweep. Returns how many it marked."""
    return orders.mark_overdue(shop.realm_id, at=at, limit=9)


def record_of(order: Order) -> tuple[str, int, int]:
    profile = Profile.objects.get(pk=order.person_id)
    return state_of(order), profile.kept_orders, profile.breached_orders


@pytest.mark.parametrize("hours", [0, 1, 72])
def test_a_person_with_money_is_not_overdue_after_days_without_processing(hours: int) -> None:
    shop = due_at_once(hours)
    order = make_due_order(shop, make_person(shop), yuan("6"))
    back = NOON + timedelta(hours=hours) + 5 * DAY

    assert mark_overdue(shop, back) == 0
    deduct_due(shop.realm_id, at=back)
    mark_overdue(shop, back)

    assert record_of(order) == ("deducted", 1, 0)


def test_a_person_without_money_is_overdue_right_after_the_attempt() -> None:
    shop = due_at_once(1)
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("6"))
    back = NOON + 5 * DAY
    assert mark_overdue(shop, back) == 0
    deduct_due(shop.realm_id, at=back)
    assert mark_overdue(shop, back) == 1
    assert record_of(order) == ("overdue", 0, 1)


def channel_failing(
    shop: Shop, at: datetime, code: str = "issuer_unavailable", kind: FailureClass = FailureClass.TECHNICAL
) -> None:
    """The channel declines every deduction due at this time with this code."""
    prepared, _seen = deduct.prepare_due(shop.realm_id, at=at, limit=9)
    settle_all([DeductionReport(row.id, Declined(code, kind), "sync") for row in prepared], by=BY, at=at)


@pytest.mark.parametrize("hours", [0, 1])
def test_a_failing_channel_does_not_make_an_order_overdue(hours: int) -> None:
    shop = due_at_once(hours)
    order = make_due_order(shop, make_person(shop), yuan("6"))
    channel_failing(shop, NOON)
    for minutes in (10, 40):
        assert mark_overdue(shop, NOON + timedelta(minutes=minutes)) == 0
        channel_failing(shop, NOON + timedelta(minutes=minutes))
    again = NOON + timedelta(minutes=160)
    assert mark_overdue(shop, again) == 0
    deduct_due(shop.realm_id, at=again)
    assert record_of(order) == ("deducted", 1, 0)


def test_it_is_overdue_once_the_channel_answered_or_no_attempt_is_planned() -> None:
    shop = due_at_once(0)
    order = make_due_order(shop, make_person(shop), yuan("6"))
    channel_failing(shop, NOON)
    assert mark_overdue(shop, NOON) == 0
    channel_failing(shop, NOON + timedelta(minutes=10), "insufficient_funds", FailureClass.SOFT)
    assert mark_overdue(shop, NOON + timedelta(minutes=10)) == 1
    assert record_of(order) == ("overdue", 0, 1)
    given_up = make_due_order(shop, make_person(shop), yuan("6"))
    channel_failing(shop, NOON)
    given_up.person.instruments.update(state="dead")
    deduct_due(shop.realm_id, at=NOON + timedelta(minutes=10))
    assert mark_overdue(shop, NOON + timedelta(minutes=10)) == 1


def test_moving_a_retry_does_not_postpone_overdue() -> None:
    shop = due_at_once(1)
    make_due_order(shop, make_person(shop), yuan("6"))
    channel_failing(shop, NOON)
    attempt_plans.move_next_attempt(Obligation.objects.get().id, NOON + 6 * DAY, at=NOON)
    assert mark_overdue(shop, NOON + timedelta(hours=1)) == 1


def test_a_person_without_instruments_becomes_overdue_too() -> None:
    shop = due_at_once(0)
    order = make_due_order(shop, make_person(shop), yuan("6"))
    order.person.instruments.update(state="dead")
    assert mark_overdue(shop, NOON) == 0
    deduct_due(shop.realm_id, at=NOON)
    assert mark_overdue(shop, NOON) == 1


def test_a_date_moved_beyond_the_grace_period_does_not_postpone_overdue() -> None:
    shop = due_at_once(72)
    order = make_due_order(shop, make_person(shop), yuan("6"), due_at=NOON + DAY)
    attempt_plans.move_next_attempt(Obligation.objects.get().id, NOON + 6 * DAY, at=NOON)
    assert mark_overdue(shop, NOON + 4 * DAY) == 1
    assert record_of(order) == ("overdue", 0, 1)


def test_a_part_of_a_plan_is_attempted_before_it_is_overdue() -> None:
    shop = due_at_once(0)
    order = make_due_order(shop, make_person(shop, "no_funds_until", until=NOON + DAY), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)
    orders.choose_plan(order.person_id, order.id, orders.PlanOffer(2, 14), expected=[yuan("6")], by=BY, at=NOON)
    back = NOON + 40 * DAY
    assert mark_overdue(shop, back) == 0
    deduct_due(shop.realm_id, at=back)
    assert record_of(order) == ("deducted", 1, 0)
