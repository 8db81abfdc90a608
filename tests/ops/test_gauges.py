"""Each gauge in a constructed situation: exact number and age, and the state by its limits."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from django.conf import LazySettings
from kombu.transport.redis import Channel

from accounts import services as accounts
from accounts.deliver import deliver_due
from accounts.models import Delivery
from billing.channels.base import Succeeded
from billing.models import Case
from billing.services.callbacks import deliver_realm_callbacks
from billing.services.cases import close_case
from billing.services.deduct import deduct_due, prepare_due
from billing.services.deduction_outcomes import DeductionReport, settle_all
from billing.services.instruments import open_wallet
from billing.services.outcome_polling import poll_deductions
from bnpl import heartbeat
from bnpl.work import gauges
from bnpl.work.catalog import WORK_KINDS
from bnpl.work.gauges import State, read_gauges
from credit import services as credit
from credit.models import Profile
from kernel.models import LIVE, Realm
from merchants import services as merchants
from orders import rules
from orders import services as orders
from orders.models import Obligation
from tests.billing.helpers import latest_deduction_of
from tests.conftest import (
    BY,
    NOON,
    Shop,
    make_agreement,
    make_due_order,
    make_order,
    make_person,
    reload_order,
    yuan,
)
from tests.ops.gauge_helpers import gauge_of, gauges_by_key

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOTHING = (0, timedelta(), "ok")
#: The end of the person's day on which grace that began at NOON has passed.
FALLS = NOON + 3 * DAY
MIDNIGHT = FALLS + 12 * HOUR


@pytest.fixture(autouse=True)
def broker() -> Iterator[redis.Redis]:
    with heartbeat.connect_broker() as server:
        server.flushdb()
        yield server
        server.flushdb()


def test_all_gauges_exist_and_nothing_waits_in_an_empty_database(db: None, broker: redis.Redis) -> None:
    heartbeat.beat(broker, "celery@test")
    seen = read_gauges(real=NOON)
    assert {figure.work for figure in seen} == set(WORK_KINDS) - {"wal_archive"}  # no archive is configured here
    assert {figure.state for figure in seen} == {State.OK}
    assert {figure.items for figure in seen} == {0, None}
    assert {figure.mode for figure in seen if WORK_KINDS[figure.work].rows} == {"live", "test"}


def test_what_is_due_waits_since_it_was_due(power_bank: Shop) -> None:
    make_due_order(power_bank, make_person(power_bank), yuan("1"))
    make_due_order(power_bank, make_person(power_bank), yuan("1"), due_at=NOON + MINUTE)
    assert gauge_of("obligations_due", NOON - SECOND) == NOTHING
    assert gauge_of("obligations_due", NOON + 29 * SECOND) == (1, 29 * SECOND, "ok")
    assert gauge_of("obligations_due", NOON + 30 * SECOND) == (1, 30 * SECOND, "late")
    assert gauge_of("obligations_due", NOON + 5 * MINUTE) == (2, 5 * MINUTE, "stuck")
    assert gauge_of("obligations_due", NOON + 5 * MINUTE, mode="live") == NOTHING
    deduct_due(power_bank.realm_id, at=NOON + 5 * MINUTE)
    assert gauge_of("obligations_due", NOON + 5 * MINUTE) == NOTHING


def test_a_deduction_sent_by_a_dead_worker_waits_from_the_end_of_its_lease(power_bank: Shop) -> None:
    make_due_order(power_bank, make_person(power_bank), yuan("1"))
    prepare_due(power_bank.realm_id, at=NOON, limit=9)
    assert gauge_of("sent_past_lease", NOON + 59 * SECOND) == NOTHING
    assert gauge_of("sent_past_lease", NOON + 61 * SECOND) == (1, SECOND, "ok")
    assert gauge_of("asks_due", NOON + 61 * SECOND) == NOTHING

    poll_deductions(power_bank.realm_id, at=NOON + 61 * SECOND)
    assert gauge_of("sent_past_lease", NOON + 61 * SECOND) == NOTHING
    assert gauge_of("unknown", NOON + 61 * SECOND, of="sandbox") == (1, 61 * SECOND, "ok")


def test_unknown_deductions_are_counted_by_channel_since_they_were_sent(power_bank: Shop) -> None:
    make_due_order(power_bank, make_person(power_bank, "late_callback"), yuan("1"))
    deduct_due(power_bank.realm_id, at=NOON)
    assert gauge_of("unknown", NOON + 9 * MINUTE, of="sandbox") == (1, 9 * MINUTE, "ok")
    assert gauge_of("unknown", NOON + 10 * MINUTE, of="sandbox")[2] == "late"
    assert gauge_of("unknown", NOON + DAY, of="sandbox")[2] == "stuck"
    assert ("unknown", "test", "") not in gauges_by_key(NOON)
    assert gauge_of("asks_due", NOON + 6 * SECOND) == (1, SECOND, "ok")
    poll_deductions(power_bank.realm_id, at=NOON + 6 * SECOND)
    assert gauge_of("asks_due", NOON + 6 * SECOND) == NOTHING
    assert gauge_of("unknown", NOON + 6 * SECOND, of="sandbox")[0] == 1


def test_a_callback_waits_by_the_clock_of_its_sandbox(power_bank: Shop, parcel: Shop) -> None:
    for shop in (power_bank, parcel):
        make_due_order(shop, make_person(shop, "duplicate_callback"), yuan("1"))
        deduct_due(shop.realm_id, at=NOON)
    assert gauge_of("callbacks_due", NOON + MINUTE) == (6, MINUTE, "late")
    Realm.objects.filter(pk=parcel.realm_id).update(clock_offset=HOUR)
    assert gauge_of("callbacks_due", NOON + MINUTE) == (6, HOUR + MINUTE, "stuck")
    Realm.objects.filter(pk=parcel.realm_id).update(frozen_at=NOON)
    assert gauge_of("callbacks_due", NOON + MINUTE) == (3, MINUTE, "late")
    deliver_realm_callbacks(Realm.objects.get(pk=power_bank.realm_id), real=NOON)
    assert gauge_of("callbacks_due", NOON + MINUTE) == NOTHING


def test_grace_that_has_passed_waits_to_be_marked_unless_it_is_being_collected(power_bank: Shop) -> None:
    make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("1"))
    make_due_order(power_bank, make_person(power_bank, "slow"), yuan("1"))
    deduct_due(power_bank.realm_id, at=NOON)
    assert gauge_of("overdue_due", FALLS - SECOND) == NOTHING
    assert gauge_of("overdue_due", FALLS + HOUR) == (1, HOUR, "stuck")
    orders.mark_overdue(power_bank.realm_id, at=FALLS, limit=9)
    assert gauge_of("overdue_due", FALLS + HOUR) == NOTHING


def test_days_due_and_failed_days_are_separate_gauges(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("1"))
    deduct_due(power_bank.realm_id, at=NOON)
    orders.mark_overdue(power_bank.realm_id, at=FALLS, limit=9)
    assert gauge_of("day_ends_due", MIDNIGHT - SECOND) == NOTHING
    assert gauge_of("day_ends_due", MIDNIGHT + HOUR) == (1, HOUR, "late")

    monkeypatch.setattr(rules, "accrue_fee_units", None)
    orders.close_days(power_bank.realm_id, at=MIDNIGHT, limit=9)
    assert gauge_of("day_ends_due", MIDNIGHT + HOUR) == NOTHING
    assert gauge_of("day_ends_failed", MIDNIGHT) == (1, timedelta(), "stuck")

    monkeypatch.undo()
    Obligation.objects.update(day_end_error="")  # as docs/deductions.md says, when the cause is mended
    orders.close_days(power_bank.realm_id, at=MIDNIGHT, limit=9)
    assert gauge_of("day_ends_failed", MIDNIGHT + DAY - SECOND) == gauge_of("day_ends_due", MIDNIGHT) == NOTHING


def test_an_order_nobody_confirmed_waits_to_be_ended(shop: Shop) -> None:
    wish = orders.OrderRequest(
        agreement_id=make_agreement(shop, make_person(shop)).id, out_order_no="T", title="x", currency="CNY", amount=1
    )
    assert orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
    assert gauge_of("orders_expiring", NOON + 30 * DAY + MINUTE) == (1, MINUTE, "ok")
    orders.expire_unconfirmed(shop.realm_id, at=NOON + 30 * DAY, limit=9)
    assert gauge_of("orders_expiring", NOON + 31 * DAY) == NOTHING


def test_an_order_that_its_merchant_never_ends_is_seen_and_can_be_ended(power_bank: Shop) -> None:
    """It would hold its person's limit for ever, and nobody would be told."""
    order = make_order(power_bank, make_agreement(power_bank, make_person(power_bank)))
    assert gauge_of("orders_held", NOON + 60 * DAY - SECOND) == NOTHING
    assert gauge_of("orders_held", NOON + 60 * DAY) == (1, 60 * DAY, "ok")
    assert gauge_of("orders_held", NOON + 61 * DAY)[2] == "late"
    assert gauge_of("orders_held", NOON + 90 * DAY)[2] == "stuck"
    orders.cancel_order(order.id, "商户不再营业", by=BY, at=NOON + 90 * DAY)
    assert gauge_of("orders_held", NOON + 90 * DAY) == NOTHING
    assert Profile.objects.get(pk=order.person_id).held_minor == 0


