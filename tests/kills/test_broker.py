"""The broker is emptied, killed, absent for a while, or full of garbage: it only triggers jobs, so nothing is lost."""

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
from tests.conftest import NOON, Shop, make_agreement, make_person
from tests.kills.clients import ApiConnection, Client, statuses
from tests.kills.crowd import SEED, create_crowd, wait_until_paid
from tests.kills.running_stack import LINES_SHOWN, RunningStack, print_result, run_stack

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

ABSENT_SECONDS = float(os.environ.get("ABSENT_SECONDS", "5"))
CLIENTS, PAUSE_SECONDS = 2, 0.05
CATCH_UP_PATIENCE = 90.0
REFUSING_SECONDS = 6
#: A night of it fills no disk.
LINES_A_SECOND_MAX = 20


@contextmanager
def running_clients(stack: RunningStack, shop: Shop) -> Iterator[list[Client]]:
    """Merchants' programs at work: every order they complete is due at once."""
    clients = []
    for _ in range(CLIENTS):
        agreements = [make_agreement(shop, make_person(shop)).public_id for _ in range(5)]
        clients.append(Client(ApiConnection(stack.port, shop.secret), agreements, PAUSE_SECONDS))
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.stop()


def flush_broker(stack: RunningStack) -> None:
    with redis.Redis.from_url(stack.valkey.url) as broker:
        broker.flushall()


def kill_broker(stack: RunningStack) -> None:
    stack.kill("valkey", Random())  # noqa: S311  there is only one to choose


def remove_broker(stack: RunningStack) -> None:
    stack.kill_for_good("valkey")
    stack.sleep(ABSENT_SECONDS)
    stack.start_valkey()


TROUBLES: dict[str, Callable[[RunningStack], None]] = {
    "flushed": flush_broker,
    "killed": kill_broker,
    f"absent for {ABSENT_SECONDS:.0f} s": remove_broker,
}


def make_read_only(stack: RunningStack) -> None:
    """As while another server takes over: it answers, and may not write."""
    with redis.Redis.from_url(stack.valkey.url) as broker:
        broker.execute_command("REPLICAOF", "127.0.0.1", "1")
        stack.sleep(REFUSING_SECONDS)
        broker.execute_command("REPLICAOF", "NO", "ONE")


def fill_memory(stack: RunningStack) -> None:
    with redis.Redis.from_url(stack.valkey.url) as broker:
        broker.config_set("maxmemory", "100kb")
        stack.sleep(REFUSING_SECONDS)
        broker.config_set("maxmemory", "0")


@pytest.mark.parametrize("refuse", [make_read_only, fill_memory])
def test_workers_survive_a_broker_that_accepts_no_writes(refuse: Callable[[RunningStack], None]) -> None:
    crowd = create_crowd(20, Random(SEED), mix={Behaviour.PAYS: 1})  # noqa: S311  a seed, so that a run can be repeated
    with run_stack("worker", "clerk", "courier", "beat") as stack:
        before = [stack.pid(name) for name in ("worker", "clerk", "courier")]
        told = len(stack.record.lines)
        refuse(stack)
        lines = len(stack.record.lines) - told
        crowd.set_clock(NOON)
        seconds = wait_until_paid(stack, crowd)
        crowd.assert_charged_once()
        assert [stack.pid(name) for name in ("worker", "clerk", "courier")] == before
        assert lines / REFUSING_SECONDS < LINES_A_SECOND_MAX, stack.record.lines[told:][:LINES_SHOWN]
    print_result(f"K3 broker {refuse.__name__}: the same workers charged {len(crowd.owed)} after {seconds:.1f} s")


def test_without_broker_the_web_responds_and_nothing_due_is_lost(power_bank: Shop) -> None:
    with run_stack("web", "worker", "beat") as stack, running_clients(stack, power_bank) as clients:
        for name, trouble in TROUBLES.items():
            stack.sleep(1)
            began = time.monotonic()
            trouble(stack)
            due = set(
                Order.objects.filter(merchant=power_bank.merchant, state="completed").values_list("id", flat=True)
            )
            back = stack.wait_until(
                lambda due=due: not Order.objects.filter(id__in=due, state="completed").exists(),
                "What came due in the meantime is not collected.",
                CATCH_UP_PATIENCE,
            )
            during = [one for client in clients for one in client.sent if one.at >= began]
            print_result(
                f"K3 broker {name}: {len(due)} due by then, caught up in {back:.1f} s; requests {statuses(during)}"
            )
        for client in clients:
            client.stop()
        sent = [one for client in clients for one in client.sent]
        orders = Order.objects.filter(merchant=power_bank.merchant)
        stack.wait_until(
            lambda: not orders.exclude(state="deducted").exists(), "An order was forgotten.", CATCH_UP_PATIENCE
        )
    assert set(statuses(sent)) == {200, 201}
    assert orders.count() == len(sent) / 2
    print_result(f"K3 in all: {len(sent)} requests {statuses(sent)}, {orders.count()} orders, all deducted, 0 lost")


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


def test_malformed_messages_stop_no_worker_and_no_work() -> None:
    crowd = create_crowd(20, Random(SEED), mix={Behaviour.PAYS: 1})  # noqa: S311  a seed, so that a run can be repeated
    with run_stack("worker", "beat") as stack, redis.Redis.from_url(stack.valkey.url) as broker:
        before = stack.process_ids("worker")
        for poison in POISON.values():
            broker.lpush("celery", poison)
        crowd.set_clock(NOON)
        seconds = wait_until_paid(stack, crowd)
        crowd.assert_charged_once()
        stack.wait_until(lambda: not broker.hlen("unacked"), "A poisoned message is kept, to be handed out again.")
        assert stack.process_ids("worker") == before
    print_result(
        f"K10 {len(POISON)} poisonous messages: the same worker charged {len(crowd.owed)} after {seconds:.1f} s"
    )
