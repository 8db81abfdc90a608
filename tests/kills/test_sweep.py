"""Workers, beats and the web are killed, duplicated or stopped during a sweep: everybody is charged exactly once."""

import os
import signal
import time
from datetime import timedelta
from functools import partial
from random import Random

import pytest
import redis

from billing.channels.bank import Behaviour
from billing.models import Deduction
from bnpl.celery import SCHEDULE
from bnpl.invariants import find_violations
from tests.conftest import NOON
from tests.kills import short_lease
from tests.kills.crowd import SEED, Crowd, create_crowd, wait_until_paid
from tests.kills.running_stack import RunningStack, descendants, print_result, run_stack

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

#: `make evidence` asks for more of each, has all due at once, and waits out every lease.
ROUNDS = int(os.environ.get("KILL_ROUNDS", "1"))
ORDERS = int(os.environ.get("KILL_ORDERS", "100"))
SPREAD = timedelta(seconds=float(os.environ.get("KILL_SPREAD", "4")))
TWIN_ORDERS = int(os.environ.get("KILL_TWIN_ORDERS", "40"))
STOPS = int(os.environ.get("KILL_STOPS", "0"))
#: The database drops a session that stays still inside a transaction for ten seconds; a stop lasts longer.
STOPPED_SECONDS = float(os.environ.get("KILL_STOPPED_SECONDS", "12"))
STOP_ORDERS = 60
RATE_SECONDS, PATIENCE = 5.0, 300.0
VICTIMS = ("worker", "worker's child", "beat", "web", "web's child")


def is_time_to_kill(stack: RunningStack, victim: str, crowd: Crowd, part: float) -> bool:
    """Whether the sweep has come so far, and the victim, killed before perhaps, is up again."""
    return crowd.attempted_debts() >= part * len(crowd.owed) and bool(stack.kill_candidates(victim))


def test_killed_in_mid_sweep_everybody_is_charged_exactly_once() -> None:
    with run_stack("web", "worker", "beat") as stack:
        for seed in range(SEED, SEED + ROUNDS):
            kill_in_mid_sweep(stack, seed)


def kill_in_mid_sweep(stack: RunningStack, seed: int) -> None:
    dice = Random(seed)  # noqa: S311  a seed, so that a run can be repeated
    crowd = create_crowd(ORDERS, dice, spread=SPREAD)
    deaths = sorted((dice.uniform(0.02, 0.9), victim) for victim in VICTIMS)
    stack.wait_until(stack.is_complete, "The stack is not complete.")
    crowd.set_clock(NOON)
    began = time.monotonic()
    for part, victim in deaths:
        stack.wait_until(partial(is_time_to_kill, stack, victim, crowd, part), "The sweep stands still.", PATIENCE)
        stack.kill(victim, dice)
    left = crowd.unpaid_orders()
    wait_until_paid(stack, crowd)
    seconds = time.monotonic() - began
    crowd.assert_charged_once()
    stack.wait_until(stack.is_complete, "A killed program was not started again.")
    assert list(find_violations()) == []
    moments = ", ".join(f"{victim} at {part:.0%}" for part, victim in deaths)
    print_result(
        f"K1 seed {seed}: {ORDERS} due; killed {moments}, {left} then left;"
        f" {ORDERS} charged once, 0 violations, all done after {seconds:.1f} s"
    )


def test_two_beats_and_three_workers_charge_everybody_once() -> None:
    crowd = create_crowd(TWIN_ORDERS, Random(SEED), spread=SPREAD)  # noqa: S311  a seed, so that a run can be repeated
    programs = ("worker", "worker2", "worker3", "beat", "beat2")
    with run_stack(*programs) as stack, redis.Redis.from_url(stack.valkey.url) as broker:
        crowd.set_clock(NOON)
        rung, began = queued_triggers(broker), time.monotonic()
        wait_until_paid(stack, crowd)
        stack.sleep(max(0.0, RATE_SECONDS - (time.monotonic() - began)))
        rate = (queued_triggers(broker) - rung) / (time.monotonic() - began)
        crowd.assert_charged_once()
    alone = sum(1 / entry["schedule"] for entry in SCHEDULE.values())
    assert rate > alone
    print_result(
        f"K4 seed {SEED}: two beats, three workers: {TWIN_ORDERS} charged once;"
        f" {rate:.1f} triggers a second, one beat alone {alone:.1f}"
    )


def queued_triggers(broker: redis.Redis) -> int:
    """How many messages were put on a queue since the broker began."""
    return int(broker.info("commandstats").get("cmdstat_lpush", {"calls": 0})["calls"])


@pytest.mark.skipif(not STOPS, reason="a lease of a minute has to be waited out; make evidence does")
def test_a_worker_stopped_during_deductions_repeats_nothing() -> None:
    with run_stack("worker", "beat", app=short_lease.__name__) as stack:
        for seed in range(SEED, SEED + STOPS):
            stop_in_mid_deduction(stack, seed)


def stop_in_mid_deduction(stack: RunningStack, seed: int) -> None:
    """The children stop with charges in hand; another worker asks, believes "not found", and charges anew."""
    dice = Random(seed)  # noqa: S311  a seed, so that a run can be repeated
    crowd = create_crowd(STOP_ORDERS, dice, mix={Behaviour.PAYS: 9, Behaviour.TIMEOUT_THEN_PAID: 1})
    stopped, moment = descendants(stack.pid("worker")), dice.randint(1, STOP_ORDERS // 2)
    crowd.set_clock(NOON)
    stack.wait_until(lambda: len(crowd.bank_debits()) >= moment, "Nobody is charged.")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    charged = len(crowd.bank_debits())
    in_flight = Deduction.objects.filter(realm_id=crowd.shop.realm_id, state="sent").count()
    stack.start("worker2")
    stack.sleep(STOPPED_SECONDS)
    wait_until_paid(stack, crowd)
    crowd.assert_charged_once()
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    stack.sleep(3)
    assert descendants(stack.pid("worker")) == stopped
    crowd.assert_charged_once()
    assert list(find_violations()) == []
    stack.kill_for_good("worker2")
    not_sent = Deduction.objects.filter(realm_id=crowd.shop.realm_id, state="not_sent").count()
    print_result(
        f"K6 seed {seed}: stopped for {STOPPED_SECONDS:.0f} s or more with {in_flight} of {STOP_ORDERS} in hand,"
        f" {charged} taken by then; {not_sent} found never sent and sent anew; {STOP_ORDERS} charged once"
    )
