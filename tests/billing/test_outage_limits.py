"""Which orders an outage pauses, given the spending limits of their people."""

from datetime import timedelta

import pytest

from accounts.models import Person
from billing.models import Deduction
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet, set_instrument_limits
from billing.services.outage import apply_outages, begin_outage
from billing.services.wallets import top_up
from kernel.models import Realm
from orders.models import Pause
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, state_of, yuan


@pytest.fixture
def shop(power_bank: Shop) -> Shop:
    Realm.objects.filter(pk=power_bank.realm_id).update(frozen_at=NOON)
    return power_bank


def wallet_of(person: Person, place: int, limit: str | None = None) -> None:
    open_wallet(person, at=NOON)
    person.instruments.filter(channel="wallet").update(priority=place)
    top_up(person.id, yuan("100"), f"ref {person.id}", at=NOON)
    if limit:
        row = person.instruments.get(channel="wallet")
        set_instrument_limits(person.id, row.id, yuan(limit), None, by=BY, at=NOON)


def test_only_orders_that_just_the_outage_channel_may_collect_are_paused(shop: Shop) -> None:
    first = make_person(shop)
    wallet_of(first, 0, "1")
    stuck = make_due_order(shop, first, yuan("6"))
    other = make_person(shop)
    wallet_of(other, 0)
    good = make_due_order(shop, other, yuan("6"), due_at=NOON + timedelta(minutes=1))
    begin_outage("sandbox", "x", by=BY, at=NOON)
    for _round in range(10):
        deduct_due(shop.realm_id, at=NOON + timedelta(minutes=2), limit=1)
    assert state_of(good) == "deducted"
    assert Pause.objects.filter(order=stuck, reason="channel_outage").exists()


def test_orders_payable_by_another_channel_are_not_paused(shop: Shop) -> None:
    person = make_person(shop)
    wallet_of(person, 9)
    account = person.instruments.get(channel="sandbox")
    set_instrument_limits(person.id, account.id, yuan("1"), None, by=BY, at=NOON)
    order = make_due_order(shop, person, yuan("6"))
    begin_outage("sandbox", "x", by=BY, at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    assert state_of(order) == "deducted"
    assert Deduction.objects.get().channel == "wallet"


def test_orders_that_limits_move_to_another_channel_are_resumed(shop: Shop) -> None:
    person = make_person(shop)
    wallet_of(person, 9)
    order = make_due_order(shop, person, yuan("6"))
    begin_outage("sandbox", "x", by=BY, at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    held = Pause.objects.filter(order=order, reason="channel_outage", ended_at=None)
    apply_outages(real=NOON)
    assert held.exists()
    set_instrument_limits(person.id, person.instruments.get(channel="sandbox").id, yuan("1"), None, by=BY, at=NOON)
    apply_outages(real=NOON)
    assert not held.exists()
