"""A sandbox's clock by HTTP: read, set, moved on; never back, never too far, never in live."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts import services as accounts
from accounts.tasks import deliver_notices
from billing import tasks
from billing.services import clock
from billing.services.clock import advance_clock, set_clock
from billing.services.outage import begin_outage, end_outage
from billing.services.passing import AFTER, IN_REAL_TIME, SWEEPS
from bnpl.celery import SCHEDULE
from kernel.clock import live_now
from kernel.ids import uuid7
from kernel.models import LIVE, Realm
from kernel.refusal import NotFound, Refusal
from merchants import services as merchants
from merchants.models import Change
from orders.models import Order
from orders.tasks import expire_unconfirmed
from tests.api import Api, key, refused
from tests.conftest import BY, NOON, Shop, completed, make_shop, someone, state_of, yuan
from tests.sandbox.life import START, Job
from tests.stillness import nothing_moves

RINGS = (
    tasks.deduct_due,
    tasks.ask_unknown,
    tasks.mark_overdue,
    tasks.close_days,
    tasks.keep_outages,
    tasks.remind_due,
    tasks.deliver_sandbox_callbacks,
    deliver_notices,
    expire_unconfirmed,
)


@pytest.fixture
def job(power_bank: Shop) -> Job:
    return Job(power_bank)


def test_a_clock_runs_freezes_and_runs_on_from_where_it_stood(power_bank: Shop) -> None:
    api = Api(power_bank)
    running = api.get("sandbox/clock").json()
    assert (running["object"], running["mode"]) == ("clock", "running")
    assert abs(datetime.fromisoformat(running["now"]) - live_now()) < timedelta(seconds=5)

    frozen = api.call("PUT", "sandbox/clock", {"mode": "frozen"}).json()
    assert api.get("sandbox/clock").json() == frozen
    assert api.call("PUT", "sandbox/clock", {"mode": "frozen", "now": START}).json()["now"] == START
    ran = api.call("PUT", "sandbox/clock", {"mode": "running"}).json()
    assert ran["mode"] == "running"
    assert datetime.fromisoformat(api.get("sandbox/clock").json()["now"]) > datetime.fromisoformat(START)
    noted = Change.objects.filter(merchant=power_bank.merchant, verb="clock_set")
    assert [change.data["mode"] for change in noted] == ["frozen", "frozen", "running"]


def test_time_passes_by_a_span_or_to_a_moment_and_everything_is_stamped_with_it(job: Job) -> None:
    order = job.used(job.person(), due_at=START.replace("03-01", "03-11"))
    assert job.advance("P9DT23H")["events"] == {}
    to = START.replace("03-01", "03-12")
    came = job.api.post("sandbox/clock/advance", {"to": to}).json()

    assert (came["now"], came["to"], came["done"], came["mode"]) == (to, to, True, "frozen")
    assert came["events"]["order.deducted"] == 1
    assert job.look(order)["deducted_at"] == START.replace("03-01", "03-11")
    assert job.advance("PT0S")["now"] == to


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ({"by": "P1D", "to": START}, "invalid_request"),
        ({"by": "a day"}, "invalid_request"),
        ({"by": "-P1D"}, "invalid_request"),
        ({"by": "P1M"}, "invalid_request"),
        ({"to": "2026-01-01"}, "invalid_request"),
        ({"to": "2026-01-01T00:00:00Z"}, "clock_backwards"),
        ({"by": "P401D"}, "clock_too_far"),
        ({"to": "2999-01-01T00:00:00Z"}, "clock_too_far"),
    ],
)
def test_a_clock_goes_nowhere_it_cannot(job: Job, body: dict[str, Any], code: str) -> None:
    with nothing_moves():
        refused(job.api.post("sandbox/clock/advance", body), 422, code)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"mode": "frozen", "now": "2026-01-01T00:00:00Z"}, "clock_backwards"),
        ({"mode": "running", "now": "2026-01-01T00:00:00Z"}, "clock_backwards"),
        ({"mode": "frozen", "now": "2600-01-01T00:00:00Z"}, "clock_too_far"),
        ({"now": START}, "invalid_request"),
        ({"mode": "stopped"}, "invalid_request"),
    ],
)
def test_a_clock_shows_nothing_it_cannot(job: Job, body: dict[str, Any], code: str) -> None:
    with nothing_moves():
        refused(job.api.call("PUT", "sandbox/clock", body), 422, code)


def test_live_time_is_real_time(power_bank: Shop) -> None:
    with nothing_moves():
        for verb in (
            lambda: set_clock(LIVE, mode="frozen", by=BY, real=live_now()),
            lambda: advance_clock(LIVE, to=timedelta(days=1), by=BY, real=live_now()),
        ):
            with pytest.raises(Refusal) as stopped:
                verb()
            assert stopped.value.code == "sandbox_only"
        with pytest.raises(NotFound):
            set_clock(10**9, mode="frozen", by=BY, real=live_now())


def test_the_same_key_moves_the_clock_once(job: Job) -> None:
    first = job.api.post("sandbox/clock/advance", {"by": "P5D"}, **key("five days"))
    again = job.api.post("sandbox/clock/advance", {"by": "P5D"}, **key("five days"))

    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (200, first.content, "true")
    assert job.now() - datetime.fromisoformat(START) == timedelta(days=5)


def test_a_way_too_long_for_one_answer_is_gone_in_several(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [job.used(job.person("no_funds_until", duration="P8D")) for _ in range(2)]
    monkeypatch.setattr(clock, "WORKS_FOR", timedelta(milliseconds=30))
    monkeypatch.setattr(clock.advance_clock, "__kwdefaults__", {"within": clock.WORKS_FOR})
    answers = [job.api.post("sandbox/clock/advance", {"by": "P20D"})]
    while answers[-1].status_code == 202:
        assert not answers[-1].json()["done"]
        answers.append(job.api.post("sandbox/clock/advance", {"to": answers[0].json()["to"]}))

    assert len(answers) > 2
    moments = [answer.json()["now"] for answer in answers]
    assert moments == sorted(moments)
    assert (answers[-1].status_code, answers[-1].json()["done"], moments[-1]) == (200, True, answers[0].json()["to"])
    assert [job.look(order)["state"] for order in orders] == ["deducted", "deducted"]


def test_a_running_clock_moves_on_and_runs_on(power_bank: Shop) -> None:
    job = Job(power_bank)
    order = job.used(job.person("no_funds_until"))
    job.api.call("PUT", "sandbox/clock", {"mode": "running"})
    before = job.now()
    came = job.advance("P10D")

    assert came["mode"] == "running"
    assert job.look(order)["state"] == "deducted"
    assert timedelta(days=10) <= job.now() - before < timedelta(days=10, minutes=2)
    assert Realm.objects.get(pk=power_bank.realm_id).frozen_at is None


def test_whoever_jumps_over_time_finds_late_what_fell_due_in_it(job: Job) -> None:
    order = job.used(job.person(), due_at=START.replace("03-01", "03-11"))
    later = START.replace("03-01", "04-01")
    with nothing_moves("kernel_realm", "merchants_change"):
        job.api.call("PUT", "sandbox/clock", {"mode": "frozen", "now": later})
    assert job.look(order)["state"] == "completed"
    job.advance("PT0S")
    assert job.look(order)["deducted_at"] == later


def rows_outside(realm_id: int) -> dict[str, tuple[int, str]]:
    """What stands in every table that knows its realm, in all other realms; and the accounts of their people."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND column_name = 'realm_id' ORDER BY 1"
        )
        found = {}
        for (table,) in cursor.fetchall():
            cursor.execute(
                f"SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text"  # noqa: S608
                f" FROM {table} t WHERE realm_id <> %s",
                [realm_id],
            )
            found[table] = cursor.fetchone()
        for table in ("account", "debit"):
            cursor.execute(
                f"SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text"  # noqa: S608
                f" FROM sandbox_bank.{table} t WHERE token NOT LIKE %s || ':%%'",
                [str(realm_id)],
            )
            found[table] = cursor.fetchone()
        return found


