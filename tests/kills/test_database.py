"""PostgreSQL is killed under load: what was acknowledged is there, what was not is whole or absent, nobody restarts."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kills.clients import NO_ANSWER, ApiConnection, Client, SentRequest, new_agreement, statuses
from tests.kills.running_stack import RunningStack, print_result, run_stack

pytestmark = pytest.mark.stack

#: `make evidence` asks for five.
KILLS = int(os.environ.get("KILL_DATABASES", "1"))
LOAD_SECONDS = float(os.environ.get("KILL_LOAD_SECONDS", "1.5"))
CLIENTS, PEOPLE, PAUSE_SECONDS = 4, 5, 0.05
PATIENCE = 60.0


@contextmanager
def running_clients(stack: RunningStack) -> Iterator[tuple[list[Client], ApiConnection]]:
    """Merchants' programs at work, and one line to look with."""
    stack.manage("demo")
    told = json.loads((Path(stack.config.env["BNPL_HOME"]) / "demo.json").read_text(encoding="utf-8"))
    secret = next(key["secret_key"] for key in told["merchants"] if key["mode"] == "test")
    line = ApiConnection(stack.port, secret)
    service = next(s["id"] for s in line.request_ok("GET", "services")["data"] if s["mode"] == "dynamic")
    agreements = [[new_agreement(line, service) for _ in range(PEOPLE)] for _ in range(CLIENTS)]
    clients = [Client(ApiConnection(stack.port, secret), mine, PAUSE_SECONDS) for mine in agreements]
    for client in clients:
        client.start()
    try:
        yield clients, line
    finally:
        for client in clients:
            client.stop()
        line.close()


def kill_postgres(stack: RunningStack) -> None:
    """The postmaster first, so that it can neither tell anybody nor put anything in order."""
    for pid in stack.process_ids("postgres"):
        os.kill(pid, signal.SIGKILL)


def test_postgres_killed_under_load_loses_nothing_it_acknowledged() -> None:
    with run_stack("web", "worker", "beat", durable=True) as stack, running_clients(stack) as (clients, line):
        before = stack.process_ids("web"), stack.process_ids("worker")
        for number in range(1, KILLS + 1):
            stack.sleep(LOAD_SECONDS)
            kill_postgres(stack)
            seconds = wait_until_clients_succeed(stack, clients)
            print_result(f"K2 kill {number} of {KILLS}: every client answered again, the first after {seconds:.1f} s")
        stack.sleep(LOAD_SECONDS)
        for client in clients:
            client.stop()
        sent = [one for client in clients for one in client.sent]
        last = max((one for one in sent if one.answer.good and one.path != "orders"), key=lambda one: one.at)
        stack.wait_until(lambda: state_of(line, last) == "deducted", "The worker collects no more.", PATIENCE)
        judged = Counter(check_outcome(line, one) for one in sent)
        assert (stack.process_ids("web"), stack.process_ids("worker")) == before, "somebody had to be restarted"
        stack.manage("verify")
    print_result(
        f"K2 in all: {len(sent)} requests {statuses(sent)}; {judged['kept']} acknowledged, {judged['lost']} lost;"
        f" unacknowledged: {judged['whole']} whole, {judged['absent']} absent, none in part"
    )
    assert not judged["lost"]
    assert set(statuses(sent)) <= {200, 201, 503, NO_ANSWER}


def wait_until_clients_succeed(stack: RunningStack, clients: list[Client]) -> float:
    """Waits until every client has had a good answer to something sent from now on. The seconds until the first."""
    died = time.monotonic()

    def since(client: Client) -> list[float]:
        return [one.at for one in list(client.sent) if one.at > died and one.answer.good]

    stack.wait_until(lambda: all(since(client) for client in clients), "Somebody is not answered any more.", PATIENCE)
    return min(since(client)[0] for client in clients) - died


def check_outcome(line: ApiConnection, one: SentRequest) -> str:
    """What became of a request, found by looking first and by sending it once more under its key afterwards."""
    there = is_there(line, one)
    again = line.request("POST", one.path, one.body, one.key)
    twice = line.request("POST", one.path, one.body, one.key)
    assert again.good, again
    assert (twice.status, twice.body, twice.replayed) == (again.status, again.body, True)
    if one.path == "orders" and not one.answer.good:  # nobody will complete it, and a person has room for twenty
        line.request_ok("POST", f"orders/{again.json()['id']}/cancel", {"reason": "nobody heard of it"})
    if one.answer.good:
        same = (again.status, again.body, again.replayed) == (one.answer.status, one.answer.body, True)
        return "kept" if there and same else "lost"
    assert again.replayed == there, "an effect without its answer, or an answer without its effect"
    return "whole" if there else "absent"


def is_there(line: ApiConnection, one: SentRequest) -> bool:
    """Whether the request's effect is there."""
    if one.path == "orders":
        return bool(line.request_ok("GET", f"orders?out_order_no={one.body['out_order_no']}")["data"])
    return state_of(line, one) in ("completed", "deducted")


def state_of(line: ApiConnection, completion: SentRequest) -> str:
    return str(line.request_ok("GET", completion.path.removesuffix("/complete"))["state"])
