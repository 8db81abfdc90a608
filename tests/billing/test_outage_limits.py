"""What an outage stops is what would be collected from there, the person's own limits among the reasons why."""

from datetime import timedelta

import pytest

from accounts.models import Person
from billing.models import Deduction
from billing.services.deduct import deduct_due
from billing.services.instruments import limit_instrument, open_wallet
from billing.services.outage import begin_outage, keep_outages
from billing.services.wallets import top_up
from kernel.models import Realm
from orders.models import Pause
from tests.conftest import BY, NOON, Shop, completed, someone, state_of, yuan


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
        limit_instrument(person.id, row.id, yuan(limit), None, by=BY, at=NOON)


def test_what_only_the_one_that_is_out_may_take_stands_still_and_is_in_nobodys_way(shop: Shop) -> None:
    first = someone(shop)
    wallet_of(first, 0, "1")
    stuck = completed(shop, first, yuan("6"))
    other = someone(shop)
    wallet_of(other, 0)
    good = completed(shop, other, yuan("6"), due_at=NOON + timedelta(minutes=1))
    begin_outage("sandbox", "x", by=BY, at=NOON)
    for _round in range(10):
        deduct_due(shop.realm_id, at=NOON + timedelta(minutes=2), limit=1)
    assert state_of(good) == "deducted"
    assert Pause.objects.filter(order=stuck, reason="channel_outage").exists()


def test_what_goes_from_another_that_is_not_out_does_not_stand_still(shop: Shop) -> None:
    person = someone(shop)
    wallet_of(person, 9)
    account = person.instruments.get(channel="sandbox")
    limit_instrument(person.id, account.id, yuan("1"), None, by=BY, at=NOON)
    order = completed(shop, person, yuan("6"))
    begin_outage("sandbox", "x", by=BY, at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    assert state_of(order) == "deducted"
    assert Deduction.objects.get().channel == "wallet"


def test_the_round_lets_go_what_a_limit_sends_elsewhere(shop: Shop) -> None:
    person = someone(shop)
    wallet_of(person, 9)
    order = completed(shop, person, yuan("6"))
    begin_outage("sandbox", "x", by=BY, at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    held = Pause.objects.filter(order=order, reason="channel_outage", ended_at=None)
    keep_outages(real=NOON)
    assert held.exists()
    limit_instrument(person.id, person.instruments.get(channel="sandbox").id, yuan("1"), None, by=BY, at=NOON)
    keep_outages(real=NOON)
    assert not held.exists()
