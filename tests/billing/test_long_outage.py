"""A round of what an outage stops ends in time, and does not look again at each order that stands still."""

import itertools
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from accounts.models import Person
from billing.services import outage
from billing.services.instruments import open_wallet
from billing.services.outage import begin_outage, end_outage, keep_outages
from billing.services.wallets import top_up
from kernel.models import Realm
from orders.models import Obligation, Order, Pause
from tests.conftest import BY, NOON, Shop, completed, someone, yuan


@pytest.fixture
def shop(power_bank: Shop) -> Shop:
    """The power banks, where it is noon."""
    Realm.objects.filter(pk=power_bank.realm_id).update(frozen_at=NOON)
    return power_bank


def held() -> set[UUID]:
    return set(Pause.objects.filter(reason="channel_outage", ended_at__isnull=True).values_list("order_id", flat=True))


def with_wallet(person: Person) -> Person:
    """They may pay from a wallet too, though only after the bank."""
    open_wallet(person, at=NOON)
    person.instruments.filter(channel="wallet").update(priority=9)
    top_up(person.id, yuan("100"), f"ref {person.id}", at=NOON)
    return person


def named_first(order: Order, channel: str) -> None:
    """The order's next attempt names what it takes from."""
    row = Obligation.objects.get(order=order)
    row.plan[0]["source"] = str(order.person.instruments.get(channel=channel).id)
    row.save(update_fields=["plan"])


def test_whose_channel_is_still_out_is_passed_over_unseen(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [completed(shop, with_wallet(someone(shop)), yuan("6")) for _ in range(4)]
    named_first(orders[1], "sandbox")
    begin_outage("sandbox", "银行维护", by=BY, at=NOON)
    keep_outages(real=NOON)
    assert held() == {order.id for order in orders}
    named_first(orders[2], "wallet")
    orders[3].person.instruments.filter(channel="sandbox").update(priority=99)
    looked_at: list[UUID] = []
    real = outage._collected_from  # noqa: SLF001

    def noted(channels: Collection[str], rows: Sequence[Any]) -> set[UUID]:
        looked_at.extend(row.order_id for row in rows)
        return real(channels, rows)

    monkeypatch.setattr(outage, "_collected_from", noted)
    monkeypatch.setattr(outage, "STRETCH", 1)
    monkeypatch.setattr(outage, "hold_next", lambda *_args, **_how: None)
    keep_outages(real=NOON)
    assert sorted(looked_at) == sorted([orders[2].id, orders[3].id])
    assert held() == {orders[0].id, orders[1].id}


def test_a_round_ends_when_its_time_is_up_and_the_next_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        completed(shop, someone(shop, "no_funds"), yuan("6"))
    monkeypatch.setattr(outage, "BATCH", 1)
    ticks = itertools.count(0, 1.6)
    monkeypatch.setattr(outage.time, "monotonic", lambda: next(ticks))
    begin_outage("sandbox", "银行维护", by=BY, at=NOON)
    keep_outages(real=NOON)
    assert len(held()) == 2
    end_outage("sandbox", "恢复了", by=BY, at=NOON + timedelta(minutes=1))
    completed(shop, someone(shop, "no_funds"), yuan("6"))
    keep_outages(real=NOON)
    assert held() == set()
