"""A clock in two hands, beside everybody else's calls and the worker's rings, and in the hand of somebody who dies."""

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
from billing.services import callbacks, clock, passing
from billing.services.clock import Hand, advance_clock
from kernel.clock import live_now
from kernel.models import Realm
from kernel.refusal import Refusal
from tests.api import key, refused
from tests.conftest import BY, Shop, make_shop
from tests.sandbox.life import START, Job
from tests.simulation.crashes import Crash, Doors
from tests.threads import PATIENCE_SECONDS, Halt, at_once, halted

#: From one kill to the next, in statements and commits; `make evidence` asks for more of them.
STRIDE = int(os.environ.get("CLOCK_KILL_STRIDE", "583"))

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(power_bank: Shop) -> Job:
    return Job(power_bank)


def move_on(shop: Shop, **span: Any) -> clock.Journey:
    return advance_clock(shop.realm_id, to=timedelta(**span), by=BY, real=live_now())


def test_two_at_once_are_one_and_a_refusal(job: Job, power_bank: Shop) -> None:
    order = job.used(job.person("no_funds_until"))
    outcomes = at_once(*[partial(move_on, power_bank, days=10)] * 2)

    refusals = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert {(refusal.code, refusal.retry_after) for refusal in refusals} <= {("clock_busy", 1)}
    moved = len(outcomes) - len(refusals)
    assert moved >= 1
    assert job.now() - datetime.fromisoformat(START) == moved * timedelta(days=10)
    assert job.look(order)["state"] == "deducted"
    assert len(debits(power_bank)) == 1


def test_while_a_clock_is_moved_on_it_is_not_set_and_other_calls_go_on(job: Job, power_bank: Shop) -> None:
    person = job.person("no_funds_until")
    agreement = job.api.agreement(job.service, person)
    order = job.order(person, agreement)
    job.api.post(f"orders/{order}/complete", {"total": 600})
    made = []

    def meanwhile(halt: Halt) -> None:
        assert halt.reached.wait(PATIENCE_SECONDS)
        try:
            refused(job.api.post("sandbox/clock/advance", {"by": "P1D"}), 409, "clock_busy")
            busy = job.api.call("PUT", "sandbox/clock", {"mode": "running"})
            assert (busy.status_code, busy["Retry-After"]) == (409, "1")
            made.append(job.order(person, agreement))
            assert job.api.post(f"orders/{made[0]}/complete", {"total": 500}).json()["state"] == "completed"
            tasks.deduct_due()
            assert not Deduction.objects.exists()
        finally:
            halt.open.set()

    with halted(passing, "first_moments") as halt:
        at_once(partial(move_on, power_bank, days=10), partial(meanwhile, halt))

    assert [job.look(one)["state"] for one in (order, *made)] == ["deducted", "deducted"]
    assert job.now() - datetime.fromisoformat(START) == timedelta(days=10)


def test_the_workers_rings_beside_a_running_clock_that_is_moved_on_take_nothing_twice(power_bank: Shop) -> None:
    job = Job(power_bank)
    orders = [job.used(job.person(behaviour)) for behaviour in ("pays", "no_funds_until", "slow", "late_callback")]
    job.api.call("PUT", "sandbox/clock", {"mode": "running"})
    rings = [tasks.deduct_due, tasks.ask_unknown, tasks.deliver_sandbox_callbacks, tasks.remind_due]
    outcomes = at_once(partial(move_on, power_bank, days=10), *rings)

    assert outcomes[0].done
    assert [job.look(order)["state"] for order in orders] == ["deducted"] * 4
    assert len(debits(power_bank)) == 4


def debits(shop: Shop) -> list[Any]:
    """What the sandbox bank really took in this sandbox."""
    tokens = shop.merchant.realm.people.values_list("instruments__token", flat=True)
    return [taken for token in tokens for taken in bank.debits_of(token)]


@pytest.mark.parametrize("doors", range(3, 620, STRIDE))
def test_whoever_dies_leaves_the_clock_at_a_moment_from_which_others_go_on(doors: int, power_bank: Shop) -> None:
    """A kill at any statement or commit: what came is kept, the rest comes later, nothing is lost or done twice."""
    job, twin = Job(power_bank), Job(make_shop("不曾中断"))
    lives = [
        [one.used(one.person(kind)) for kind in ("no_funds_until", "slow", "late_callback")] for one in (job, twin)
    ]
    dying = Doors()
    dying.die_after(doors)
    with dying.installed(), mock.patch.object(Hand, "let_go"), pytest.raises(Crash):
        move_on(power_bank, days=12)
    dying.die_after(0)

    stood = job.now()
    end = datetime.fromisoformat(START) + timedelta(days=12)
    assert datetime.fromisoformat(START) <= stood < end
    if Realm.objects.get(pk=power_bank.realm_id).moved_by:
        refused(job.api.post("sandbox/clock/advance", {"to": end.isoformat()}, **key("again")), 409, "clock_busy")
        Realm.objects.filter(pk=power_bank.realm_id).update(moved_until=live_now())
    came = job.api.post("sandbox/clock/advance", {"to": end.isoformat()}, **key("again"))

    assert (came.status_code, came.json()["done"]) == (200, True), came.content
    twin.advance("P12D")
    assert [job.look(order)["state"] for order in lives[0]] == [twin.look(order)["state"] for order in lives[1]]
    assert len(debits(power_bank)) == 3
    told = Notice.objects.filter(realm_id=power_bank.realm_id).values_list("about", "stage", "episode")
    assert len(told) == len(set(told))


def test_whoever_was_silent_too_long_finds_the_clock_in_another_hand(job: Job, power_bank: Shop) -> None:
    job.used(job.person("no_funds_until"))
    hand_over = Realm.objects.filter(pk=power_bank.realm_id)

    def taken(*_args: Any, **_kwargs: Any) -> int:
        hand_over.update(moved_by=power_bank.merchant.id)
        return 0

    with mock.patch.object(passing.Passing, "_batch", taken), pytest.raises(clock.ClockBusy):
        move_on(power_bank, days=10)
    assert job.now() < datetime.fromisoformat(START) + timedelta(days=10)
    assert hand_over.get().moved_by == power_bank.merchant.id  # the other one's, still


@pytest.mark.parametrize(("broken_for", "state"), [(10, "deducted"), (60, "deducted"), (10_000, "completed")])
def test_what_nobody_can_do_holds_nothing_else_up_and_is_tried_again(
    job: Job, monkeypatch: pytest.MonkeyPatch, broken_for: int, state: str
) -> None:
    order = job.used(job.person("no_funds_until"))
    late = job.used(job.person("late_callback"))
    receive, left = callbacks._receive, iter(range(broken_for))  # noqa: SLF001  the door it knocks at

    def received(*args: Any) -> bool:
        if next(left, None) is not None:
            raise RuntimeError("it cannot be taken in")
        return receive(*args)

    monkeypatch.setattr(passing, "PAUSE", 0.0001)
    monkeypatch.setattr(callbacks, "_receive", received)
    monkeypatch.setattr(bank, "look_up", lambda *_args, **_kwargs: bank.Lost("processing"))
    came = job.advance("P10D")
    assert came["done"]
    assert (job.look(order)["state"], job.look(late)["state"]) == ("deducted", state)
    assert broken_for < 10_000 or came["work"]["callbacks"] < 100
