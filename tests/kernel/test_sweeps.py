"""Sweeps process realms with due rows batch by batch, within a time budget."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from accounts import services as accounts
from billing.services.instruments import open_wallet
from credit import services as credit
from kernel import sweeps
from kernel.clock import live_now
from kernel.models import LIVE, Realm
from kernel.sweeps import process_each, realms_due, sweep_realms
from merchants import services as merchants
from orders.models import Obligation
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, yuan

BATCH = 10


@pytest.fixture
def shops(db: None) -> list[Shop]:
    """Three sandboxes, in each of which something is due."""
    made = [make_shop(name) for name in ("甲", "乙", "丙")]
    for shop in made:
        make_due_order(shop, make_person(shop), yuan("1"), at=NOON)
    return made


def run_sweep(worked: list[int], backlog: dict[int, int]) -> None:
    """Sweep a made-up backlog, and record the realm of each batch."""

    def work(realm_id: int, _at: datetime, limit: int) -> int:
        worked.append(realm_id)
        done = min(limit, backlog[realm_id])
        backlog[realm_id] -= done
        return done

    sweep_realms(Obligation, "collect_at", work, batch_size=BATCH)


def test_realms_take_turns_until_each_has_less_than_a_batch_left(shops: list[Shop]) -> None:
    one, two, three = (shop.realm_id for shop in shops)
    worked: list[int] = []
    backlog = {one: 25, two: 3, three: 10}
    run_sweep(worked, backlog)
    assert set(worked[:3]) == {one, two, three}
    assert (worked.count(one), worked.count(two), worked.count(three)) == (3, 1, 2)
    assert set(backlog.values()) == {0}


def test_when_time_is_up_the_rest_waits_for_the_next_run(shops: list[Shop], monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: Iterator[float] = iter(range(0, 1000, 3))
    monkeypatch.setattr(sweeps.time, "monotonic", lambda: float(next(ticks)))
    worked: list[int] = []
    run_sweep(worked, {shop.realm_id: 10**6 for shop in shops})
    assert len(worked) == 3  # begun 3, 6 and 9 s after the ring


def test_a_failure_in_one_realm_does_not_stop_others(shops: list[Shop]) -> None:
    worked: list[int] = []
    backlog = {shop.realm_id: 5 for shop in shops[1:]}  # the first one's breaks
    run_sweep(worked, backlog)
    assert sorted(worked) == sorted(shop.realm_id for shop in shops)
    assert set(backlog.values()) == {0}


def test_a_frozen_realm_and_one_with_nothing_due_are_left_alone(shops: list[Shop]) -> None:
    Realm.objects.filter(pk=shops[0].realm_id).update(frozen_at=live_now())
    Obligation.objects.filter(realm_id=shops[1].realm_id).update(collect_at=None, plan=[])
    assert realms_due(Obligation, "collect_at") == [Realm.objects.get(pk=shops[2].realm_id)]


def test_the_soft_time_limit_ends_a_sweep(shops: list[Shop]) -> None:
    worked: list[int] = []

    def work(realm_id: int, _at: datetime, _limit: int) -> int:
        worked.append(realm_id)
        raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        sweep_realms(Obligation, "collect_at", work, batch_size=BATCH)
    with pytest.raises(SoftTimeLimitExceeded):
        process_each([1, 2], lambda key: work(key, NOON, 1), event="one_failed")
    assert len(worked) == 2


@pytest.fixture
def live_realm(power_bank: Shop) -> int:
    """Something is due in the live realm too."""
    terms = {"name": "真店", "mode": "dynamic", "ceiling_minor": 9900, "currency": "CNY"}
    service = merchants.offer_service(power_bank.live.id, terms, by=BY, at=NOON)
    person = accounts.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    accounts.verify_identity(person.id, "欧阳修远", "11010519491231002X", by=BY, at=NOON)
    credit.open_profile(person, score=720, at=NOON)
    open_wallet(person, at=NOON)
    make_due_order(Shop(power_bank.live, power_bank.live, "", service), person, yuan("1"), at=NOON)
    return LIVE


def test_the_live_realm_goes_first_and_again_after_each_batch_of_a_sandbox(shops: list[Shop], live_realm: int) -> None:
    worked: list[int] = []
    sandboxes = {shop.realm_id for shop in shops}
    run_sweep(worked, {live_realm: 35, **dict.fromkeys(sandboxes, 20)})
    assert [realm_id == live_realm for realm_id in worked[:7]] == [True, False, True, False, True, False, True]
    assert worked.count(live_realm) == 4
    assert {worked.count(realm_id) for realm_id in sandboxes} == {3}


def test_a_failure_in_the_live_realm_does_not_stop_sandboxes(shops: list[Shop], live_realm: int) -> None:
    worked: list[int] = []
    run_sweep(worked, {shop.realm_id: 5 for shop in shops})  # the live one breaks
    assert worked[0] == live_realm
    assert len(worked) == 4
