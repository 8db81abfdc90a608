"""A clock advanced by two callers, beside API calls and scheduled jobs, and by a process that dies."""

import os
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock

import pytest

from accounts.models import Notice
from billing import tasks
from billing.channels import bank
from billing.models import Deduction
from billing.services import callbacks, clock_advance, sandbox_clock
from billing.services.sandbox_clock import ClockLease, advance_clock
from kernel.clock import live_now
from kernel.models import Realm
from kernel.refusal import Refusal
from tests.api import assert_problem, idempotency_header
from tests.conftest import BY, Shop, make_shop
from tests.sandbox.ci_job import START, CiJob
from tests.simulation.crash_points import Crash, CrashPoints
from tests.threads import PATIENCE_SECONDS, PausePoint, pause_before, run_concurrently

#: From one kill to the next, in statements and commits; `make evidence` asks for more of them.
STRIDE = int(os.environ.get("CLOCK_KILL_STRIDE", "583"))

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(power_bank: Shop) -> CiJob:
    return CiJob(power_bank)


def advance(shop: Shop, **span: Any) -> sandbox_clock.AdvanceResult:
    return advance_clock(shop.realm_id, to=timedelta(**span), by=BY, real=live_now())


def test_of_two_concurrent_advances_one_is_refused(job: CiJob, power_bank: Shop) -> None:
    order = job.complete_order(job.create_person("no_funds_until"))
    outcomes = run_concurrently(*[partial(advance, power_bank, days=10)] * 2)

    refusals = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert {(refusal.code, refusal.retry_after) for refusal in refusals} <= {("clock_busy", 1)}
    moved = len(outcomes) - len(refusals)
    assert moved >= 1
    assert job.now() - datetime.fromisoformat(START) == moved * timedelta(days=10)
    assert job.get_order(order)["state"] == "deducted"
    assert len(debits_of(power_bank)) == 1


def test_while_advancing_the_clock_cannot_be_set_and_other_calls_work(job: CiJob, power_bank: Shop) -> None:
    person = job.create_person("no_funds_until")
    agreement = job.api.agreement(job.service, person)
    order = job.open_order(person, agreement)
    job.api.post(f"orders/{order}/complete", {"total": 600})
    made = []

    def meanwhile(halt: PausePoint) -> None:
        assert halt.reached.wait(PATIENCE_SECONDS)
        try:
            assert_problem(job.api.post("sandbox/clock/advance", {"by": "P1D"}), 409, "clock_busy")
            busy = job.api.call("PUT", "sandbox/clock", {"mode": "running"})
            assert (busy.status_code, busy["Retry-After"]) == (409, "1")
            made.append(job.open_order(person, agreement))
            assert job.api.post(f"orders/{made[0]}/complete", {"total": 500}).json()["state"] == "completed"
            tasks.deduct_due()
            assert not Deduction.objects.exists()
        finally:
            halt.open.set()

    with pause_before(clock_advance, "next_due_times") as halt:
        run_concurrently(partial(advance, power_bank, days=10), partial(meanwhile, halt))

    assert [job.get_order(one)["state"] for one in (order, *made)] == ["deducted", "deducted"]
    assert job.now() - datetime.fromisoformat(START) == timedelta(days=10)


def test_scheduled_jobs_beside_an_advance_deduct_nothing_twice(power_bank: Shop) -> None:
    job = CiJob(power_bank)
    orders = [
        job.complete_order(job.create_person(behaviour))
        for behaviour in ("pays", "no_funds_until", "slow", "late_callback")
    ]
    job.api.call("PUT", "sandbox/clock", {"mode": "running"})
    scheduled_tasks = [tasks.deduct_due, tasks.ask_unknown, tasks.deliver_sandbox_callbacks, tasks.remind_due]
    outcomes = run_concurrently(partial(advance, power_bank, days=10), *scheduled_tasks)

    assert outcomes[0].done
    assert [job.get_order(order)["state"] for order in orders] == ["deducted"] * 4
    assert len(debits_of(power_bank)) == 4


