"""An unconfirmed order expires after thirty days."""

from datetime import timedelta

import pytest

from credit.models import Agreement
from merchants.models import Event
from orders import refusals
from orders import services as orders
from orders.models import Order
from orders.tasks import expire_unconfirmed
from tests.conftest import BY, NOON, Shop, make_agreement, make_person, make_shop, state_of
from tests.unchanged import assert_unchanged

END = NOON + timedelta(days=30)


def waiting(shop: Shop, number: str = "1") -> Order:
    agreement = Agreement.objects.filter(service=shop.service).first() or make_agreement(shop, make_person(shop))
    wish = orders.OrderRequest(agreement_id=agreement.id, out_order_no=number, title="x", currency="CNY", amount=1)
    order = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
    assert order is not None
    return order


def test_it_ends_on_the_thirtieth_day_and_not_a_second_before(shop: Shop) -> None:
    order = waiting(shop)
    with assert_unchanged():
        assert orders.expire_unconfirmed(shop.realm_id, at=END - timedelta(seconds=1), limit=9) == 0

    assert orders.expire_unconfirmed(shop.realm_id, at=END, limit=9) == 1

    assert state_of(order) == "expired"
    assert Agreement.objects.get().live_orders == 0
    assert list(Event.objects.filter(subject_id=order.id).values_list("type", flat=True)) == ["order.expired"]
    with assert_unchanged():
        assert orders.expire_unconfirmed(shop.realm_id, at=END, limit=9) == 0
    with assert_unchanged(), pytest.raises(refusals.OrderState):
        orders.confirm_order(order.id, by=BY, at=END)


def test_a_confirmed_or_cancelled_order_does_not_expire(shop: Shop) -> None:
    confirmed, cancelled = waiting(shop, "1"), waiting(shop, "2")
    orders.confirm_order(confirmed.id, by=BY, at=NOON)
    orders.cancel_order(cancelled.id, "x", by=BY, at=NOON)
    with assert_unchanged():
        assert orders.expire_unconfirmed(shop.realm_id, at=END, limit=9) == 0


def test_another_sandbox_keeps_its_own_time(shop: Shop) -> None:
    order = waiting(shop)
    other = make_shop("另一家", mode="fixed", confirmation=True)
    with assert_unchanged():
        assert orders.expire_unconfirmed(other.realm_id, at=END, limit=9) == 0
    assert state_of(order) == "created"


def test_the_sweep_uses_each_sandbox_clock_and_batches(shop: Shop) -> None:
    made = [waiting(shop, str(number)) for number in range(3)]
    realm = shop.merchant.realm
    realm.frozen_at = END
    realm.save()
    with assert_unchanged():
        expire_unconfirmed()  # a frozen clock's time passes only when its owner says so
    realm.frozen_at, realm.clock_offset = None, timedelta(days=3_650)
    realm.save()

    expire_unconfirmed()

    assert {state_of(order) for order in made} == {"expired"}