def test_a_notice_waits_until_it_is_sent(power_bank: Shop) -> None:
    make_due_order(power_bank, make_person(power_bank), yuan("1"))
    deduct_due(power_bank.realm_id, at=NOON)
    queued = Delivery.objects.filter(state="queued").count()
    assert queued > 0
    assert gauge_of("notices_due", NOON + 2 * MINUTE) == (queued, 2 * MINUTE, "late")
    deliver_due(power_bank.realm_id, at=NOON)
    assert gauge_of("notices_due", NOON + MINUTE) == NOTHING


def test_a_case_waits_for_somebody_by_its_kind(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("1"))
    deduct_due(power_bank.realm_id, at=NOON)
    row = latest_deduction_of(order)
    settle_all([DeductionReport(row.id, Succeeded("another", row.amount), "callback")], by=BY, at=NOON)
    assert gauge_of("cases_open", NOON + HOUR, of="taken_twice") == (1, HOUR, "ok")
    assert gauge_of("cases_open", NOON + DAY, of="taken_twice")[2] == "late"
    assert gauge_of("cases_open", NOON + 3 * DAY, of="taken_twice")[2] == "stuck"
    close_case(row.cases.get().id, Case.Resolution.WALLET, "查实", by=BY, at=NOON)
    assert gauge_of("cases_open", NOON + 3 * DAY) == NOTHING


