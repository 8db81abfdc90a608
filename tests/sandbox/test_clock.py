"""A sandbox's clock over HTTP: read, set, advanced; never back, never too far, never in live."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts import services as accounts
from accounts.tasks import deliver_notices
from billing import tasks
from billing.services import sandbox_clock
from billing.services.clock_advance import REAL_TIME_JOBS, SWEEPS, TRIGGERED_BY
from billing.services.outage import begin_outage, end_outage
from billing.services.sandbox_clock import advance_clock, set_clock
from bnpl.celery import SCHEDULE
from kernel.clock import live_now
from kernel.ids import uuid7
from kernel.models import LIVE, Realm
from kernel.refusal import NotFound, Refusal
from merchants import services as merchants
from merchants.models import Change
from orders.models import Order
from orders.tasks import expire_unconfirmed
from tests.api import Api, assert_problem, idempotency_header
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, state_of, yuan
from tests.sandbox.ci_job import START, CiJob
from tests.unchanged import assert_unchanged

SCHEDULED_TASKS = (
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
def job(power_bank: Shop) -> CiJob:
    return CiJob(power_bank)


def test_a_clock_runs_freezes_and_resumes_from_its_time(power_bank: Shop) -> None:
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


def test_advancing_by_a_span_or_to_a_time_stamps_everything(job: CiJob) -> None:
    order = job.complete_order(job.create_person(), due_at=START.replace("03-01", "03-11"))
    assert job.advance("P9DT23H")["events"] == {}
    to = START.replace("03-01", "03-12")
    came = job.api.post("sandbox/clock/advance", {"to": to}).json()

    assert (came["now"], came["to"], came["done"], came["mode"]) == (to, to, True, "frozen")
    assert came["events"]["order.deducted"] == 1
    assert job.get_order(order)["deducted_at"] == START.replace("03-01", "03-11")
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
def test_invalid_advances_are_refused(job: CiJob, body: dict[str, Any], code: str) -> None:
    with assert_unchanged():
        assert_problem(job.api.post("sandbox/clock/advance", body), 422, code)


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
def test_invalid_clock_settings_are_refused(job: CiJob, body: dict[str, Any], code: str) -> None:
    with assert_unchanged():
        assert_problem(job.api.call("PUT", "sandbox/clock", body), 422, code)


def test_the_live_clock_cannot_be_changed(power_bank: Shop) -> None:
    with assert_unchanged():
        for verb in (
            lambda: set_clock(LIVE, mode="frozen", by=BY, real=live_now()),
            lambda: advance_clock(LIVE, to=timedelta(days=1), by=BY, real=live_now()),
        ):
            with pytest.raises(Refusal) as stopped:
                verb()
            assert stopped.value.code == "sandbox_only"
        with pytest.raises(NotFound):
            set_clock(10**9, mode="frozen", by=BY, real=live_now())


def test_an_idempotency_key_advances_the_clock_once(job: CiJob) -> None:
    first = job.api.post("sandbox/clock/advance", {"by": "P5D"}, **idempotency_header("five days"))
    again = job.api.post("sandbox/clock/advance", {"by": "P5D"}, **idempotency_header("five days"))

    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (200, first.content, "true")
    assert job.now() - datetime.fromisoformat(START) == timedelta(days=5)


def test_a_long_advance_takes_several_calls(job: CiJob, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [job.complete_order(job.create_person("no_funds_until", duration="P8D")) for _ in range(2)]
    monkeypatch.setattr(sandbox_clock, "TIME_BUDGET", timedelta(milliseconds=30))
    monkeypatch.setattr(sandbox_clock.advance_clock, "__kwdefaults__", {"within": sandbox_clock.TIME_BUDGET})
    answers = [job.api.post("sandbox/clock/advance", {"by": "P20D"})]
    while answers[-1].status_code == 202:
        assert not answers[-1].json()["done"]
        answers.append(job.api.post("sandbox/clock/advance", {"to": answers[0].json()["to"]}))

    assert len(answers) > 2
    moments = [answer.json()["now"] for answer in answers]
    assert moments == sorted(moments)
    assert (answers[-1].status_code, answers[-1].json()["done"], moments[-1]) == (200, True, answers[0].json()["to"])
    assert [job.get_order(order)["state"] for order in orders] == ["deducted", "deducted"]


def test_a_running_clock_is_advanced_and_keeps_running(power_bank: Shop) -> None:
    job = CiJob(power_bank)
    order = job.complete_order(job.create_person("no_funds_until"))
    job.api.call("PUT", "sandbox/clock", {"mode": "running"})
    before = job.now()
    came = job.advance("P10D")

    assert came["mode"] == "running"
    assert job.get_order(order)["state"] == "deducted"
    assert timedelta(days=10) <= job.now() - before < timedelta(days=10, minutes=2)
    assert Realm.objects.get(pk=power_bank.realm_id).frozen_at is None


def test_setting_the_clock_ahead_makes_skipped_work_late(job: CiJob) -> None:
    order = job.complete_order(job.create_person(), due_at=START.replace("03-01", "03-11"))
    later = START.replace("03-01", "04-01")
    with assert_unchanged("kernel_realm", "merchants_change"):
        job.api.call("PUT", "sandbox/clock", {"mode": "frozen", "now": later})
    assert job.get_order(order)["state"] == "completed"
    job.advance("PT0S")
    assert job.get_order(order)["deducted_at"] == later


def rows_outside_realm(realm_id: int) -> dict[str, tuple[int, str]]:
    """Row counts and digests of all tables with a realm, for the other realms; and their people's accounts."""
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


