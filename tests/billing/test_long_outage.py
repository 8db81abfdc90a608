"""A run during a long outage ends in time, and does not examine each paused order again."""

import itertools
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from accounts.models import Person
from billing.services import outage
from billing.services.instruments import open_wallet
from billing.services.outage import apply_outages, begin_outage, end_outage
from billing.services.wallets import top_up
from kernel.models import Realm
from orders.models import Obligation, Order, Pause
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan


@pytest.fixture
def shop(power_bank: Shop) -> Shop:
    """The power bank shop, with its clock at noon."""
    Realm.objects.filter(pk=power_bank.realm_id).update(frozen_at=NOON)
    return power_bank


def paused_orders() -> set[UUID]:
    return set(Pause.objects.filter(reason="channel_outage", ended_at__isnull=True).values_list("order_id", flat=True))


def with_wallet(person: Person) -> Person:
    """Give the person a wallet as second instrument."""
    open_wallet(person, at=NOON)
    person.instruments.filter(channel="wallet").update(priority=9)
    top_up(person.id, yuan("100"), f"ref {person.id}", at=NOON)
    return person


def named_first(order: Order, channel: str) -> None:
    """Make the order's next attempt name an instrument of this channel."""
    row = Obligation.objects.get(order=order)
    row.plan[0]["source"] = str(order.person.instruments.get(channel=channel).id)
    row.save(update_fields=["plan"])


def test_orders_of_a_channel_still_out_are_skipped_in_sql(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [make_due_order(shop, with_wallet(make_person(shop)), yuan("6")) for _ in range(4)]
    named_first(orders[1], "sandbox")
    begin_outage("sandbox", "银行维护", by=BY, at=NOON)
    apply_outages(real=NOON)
    assert paused_orders() == {order.id for order in orders}
    named_first(orders[2], "wallet")
    orders[3].person.instruments.filter(channel="sandbox").update(priority=99)
    looked_at: list[UUID] = []
    real = outage._orders_collected_from  # noqa: SLF001

    def noted(channels: Collection[str], rows: Sequence[Any]) -> set[UUID]:
        looked_at.extend(row.order_id for row in rows)
        return real(channels, rows)

    monkeypatch.setattr(outage, "_orders_collected_from", noted)
    monkeypatch.setattr(outage, "SCAN_SIZE", 1)
    monkeypatch.setattr(outage, "pause_next", lambda *_args, **_how: None)
    apply_outages(real=NOON)
    assert sorted(looked_at) == sorted([orders[2].id, orders[3].id])
    assert paused_orders() == {orders[0].id, orders[1].id}


def test_a_run_ends_within_its_budget_and_the_next_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        make_due_order(shop, make_person(shop, "no_funds"), yuan("6"))
    monkeypatch.setattr(outage, "BATCH", 1)
    ticks = itertools.count(0, 1.6)
    monkeypatch.setattr(outage.time, "monotonic", lambda: next(ticks))
    begin_outage("sandbox", "银行维护", by=BY, at=NOON)
    apply_outages(real=NOON)
    assert len(paused_orders()) == 2
    end_outage("sandbox", "恢复了", by=BY, at=NOON + timedelta(minutes=1))
    make_due_order(shop, make_person(shop, "no_funds"), yuan("6"))
    apply_outages(real=NOON)
    assert paused_orders() == set()