def test_an_advance_changes_nothing_in_any_other_realm(job: Job, power_bank: Shop) -> None:
    other, live = Job(make_shop("别人家")), make_shop("真的")
    for one in (job, other):
        one.used(one.person("no_funds_until"))
        one.used(one.person("late_callback"))
    owing = owed_in_live(live)
    before = rows_outside(power_bank.realm_id)
    assert len(before) > 12
    assert before["orders_obligation"][0] == 3
    came = job.advance("P30D")

    assert came["events"]["order.deducted"] == 2
    assert rows_outside(power_bank.realm_id) == before
    assert Realm.objects.get(pk=LIVE) == Realm(pk=LIVE)
    assert other.now() == datetime.fromisoformat(START)
    assert state_of(owing) == "completed"


def owed_in_live(shop: Shop) -> Order:
    """Something that is owed, and long due, in the live realm."""
    service = merchants.offer_service(
        shop.live.id, {"name": "x", "mode": "dynamic", "ceiling_minor": 900}, by=BY, at=NOON
    )
    there = Shop(shop.live, shop.live, "", service)
    person = accounts.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    accounts.verify_identity(person.id, "欧阳修远", "11010519491231002X", by=BY, at=NOON)
    return completed(there, person, yuan("1"))


def test_what_the_beat_rings_for_live_never_touches_a_sandbox_that_stands(job: Job, power_bank: Shop) -> None:
    job.used(job.person("no_funds_until"))
    job.used(job.person("late_callback"))
    with nothing_moves():
        for ring in RINGS:
            ring()


def test_the_beat_leaves_a_sandbox_alone_whose_clock_is_in_somebodys_hand(power_bank: Shop) -> None:
    completed(power_bank, someone(power_bank), yuan("1"))
    Realm.objects.filter(pk=power_bank.realm_id).update(
        moved_by=uuid7(), moved_until=live_now() + timedelta(seconds=30)
    )
    with nothing_moves():
        tasks.deduct_due()
        tasks.deliver_sandbox_callbacks()
    Realm.objects.filter(pk=power_bank.realm_id).update(moved_until=live_now() - timedelta(seconds=1))
    tasks.deduct_due()
    assert Order.objects.get().state == "deducted"


def test_every_ring_of_the_beat_is_known_to_a_clock_that_is_moved_on() -> None:
    """A sweep that is new and stands in neither list would never happen in a sandbox on a frozen clock."""
    known = {sweep.beat or sweep.name for sweep in SWEEPS}
    assert known | IN_REAL_TIME.keys() >= set(SCHEDULE)
    assert known <= set(SCHEDULE)
    assert not known & IN_REAL_TIME.keys()
    assert all(sweep.first or sweep.name in AFTER for sweep in SWEEPS)
    assert len({sweep.name for sweep in SWEEPS}) == len(SWEEPS)


def test_while_a_channel_is_out_its_debts_stand_still_and_go_on_when_it_is_back(job: Job) -> None:
    order = job.used(job.person())
    begin_outage("sandbox", "maintenance", by=BY, at=live_now())
    came = job.advance("P5D")
    assert (job.look(order)["state"], job.look(order)["collection"]["attempts"]) == ("completed", 0)
    assert came["events"] == {}

    end_outage("sandbox", "over", by=BY, at=live_now())
    job.advance("P1D")
    assert (job.look(order)["state"], job.look(order)["overdue_at"]) == ("deducted", None)