def test_an_advance_changes_nothing_in_any_other_realm(job: CiJob, power_bank: Shop) -> None:
    other, live = CiJob(make_shop("别人家")), make_shop("真的")
    for one in (job, other):
        one.complete_order(one.create_person("no_funds_until"))
        one.complete_order(one.create_person("late_callback"))
    owing = owed_in_live(live)
    before = rows_outside_realm(power_bank.realm_id)
    assert len(before) > 12
    assert before["orders_obligation"][0] == 3
    came = job.advance("P30D")

    assert came["events"]["order.deducted"] == 2
    assert rows_outside_realm(power_bank.realm_id) == before
    assert Realm.objects.get(pk=LIVE) == Realm(pk=LIVE)
    assert other.now() == datetime.fromisoformat(START)
    assert state_of(owing) == "completed"


def owed_in_live(shop: Shop) -> Order:
    """An order in the live realm that is long due."""
    service = merchants.offer_service(
        shop.live.id, {"name": "x", "mode": "dynamic", "ceiling_minor": 900}, by=BY, at=NOON
    )
    there = Shop(shop.live, shop.live, "", service)
    person = accounts.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    accounts.verify_identity(person.id, "欧阳修远", "11010519491231002X", by=BY, at=NOON)
    return make_due_order(there, person, yuan("1"))


def test_scheduled_jobs_do_not_touch_a_frozen_sandbox(job: CiJob, power_bank: Shop) -> None:
    job.complete_order(job.create_person("no_funds_until"))
    job.complete_order(job.create_person("late_callback"))
    with assert_unchanged():
        for task in SCHEDULED_TASKS:
            task()


def test_scheduled_jobs_skip_a_sandbox_being_advanced(power_bank: Shop) -> None:
    make_due_order(power_bank, make_person(power_bank), yuan("1"))
    Realm.objects.filter(pk=power_bank.realm_id).update(
        moved_by=uuid7(), moved_until=live_now() + timedelta(seconds=30)
    )
    with assert_unchanged():
        tasks.deduct_due()
        tasks.deliver_sandbox_callbacks()
    Realm.objects.filter(pk=power_bank.realm_id).update(moved_until=live_now() - timedelta(seconds=1))
    tasks.deduct_due()
    assert Order.objects.get().state == "deducted"


def test_every_scheduled_job_is_known_to_clock_advance() -> None:
    """A new sweep in neither list would never run in a sandbox with a frozen clock."""
    known = {sweep.job_name or sweep.name for sweep in SWEEPS}
    assert known | REAL_TIME_JOBS.keys() >= set(SCHEDULE)
    assert known <= set(SCHEDULE)
    assert not known & REAL_TIME_JOBS.keys()
    assert all(sweep.first_due_sql or sweep.name in TRIGGERED_BY for sweep in SWEEPS)
    assert len({sweep.name for sweep in SWEEPS}) == len(SWEEPS)


def test_advancing_during_an_outage_pauses_and_resumes_debts(job: CiJob) -> None:
    order = job.complete_order(job.create_person())
    begin_outage("sandbox", "maintenance", by=BY, at=live_now())
    came = job.advance("P5D")
    assert (job.get_order(order)["state"], job.get_order(order)["collection"]["attempts"]) == ("completed", 0)
    assert came["events"] == {}

    end_outage("sandbox", "over", by=BY, at=live_now())
    job.advance("P1D")
    assert (job.get_order(order)["state"], job.get_order(order)["overdue_at"]) == ("deducted", None)
