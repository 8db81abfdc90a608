"""Workers, beats and the web are killed, doubled or stopped in the middle of a sweep: everybody is charged once."""

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
from bnpl.invariants import violations
from tests.conftest import NOON
from tests.kills import short_lease
from tests.kills.crowd import SEED, Crowd, gather, settle
from tests.kills.house import House, descendants, house, tally

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


def ripe(home: House, victim: str, crowd: Crowd, part: float) -> bool:
    """Whether the sweep has come so far, and the victim, killed before perhaps, is up again."""
    return crowd.claimed() >= part * len(crowd.owed) and bool(home.at_hand(victim))


def test_killed_in_mid_sweep_everybody_is_charged_exactly_once() -> None:
    with house("web", "worker", "beat") as home:
        for seed in range(SEED, SEED + ROUNDS):
            kill_in_mid_sweep(home, seed)


def kill_in_mid_sweep(home: House, seed: int) -> None:
    dice = Random(seed)  # noqa: S311  a seed, so that a run can be repeated
    crowd = gather(ORDERS, dice, spread=SPREAD)
    deaths = sorted((dice.uniform(0.02, 0.9), victim) for victim in VICTIMS)
    home.until(home.whole, "The house is not whole.")
    crowd.set_clock(NOON)
    began = time.monotonic()
    for part, victim in deaths:
        home.until(partial(ripe, home, victim, crowd, part), "The sweep stands still.", PATIENCE)
        home.kill(victim, dice)
    left = crowd.undone()
    settle(home, crowd)
    seconds = time.monotonic() - began
    crowd.must_have_been_charged_once()
    home.until(home.whole, "A killed program was not started again.")
    assert list(violations()) == []
    moments = ", ".join(f"{victim} at {part:.0%}" for part, victim in deaths)
    tally(
        f"K1 seed {seed}: {ORDERS} due; killed {moments}, {left} then left;"
        f" {ORDERS} charged once, 0 violations, all done after {seconds:.1f} s"
    )


def test_two_beats_and_three_workers_charge_nobody_twice() -> None:
    crowd = gather(TWIN_ORDERS, Random(SEED), spread=SPREAD)  # noqa: S311  a seed, so that a run can be repeated
    programs = ("worker", "worker2", "worker3", "beat", "beat2")
    with house(*programs) as home, redis.Redis.from_url(home.valkey.url) as broker:
        crowd.set_clock(NOON)
        rung, began = rings(broker), time.monotonic()
        settle(home, crowd)
        home.stay(max(0.0, RATE_SECONDS - (time.monotonic() - began)))
        rate = (rings(broker) - rung) / (time.monotonic() - began)
        crowd.must_have_been_charged_once()
    alone = sum(1 / entry["schedule"] for entry in SCHEDULE.values())
    assert rate > alone
    tally(
        f"K4 seed {SEED}: two beats, three workers: {TWIN_ORDERS} charged once;"
        f" {rate:.1f} rings a second, one beat alone {alone:.1f}"
    )


def rings(broker: redis.Redis) -> int:
    """How many messages were put on a queue since the broker began."""
    return int(broker.info("commandstats").get("cmdstat_lpush", {"calls": 0})["calls"])


@pytest.mark.skipif(not STOPS, reason="a lease of a minute has to be waited out; make evidence does")
def test_a_worker_stopped_in_mid_deduction_does_nothing_twice_when_it_goes_on() -> None:
    with house("worker", "beat", app=short_lease.__name__) as home:
        for seed in range(SEED, SEED + STOPS):
            stop_in_mid_deduction(home, seed)


def stop_in_mid_deduction(home: House, seed: int) -> None:
    """The children stop with charges in hand; another worker asks, believes "not found", and charges anew."""
    dice = Random(seed)  # noqa: S311  a seed, so that a run can be repeated
    crowd = gather(STOP_ORDERS, dice, mix={Behaviour.PAYS: 9, Behaviour.TIMEOUT_THEN_PAID: 1})
    stopped, moment = descendants(home.pid("worker")), dice.randint(1, STOP_ORDERS // 2)
    crowd.set_clock(NOON)
    home.until(lambda: len(crowd.taken()) >= moment, "Nobody is charged.")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    charged = len(crowd.taken())
    in_hand = Deduction.objects.filter(realm_id=crowd.shop.realm_id, state="sent").count()
    home.start("worker2")
    home.stay(STOPPED_SECONDS)
    settle(home, crowd)
    crowd.must_have_been_charged_once()
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    home.stay(3)
    assert descendants(home.pid("worker")) == stopped
    crowd.must_have_been_charged_once()
    assert list(violations()) == []
    home.take_away("worker2")
    not_sent = Deduction.objects.filter(realm_id=crowd.shop.realm_id, state="not_sent").count()
    tally(
        f"K6 seed {seed}: stopped for {STOPPED_SECONDS:.0f} s or more with {in_hand} of {STOP_ORDERS} in hand,"
        f" {charged} taken by then; {not_sent} found never sent and sent anew; {STOP_ORDERS} charged once"
    )
