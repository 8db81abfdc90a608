"""Each figure, on a situation made by hand: right to the row and to the second, and judged as its limits say."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from django.conf import LazySettings
from kombu.transport.redis import Channel

from accounts import services as accounts
from accounts.deliver import deliver_due
from accounts.models import Delivery
from billing.channels.base import Taken
from billing.models import Case
from billing.services.ask import ask_unknown
from billing.services.callbacks import deliver_sandbox_callbacks
from billing.services.cases import close_case
from billing.services.deduct import deduct_due, prepare_due
from billing.services.instruments import open_wallet
from billing.services.settle import Report, settle_all
from bnpl import heartbeat
from bnpl.work.figures import State, under_way
from bnpl.work.kinds import KINDS
from credit import services as credit
from credit.models import Profile
from kernel.models import LIVE, Realm
from merchants import services as merchants
from orders import rules
from orders import services as orders
from orders.models import Obligation
from tests.billing.bench import deduction_of
from tests.conftest import BY, NOON, Shop, completed, fresh, opened, ordered, someone, yuan
from tests.ops.seeing import figures, waiting

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOTHING = (0, timedelta(), "ok")
#: The end of the person's day on which grace that began at NOON has passed.
FALLS = NOON + 3 * DAY
MIDNIGHT = FALLS + 12 * HOUR


@pytest.fixture(autouse=True)
def broker() -> Iterator[redis.Redis]:
    with heartbeat.broker() as server:
        server.flushdb()
        yield server
        server.flushdb()


def test_in_an_empty_house_nothing_waits_and_every_figure_is_there(db: None, broker: redis.Redis) -> None:
    heartbeat.strike(broker, "celery@test")
    seen = under_way(real=NOON)
    assert {figure.work for figure in seen} == set(KINDS)
    assert {figure.state for figure in seen} == {State.OK}
    assert {figure.items for figure in seen} == {0, None}
    assert {figure.mode for figure in seen if KINDS[figure.work].rows} == {"live", "test"}


def test_what_is_due_waits_since_it_was_due(power_bank: Shop) -> None:
    completed(power_bank, someone(power_bank), yuan("1"))
    completed(power_bank, someone(power_bank), yuan("1"), due_at=NOON + MINUTE)
    assert waiting("obligations_due", NOON - SECOND) == NOTHING
    assert waiting("obligations_due", NOON + 29 * SECOND) == (1, 29 * SECOND, "ok")
    assert waiting("obligations_due", NOON + 30 * SECOND) == (1, 30 * SECOND, "late")
    assert waiting("obligations_due", NOON + 5 * MINUTE) == (2, 5 * MINUTE, "stuck")
    assert waiting("obligations_due", NOON + 5 * MINUTE, mode="live") == NOTHING
    deduct_due(power_bank.realm_id, at=NOON + 5 * MINUTE)
    assert waiting("obligations_due", NOON + 5 * MINUTE) == NOTHING


def test_what_was_sent_by_somebody_who_died_shows_when_its_lease_is_over(power_bank: Shop) -> None:
    completed(power_bank, someone(power_bank), yuan("1"))
    prepare_due(power_bank.realm_id, at=NOON, limit=9)
    assert waiting("sent_past_lease", NOON + 59 * SECOND) == NOTHING
    assert waiting("sent_past_lease", NOON + 61 * SECOND) == (1, SECOND, "ok")
    assert waiting("asks_due", NOON + 61 * SECOND) == NOTHING

    ask_unknown(power_bank.realm_id, at=NOON + 61 * SECOND)
    assert waiting("sent_past_lease", NOON + 61 * SECOND) == NOTHING
    assert waiting("unknown", NOON + 61 * SECOND, of="sandbox") == (1, 61 * SECOND, "ok")


def test_what_nobody_knows_is_counted_by_channel_since_it_was_sent(power_bank: Shop) -> None:
    completed(power_bank, someone(power_bank, "late_callback"), yuan("1"))
    deduct_due(power_bank.realm_id, at=NOON)
    assert waiting("unknown", NOON + 9 * MINUTE, of="sandbox") == (1, 9 * MINUTE, "ok")
    assert waiting("unknown", NOON + 10 * MINUTE, of="sandbox")[2] == "late"
    assert waiting("unknown", NOON + DAY, of="sandbox")[2] == "stuck"
    assert ("unknown", "test", "") not in figures(NOON)
    assert waiting("asks_due", NOON + 6 * SECOND) == (1, SECOND, "ok")
    ask_unknown(power_bank.realm_id, at=NOON + 6 * SECOND)
    assert waiting("asks_due", NOON + 6 * SECOND) == NOTHING
    assert waiting("unknown", NOON + 6 * SECOND, of="sandbox")[0] == 1


def test_a_callback_waits_by_the_clock_of_its_sandbox(power_bank: Shop, parcel: Shop) -> None:
    for shop in (power_bank, parcel):
        completed(shop, someone(shop, "duplicate_callback"), yuan("1"))
        deduct_due(shop.realm_id, at=NOON)
    assert waiting("callbacks_due", NOON + MINUTE) == (6, MINUTE, "late")
    Realm.objects.filter(pk=parcel.realm_id).update(clock_offset=HOUR)
    assert waiting("callbacks_due", NOON + MINUTE) == (6, HOUR + MINUTE, "stuck")
    Realm.objects.filter(pk=parcel.realm_id).update(frozen_at=NOON)
    assert waiting("callbacks_due", NOON + MINUTE) == (3, MINUTE, "late")
    deliver_sandbox_callbacks(Realm.objects.get(pk=power_bank.realm_id), real=NOON)
    assert waiting("callbacks_due", NOON + MINUTE) == NOTHING


def test_grace_that_has_passed_waits_to_be_marked_unless_it_is_being_collected(power_bank: Shop) -> None:
    completed(power_bank, someone(power_bank, "no_funds"), yuan("1"))
    completed(power_bank, someone(power_bank, "slow"), yuan("1"))
    deduct_due(power_bank.realm_id, at=NOON)
    assert waiting("overdue_due", FALLS - SECOND) == NOTHING
    assert waiting("overdue_due", FALLS + HOUR) == (1, HOUR, "stuck")
    orders.mark_overdue(power_bank.realm_id, at=FALLS, limit=9)
    assert waiting("overdue_due", FALLS + HOUR) == NOTHING


def test_days_not_counted_and_days_that_could_not_be_are_two_things(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    completed(power_bank, someone(power_bank, "no_funds"), yuan("1"))
    deduct_due(power_bank.realm_id, at=NOON)
    orders.mark_overdue(power_bank.realm_id, at=FALLS, limit=9)
    assert waiting("day_ends_due", MIDNIGHT - SECOND) == NOTHING
    assert waiting("day_ends_due", MIDNIGHT + HOUR) == (1, HOUR, "late")

    monkeypatch.setattr(rules, "fee_after", None)
    orders.close_days(power_bank.realm_id, at=MIDNIGHT, limit=9)
    assert waiting("day_ends_due", MIDNIGHT + HOUR) == NOTHING
    assert waiting("day_ends_failed", MIDNIGHT) == (1, timedelta(), "stuck")

    monkeypatch.undo()
    Obligation.objects.update(day_end_error="")  # as docs/deductions.md says, when the cause is mended
    orders.close_days(power_bank.realm_id, at=MIDNIGHT, limit=9)
    assert waiting("day_ends_failed", MIDNIGHT + DAY - SECOND) == waiting("day_ends_due", MIDNIGHT) == NOTHING


def test_an_order_nobody_confirmed_waits_to_be_ended(shop: Shop) -> None:
    wish = orders.Wish(
        agreement_id=opened(shop, someone(shop)).id, out_order_no="T", title="x", currency="CNY", amount=1
    )
    assert orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
    assert waiting("orders_expiring", NOON + 30 * DAY + MINUTE) == (1, MINUTE, "ok")
    orders.expire_unconfirmed(shop.realm_id, at=NOON + 30 * DAY, limit=9)
    assert waiting("orders_expiring", NOON + 31 * DAY) == NOTHING


def test_an_order_that_its_merchant_never_ends_is_seen_and_can_be_ended(power_bank: Shop) -> None:
    """It would hold its person's limit for ever, and nobody would be told."""
    order = ordered(power_bank, opened(power_bank, someone(power_bank)))
    assert waiting("orders_held", NOON + 60 * DAY - SECOND) == NOTHING
    assert waiting("orders_held", NOON + 60 * DAY) == (1, 60 * DAY, "ok")
    assert waiting("orders_held", NOON + 61 * DAY)[2] == "late"
    assert waiting("orders_held", NOON + 90 * DAY)[2] == "stuck"
    orders.cancel_order(order.id, "商户不再营业", by=BY, at=NOON + 90 * DAY)
    assert waiting("orders_held", NOON + 90 * DAY) == NOTHING
    assert Profile.objects.get(pk=order.person_id).held_minor == 0


