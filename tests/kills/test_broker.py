"""The broker is emptied, killed, away for a while, or full of rubbish: it only rings, so nothing is lost."""

import base64
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from uuid import uuid4

import pytest
import redis

from billing.channels.bank import Behaviour
from orders.models import Order
from tests.conftest import NOON, Shop, opened, someone
from tests.kills.clients import Client, Line, statuses
from tests.kills.crowd import SEED, gather, settle
from tests.kills.house import LINES_SHOWN, House, house, tally

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

ABSENT_SECONDS = float(os.environ.get("ABSENT_SECONDS", "5"))
CLIENTS, PAUSE_SECONDS = 2, 0.05
CATCH_UP_PATIENCE = 90.0
REFUSING_SECONDS = 6
#: A night of it fills no disk.
LINES_A_SECOND_MAX = 20


@contextmanager
def trading(home: House, shop: Shop) -> Iterator[list[Client]]:
    """Merchants' programs at work: every order they complete is due at once."""
    clients = []
    for _ in range(CLIENTS):
        agreements = [opened(shop, someone(shop)).public_id for _ in range(5)]
        clients.append(Client(Line(home.port, shop.secret), agreements, PAUSE_SECONDS))
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.stop()


def flushed(home: House) -> None:
    with redis.Redis.from_url(home.valkey.url) as broker:
        broker.flushall()


def killed(home: House) -> None:
    home.kill("valkey", Random())  # noqa: S311  there is only one to choose


def absent(home: House) -> None:
    home.take_away("valkey")
    home.stay(ABSENT_SECONDS)
    home.start_valkey()


TROUBLES: dict[str, Callable[[House], None]] = {
    "flushed": flushed,
    "killed": killed,
    f"absent for {ABSENT_SECONDS:.0f} s": absent,
}


def read_only(home: House) -> None:
    """As while another server takes over: it answers, and may not write."""
    with redis.Redis.from_url(home.valkey.url) as broker:
        broker.execute_command("REPLICAOF", "127.0.0.1", "1")
        home.stay(REFUSING_SECONDS)
        broker.execute_command("REPLICAOF", "NO", "ONE")


def full(home: House) -> None:
    with redis.Redis.from_url(home.valkey.url) as broker:
        broker.config_set("maxmemory", "100kb")
        home.stay(REFUSING_SECONDS)
        broker.config_set("maxmemory", "0")


@pytest.mark.parametrize("refuse", [read_only, full])
def test_a_broker_that_takes_nothing_ends_no_worker(refuse: Callable[[House], None]) -> None:
    crowd = gather(20, Random(SEED), mix={Behaviour.PAYS: 1})  # noqa: S311  a seed, so that a run can be repeated
    with house("worker", "clerk", "courier", "beat") as home:
        before = [home.pid(name) for name in ("worker", "clerk", "courier")]
        told = len(home.record.lines)
        refuse(home)
        lines = len(home.record.lines) - told
        crowd.set_clock(NOON)
        seconds = settle(home, crowd)
        crowd.must_have_been_charged_once()
        assert [home.pid(name) for name in ("worker", "clerk", "courier")] == before
        assert lines / REFUSING_SECONDS < LINES_A_SECOND_MAX, home.record.lines[told:][:LINES_SHOWN]
    tally(f"K3 broker {refuse.__name__}: the same workers charged {len(crowd.owed)} after {seconds:.1f} s")


def test_without_its_broker_the_web_answers_and_nothing_due_is_lost(power_bank: Shop) -> None:
    with house("web", "worker", "beat") as home, trading(home, power_bank) as clients:
        for name, trouble in TROUBLES.items():
            home.stay(1)
            began = time.monotonic()
            trouble(home)
            due = set(
                Order.objects.filter(merchant=power_bank.merchant, state="completed").values_list("id", flat=True)
            )
            back = home.until(
                lambda due=due: not Order.objects.filter(id__in=due, state="completed").exists(),
                "What came due in the meantime is not collected.",
                CATCH_UP_PATIENCE,
            )
            during = [one for client in clients for one in client.sent if one.at >= began]
            tally(f"K3 broker {name}: {len(due)} due by then, caught up in {back:.1f} s; requests {statuses(during)}")
        for client in clients:
            client.stop()
        sent = [one for client in clients for one in client.sent]
        orders = Order.objects.filter(merchant=power_bank.merchant)
        home.until(lambda: not orders.exclude(state="deducted").exists(), "An order was forgotten.", CATCH_UP_PATIENCE)
    assert set(statuses(sent)) == {200, 201}
    assert orders.count() == len(sent) / 2
    tally(f"K3 in all: {len(sent)} requests {statuses(sent)}, {orders.count()} orders, all deducted, 0 lost")


def envelope(body: bytes, *, task: str, kind: str = "application/json") -> bytes:
    """A message as the broker holds it."""
    key = str(uuid4())
    message = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": kind,
        "headers": {"lang": "py", "task": task, "id": key, "root_id": key, "argsrepr": "()", "kwargsrepr": "{}"},
        "properties": {
            "correlation_id": key,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "celery"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": key,
        },
    }
    return json.dumps(message).encode()


PICKLED = b"cos\nsystem\n(S'false'\ntR."
NOTHING = json.dumps([[], {}, {}]).encode()
POISON = {
    "an unknown task": envelope(NOTHING, task="billing.tasks.nobody_wrote"),
    "a known task with arguments it does not take": envelope(b'[["x"], {"y": 1}, {}]', task="billing.tasks.deduct_due"),
    "arguments of five megabytes": envelope(
        json.dumps([["x" * 5_000_000], {}, {}]).encode(), task="billing.tasks.deduct_due"
    ),
    "a body that is not JSON": envelope(b"{not json", task="billing.tasks.deduct_due"),
    "a body that is no list": envelope(b"7", task="billing.tasks.deduct_due"),
    "pickled code": envelope(PICKLED, task="billing.tasks.deduct_due", kind="application/x-python-serialize"),
    "an envelope that is not JSON": b"{",
    "an envelope that is not text": bytes(range(128, 256)),
    "an envelope with nothing in it": b"{}",
    "an envelope that is a list": b"[]",
    "nothing": b"",
    "nesting without end": b"[" * 200_000,
}


def test_rubbish_on_the_queue_ends_no_worker_and_stops_no_work() -> None:
    crowd = gather(20, Random(SEED), mix={Behaviour.PAYS: 1})  # noqa: S311  a seed, so that a run can be repeated
    with house("worker", "beat") as home, redis.Redis.from_url(home.valkey.url) as broker:
        before = home.family("worker")
        for poison in POISON.values():
            broker.lpush("celery", poison)
        crowd.set_clock(NOON)
        seconds = settle(home, crowd)
        crowd.must_have_been_charged_once()
        home.until(lambda: not broker.hlen("unacked"), "A poisoned message is kept, to be handed out again.")
        assert home.family("worker") == before
    tally(f"K10 {len(POISON)} poisonous messages: the same worker charged {len(crowd.owed)} after {seconds:.1f} s")