def test_each_realm_is_measured_by_its_own_clock_and_a_frozen_one_is_left_out(power_bank: Shop, parcel: Shop) -> None:
    for shop in (power_bank, parcel):
        make_due_order(shop, make_person(shop), yuan("1"))
    Realm.objects.filter(pk=parcel.realm_id).update(clock_offset=-HOUR)
    assert gauge_of("obligations_due", NOON + MINUTE) == (1, MINUTE, "late")
    Realm.objects.filter(pk=parcel.realm_id).update(clock_offset=HOUR)
    assert gauge_of("obligations_due", NOON + MINUTE) == (2, HOUR + MINUTE, "stuck")
    Realm.objects.filter(pk=parcel.realm_id).update(frozen_at=NOON + DAY)
    assert gauge_of("obligations_due", NOON + MINUTE) == (1, MINUTE, "late")


def test_live_is_counted_apart_from_every_sandbox(power_bank: Shop) -> None:
    terms = {"name": "真店", "mode": "dynamic", "ceiling_minor": 9900, "currency": "CNY"}
    service = merchants.offer_service(power_bank.live.id, terms, by=BY, at=NOON)
    live = Shop(power_bank.live, power_bank.live, "", service)
    person = accounts.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    accounts.verify_identity(person.id, "欧阳修远", "11010519491231002X", by=BY, at=NOON)
    credit.open_profile(person, score=720, at=NOON)
    open_wallet(person, at=NOON)
    make_due_order(live, person, yuan("1"))
    assert gauge_of("obligations_due", NOON + SECOND, mode="live") == (1, SECOND, "ok")
    assert gauge_of("obligations_due", NOON + SECOND) == NOTHING