def debits_of(shop: Shop) -> list[Any]:
    """The debits at the sandbox bank of this sandbox."""
    tokens = shop.merchant.realm.people.values_list("instruments__token", flat=True)
    return [taken for token in tokens for taken in bank.debits_of(token)]


@pytest.mark.parametrize("doors", range(3, 620, STRIDE))
def test_after_a_crash_another_advance_goes_on(doors: int, power_bank: Shop) -> None:
    """A kill at any statement or commit: what was done stays, the rest follows, nothing is lost or done twice."""
    job, twin = CiJob(power_bank), CiJob(make_shop("不曾中断"))
    lives = [
        [one.complete_order(one.create_person(kind)) for kind in ("no_funds_until", "slow", "late_callback")]
        for one in (job, twin)
    ]
    dying = CrashPoints()
    dying.die_after(doors)
    with dying.installed(), mock.patch.object(ClockLease, "release"), pytest.raises(Crash):
        advance(power_bank, days=12)
    dying.die_after(0)

    stood = job.now()
    end = datetime.fromisoformat(START) + timedelta(days=12)
    assert datetime.fromisoformat(START) <= stood < end
    if Realm.objects.get(pk=power_bank.realm_id).moved_by:
        assert_problem(
            job.api.post("sandbox/clock/advance", {"to": end.isoformat()}, **idempotency_header("again")),
            409,
            "clock_busy",
        )
        Realm.objects.filter(pk=power_bank.realm_id).update(moved_until=live_now())
    came = job.api.post("sandbox/clock/advance", {"to": end.isoformat()}, **idempotency_header("again"))

    assert (came.status_code, came.json()["done"]) == (200, True), came.content
    twin.advance("P12D")
    assert [job.get_order(order)["state"] for order in lives[0]] == [
        twin.get_order(order)["state"] for order in lives[1]
    ]
    assert len(debits_of(power_bank)) == 3
    told = Notice.objects.filter(realm_id=power_bank.realm_id).values_list("about", "stage", "episode")
    assert len(told) == len(set(told))


def test_an_expired_lease_is_lost_to_another_caller(job: CiJob, power_bank: Shop) -> None:
    job.complete_order(job.create_person("no_funds_until"))
    hand_over = Realm.objects.filter(pk=power_bank.realm_id)

    def taken(*_args: Any, **_kwargs: Any) -> int:
        hand_over.update(moved_by=power_bank.merchant.id)
        return 0

    with mock.patch.object(clock_advance.SweepRunner, "_run_batch", taken), pytest.raises(sandbox_clock.ClockBusy):
        advance(power_bank, days=10)
    assert job.now() < datetime.fromisoformat(START) + timedelta(days=10)
    assert hand_over.get().moved_by == power_bank.merchant.id  # the other one's, still


@pytest.mark.parametrize(("broken_for", "state"), [(10, "deducted"), (60, "deducted"), (10_000, "completed")])
def test_failing_work_does_not_block_the_advance_and_is_retried(
    job: CiJob, monkeypatch: pytest.MonkeyPatch, broken_for: int, state: str
) -> None:
    order = job.complete_order(job.create_person("no_funds_until"))
    late = job.complete_order(job.create_person("late_callback"))
    receive, left = callbacks._process_callback, iter(range(broken_for))  # noqa: SLF001  the door it knocks at

    def received(*args: Any) -> bool:
        if next(left, None) is not None:
            raise RuntimeError("it cannot be taken in")
        return receive(*args)

    monkeypatch.setattr(clock_advance, "RECHECK_PAUSE", 0.0001)
    monkeypatch.setattr(callbacks, "_process_callback", received)
    monkeypatch.setattr(bank, "look_up", lambda *_args, **_kwargs: bank.Unknown("processing"))
    came = job.advance("P10D")
    assert came["done"]
    assert (job.get_order(order)["state"], job.get_order(late)["state"]) == ("deducted", state)
    assert broken_for < 10_000 or came["work"]["callbacks"] < 100
