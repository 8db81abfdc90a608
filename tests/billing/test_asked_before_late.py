"""Nobody breaks a promise because we were late: what is due is asked for before it can be overdue."""

from datetime import datetime, timedelta

import pytest

from billing.channels import Declined
from billing.planning import Kind
from billing.services import deduct, plan
from billing.services.deduct import deduct_due
from billing.services.settle import Report, settle_all
from credit.models import Profile
from orders import services as orders
from orders.models import Obligation, Order
from tests.conftest import BY, NOON, Shop, completed, make_shop, someone, state_of, yuan

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def due_at_once(hours: int) -> Shop:
    return make_shop("云上影院", grace=timedelta(hours=hours))


def fall(shop: Shop, at: datetime) -> int:
    """As the alarm clock does it: when it is told that something is due."""
    return orders.mark_overdue(shop.realm_id, at=at, limit=9)


def record_of(order: Order) -> tuple[str, int, int]:
    profile = Profile.objects.get(pk=order.person_id)
    return state_of(order), profile.kept_orders, profile.breached_orders


@pytest.mark.parametrize("hours", [0, 1, 72])
def test_whoever_has_the_money_keeps_their_promise_though_nobody_collected_for_days(hours: int) -> None:
    shop = due_at_once(hours)
    order = completed(shop, someone(shop), yuan("6"))
    back = NOON + timedelta(hours=hours) + 5 * DAY

    assert fall(shop, back) == 0
    deduct_due(shop.realm_id, at=back)
    fall(shop, back)

    assert record_of(order) == ("deducted", 1, 0)


def test_whoever_has_not_falls_as_soon_as_they_were_asked() -> None:
    shop = due_at_once(1)
    order = completed(shop, someone(shop, "no_funds"), yuan("6"))
    back = NOON + 5 * DAY
    assert fall(shop, back) == 0
    deduct_due(shop.realm_id, at=back)
    assert fall(shop, back) == 1
    assert record_of(order) == ("overdue", 0, 1)


def in_trouble(shop: Shop, at: datetime, code: str = "issuer_unavailable", kind: Kind = Kind.TECHNICAL) -> None:
    """The channel answers so whatever is asked of it then."""
    prepared, _seen = deduct.prepare_due(shop.realm_id, at=at, limit=9)
    settle_all([Report(row.id, Declined(code, kind), "sync") for row in prepared], by=BY, at=at)


@pytest.mark.parametrize("hours", [0, 1])
def test_a_channel_in_trouble_is_not_its_persons_broken_promise(hours: int) -> None:
    shop = due_at_once(hours)
    order = completed(shop, someone(shop), yuan("6"))
    in_trouble(shop, NOON)
    for minutes in (10, 40):
        assert fall(shop, NOON + timedelta(minutes=minutes)) == 0
        in_trouble(shop, NOON + timedelta(minutes=minutes))
    again = NOON + timedelta(minutes=160)
    assert fall(shop, again) == 0
    deduct_due(shop.realm_id, at=again)
    assert record_of(order) == ("deducted", 1, 0)


def test_it_falls_once_the_channel_has_answered_or_nothing_more_is_planned() -> None:
    shop = due_at_once(0)
    order = completed(shop, someone(shop), yuan("6"))
    in_trouble(shop, NOON)
    assert fall(shop, NOON) == 0
    in_trouble(shop, NOON + timedelta(minutes=10), "insufficient_funds", Kind.SOFT)
    assert fall(shop, NOON + timedelta(minutes=10)) == 1
    assert record_of(order) == ("overdue", 0, 1)
    given_up = completed(shop, someone(shop), yuan("6"))
    in_trouble(shop, NOON)
    given_up.person.instruments.update(state="dead")
    deduct_due(shop.realm_id, at=NOON + timedelta(minutes=10))
    assert fall(shop, NOON + timedelta(minutes=10)) == 1


def test_whoever_puts_off_the_next_attempt_themselves_is_not_spared_until_then() -> None:
    shop = due_at_once(1)
    completed(shop, someone(shop), yuan("6"))
    in_trouble(shop, NOON)
    plan.move_next(Obligation.objects.get().id, NOON + 6 * DAY, at=NOON)
    assert fall(shop, NOON + timedelta(hours=1)) == 1


def test_whoever_has_nothing_to_pay_from_falls_then_too() -> None:
    shop = due_at_once(0)
    order = completed(shop, someone(shop), yuan("6"))
    order.person.instruments.update(state="dead")
    assert fall(shop, NOON) == 0
    deduct_due(shop.realm_id, at=NOON)
    assert fall(shop, NOON) == 1


def test_a_date_moved_beyond_the_grace_waits_for_nobody() -> None:
    shop = due_at_once(72)
    order = completed(shop, someone(shop), yuan("6"), due_at=NOON + DAY)
    plan.move_next(Obligation.objects.get().id, NOON + 6 * DAY, at=NOON)
    assert fall(shop, NOON + 4 * DAY) == 1
    assert record_of(order) == ("overdue", 0, 1)


def test_a_part_of_a_plan_is_asked_for_first_as_well() -> None:
    shop = due_at_once(0)
    order = completed(shop, someone(shop, "no_funds_until", until=NOON + DAY), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)
    orders.ease(order.person_id, order.id, orders.Offer(2, 14), expected=[yuan("6")], by=BY, at=NOON)
    back = NOON + 40 * DAY
    assert fall(shop, back) == 0
    deduct_due(shop.realm_id, at=back)
    assert record_of(order) == ("deducted", 1, 0)