def test_a_notice_waits_until_it_is_sent(power_bank: Shop) -> None:
    completed(power_bank, someone(power_bank), yuan("1"))
    deduct_due(power_bank.realm_id, at=NOON)
    queued = Delivery.objects.filter(state="queued").count()
    assert queued > 0
    assert waiting("notices_due", NOON + 2 * MINUTE) == (queued, 2 * MINUTE, "late")
    deliver_due(power_bank.realm_id, at=NOON)
    assert waiting("notices_due", NOON + MINUTE) == NOTHING


def test_a_case_waits_for_somebody_by_its_kind(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank), yuan("1"))
    deduct_due(power_bank.realm_id, at=NOON)
    row = deduction_of(order)
    settle_all([Report(row.id, Taken("another", row.amount), "callback")], by=BY, at=NOON)
    assert waiting("cases_open", NOON + HOUR, of="taken_twice") == (1, HOUR, "ok")
    assert waiting("cases_open", NOON + DAY, of="taken_twice")[2] == "late"
    assert waiting("cases_open", NOON + 3 * DAY, of="taken_twice")[2] == "stuck"
    close_case(row.cases.get().id, Case.Resolution.WALLET, "查实", by=BY, at=NOON)
    assert waiting("cases_open", NOON + 3 * DAY) == NOTHING