def test_nothing_waits_in_a_frozen_realm(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("1"))
    orders.pause_order(order.id, "hardship", by=BY, at=NOON)
    assert reload_order(order.id).state == "completed"
    for work in ("obligations_due", "overdue_due", "day_ends_due"):
        assert gauge_of(work, NOON + 9 * DAY) == NOTHING


def test_the_broker_is_measured_too(db: None, broker: redis.Redis) -> None:
    heartbeat.beat(broker, "celery@test")
    broker.pexpire(heartbeat.KEY, 4_000)
    broker.lpush("celery", *["ring"] * 20)
    broker.zadd(Channel.unacked_index_key, {"one": NOON.timestamp() - 121, "two": NOON.timestamp()})
    broker.hset(Channel.unacked_key, mapping={"one": "a", "two": "b"})
    items, oldest, word = gauge_of("worker", NOON, mode="")
    assert items is None
    assert oldest
    assert 6 * SECOND <= oldest < 7 * SECOND
    assert word == "late"
    assert gauge_of("queue", NOON, mode="", of="celery") == (20, None, "late")
    assert gauge_of("unacked", NOON, mode="") == (2, 121 * SECOND, "late")
    broker.lpush("celery", *["ring"] * 180)
    assert gauge_of("queue", NOON, mode="", of="celery")[2] == "stuck"


def test_a_wal_archive_that_falls_behind_is_late_and_one_that_is_not_in_use_has_no_gauge(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "wal_archive" not in {gauge.work for gauge in read_gauges(real=NOON)}
    monkeypatch.setattr(gauges, "ARCHIVE_QUERY", "SELECT 'wal_archive', '', '', 12::bigint, NULL::interval")
    assert gauge_of("wal_archive", NOON, mode="") == (12, None, "late")


def test_a_worker_without_heartbeat_is_stuck(db: None) -> None:
    assert gauge_of("worker", NOON, mode="") == (None, timedelta(seconds=heartbeat.TTL_SECONDS), "stuck")


def test_without_a_broker_its_figures_are_absent_and_the_others_are_not(
    power_bank: Shop, settings: LazySettings
) -> None:
    make_due_order(power_bank, make_person(power_bank), yuan("1"))
    settings.REDIS_URL = "unix:///nowhere/valkey.sock?db=0"
    seen = gauges_by_key(NOON + SECOND)
    assert seen["broker", "", ""].state == State.STUCK
    assert {work for work, mode, _of in seen if not mode} == {"broker"}
    assert seen["obligations_due", "test", ""].items == 1


def test_stuck_gauges_come_first(power_bank: Shop, broker: redis.Redis) -> None:
    heartbeat.beat(broker, "celery@test")
    make_due_order(power_bank, make_person(power_bank), yuan("1"))
    seen = read_gauges(real=NOON + 6 * MINUTE)
    assert (seen[0].work, seen[0].mode) == ("obligations_due", "test")
    states = [figure.state for figure in seen]
    assert states == sorted(states, reverse=True)


@pytest.mark.parametrize("work", WORK_KINDS)
def test_every_kind_is_late_before_it_is_stuck_and_says_why_and_what_to_do(work: str) -> None:
    kind = WORK_KINDS[work]
    assert type(kind.late) is type(kind.stuck)
    assert kind.late is None or kind.late <= kind.stuck
    for sentence in (kind.description, kind.rationale, kind.remedy):
        assert 10 < len(sentence) < 300
    assert kind.remedy.endswith(".")