def test_each_realm_is_measured_by_its_own_clock_and_a_frozen_one_is_left_out(power_bank: Shop, parcel: Shop) -> None:
    for shop in (power_bank, parcel):
        completed(shop, someone(shop), yuan("1"))
    Realm.objects.filter(pk=parcel.realm_id).update(clock_offset=-HOUR)
    assert waiting("obligations_due", NOON + MINUTE) == (1, MINUTE, "late")
    Realm.objects.filter(pk=parcel.realm_id).update(clock_offset=HOUR)
    assert waiting("obligations_due", NOON + MINUTE) == (2, HOUR + MINUTE, "stuck")
    Realm.objects.filter(pk=parcel.realm_id).update(frozen_at=NOON + DAY)
    assert waiting("obligations_due", NOON + MINUTE) == (1, MINUTE, "late")


def test_live_is_counted_apart_from_every_sandbox(power_bank: Shop) -> None:
    terms = {"name": "真店", "mode": "dynamic", "ceiling_minor": 9900, "currency": "CNY"}
    service = merchants.offer_service(power_bank.live.id, terms, by=BY, at=NOON)
    live = Shop(power_bank.live, power_bank.live, "", service)
    person = accounts.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    accounts.verify_identity(person.id, "欧阳修远", "11010519491231002X", by=BY, at=NOON)
    credit.open_profile(person, score=720, at=NOON)
    open_wallet(person, at=NOON)
    completed(live, person, yuan("1"))
    assert waiting("obligations_due", NOON + SECOND, mode="live") == (1, SECOND, "ok")
    assert waiting("obligations_due", NOON + SECOND) == NOTHING


def test_a_clock_that_stands_still_makes_nothing_wait(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank), yuan("1"))
    orders.pause_order(order.id, "hardship", by=BY, at=NOON)
    assert fresh(order.id).state == "completed"
    for work in ("obligations_due", "overdue_due", "day_ends_due"):
        assert waiting(work, NOON + 9 * DAY) == NOTHING


def test_the_doorbell_is_measured_too(db: None, broker: redis.Redis) -> None:
    heartbeat.strike(broker, "celery@test")
    broker.pexpire(heartbeat.KEY, 4_000)
    broker.lpush("celery", *["ring"] * 20)
    broker.zadd(Channel.unacked_index_key, {"one": NOON.timestamp() - 121, "two": NOON.timestamp()})
    broker.hset(Channel.unacked_key, mapping={"one": "a", "two": "b"})
    items, oldest, word = waiting("worker", NOON, mode="")
    assert items is None
    assert oldest
    assert 6 * SECOND <= oldest < 7 * SECOND
    assert word == "late"
    assert waiting("queue", NOON, mode="", of="celery") == (20, None, "late")
    assert waiting("unacked", NOON, mode="") == (2, 121 * SECOND, "late")
    broker.lpush("celery", *["ring"] * 180)
    assert waiting("queue", NOON, mode="", of="celery")[2] == "stuck"


def test_a_worker_nobody_hears_is_stuck(db: None) -> None:
    assert waiting("worker", NOON, mode="") == (None, timedelta(seconds=heartbeat.LASTS_SECONDS), "stuck")


def test_without_a_broker_its_figures_are_absent_and_the_others_are_not(
    power_bank: Shop, settings: LazySettings
) -> None:
    completed(power_bank, someone(power_bank), yuan("1"))
    settings.REDIS_URL = "unix:///nowhere/valkey.sock?db=0"
    seen = figures(NOON + SECOND)
    assert seen["broker", "", ""].state == State.STUCK
    assert {work for work, mode, _of in seen if not mode} == {"broker"}
    assert seen["obligations_due", "test", ""].items == 1


def test_what_is_stuck_stands_first(power_bank: Shop, broker: redis.Redis) -> None:
    heartbeat.strike(broker, "celery@test")
    completed(power_bank, someone(power_bank), yuan("1"))
    seen = under_way(real=NOON + 6 * MINUTE)
    assert (seen[0].work, seen[0].mode) == ("obligations_due", "test")
    states = [figure.state for figure in seen]
    assert states == sorted(states, reverse=True)


@pytest.mark.parametrize("work", KINDS)
def test_every_kind_is_late_before_it_is_stuck_and_says_why_and_what_to_do(work: str) -> None:
    kind = KINDS[work]
    assert type(kind.late) is type(kind.stuck)
    assert kind.late is None or kind.late <= kind.stuck
    for sentence in (kind.says, kind.because, kind.do):
        assert 10 < len(sentence) < 300
    assert kind.do.endswith(".")
