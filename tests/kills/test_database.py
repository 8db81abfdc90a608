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

from tests.kills.clients import NO_ANSWER, Client, Line, Sent, new_agreement, statuses
from tests.kills.house import House, house, tally

pytestmark = pytest.mark.stack

#: `make evidence` asks for five.
KILLS = int(os.environ.get("KILL_DATABASES", "1"))
LOAD_SECONDS = float(os.environ.get("KILL_LOAD_SECONDS", "1.5"))
CLIENTS, PEOPLE, PAUSE_SECONDS = 4, 5, 0.05
PATIENCE = 60.0


@contextmanager
def trading(home: House) -> Iterator[tuple[list[Client], Line]]:
    """Merchants' programs at work, and one line to look with."""
    home.manage("demo")
    told = json.loads((Path(home.plan.env["BNPL_HOME"]) / "demo.json").read_text(encoding="utf-8"))
    secret = next(key["secret_key"] for key in told["merchants"] if key["mode"] == "test")
    line = Line(home.port, secret)
    service = next(s["id"] for s in line.must("GET", "services")["data"] if s["mode"] == "dynamic")
    agreements = [[new_agreement(line, service) for _ in range(PEOPLE)] for _ in range(CLIENTS)]
    clients = [Client(Line(home.port, secret), mine, PAUSE_SECONDS) for mine in agreements]
    for client in clients:
        client.start()
    try:
        yield clients, line
    finally:
        for client in clients:
            client.stop()
        line.close()


def kill_postgres(home: House) -> None:
    """The postmaster first, so that it can neither tell anybody nor put anything in order."""
    for pid in home.family("postgres"):
        os.kill(pid, signal.SIGKILL)


def test_postgres_killed_under_load_loses_nothing_it_acknowledged() -> None:
    with house("web", "worker", "beat", durable=True) as home, trading(home) as (clients, line):
        before = home.family("web"), home.family("worker")
        for number in range(1, KILLS + 1):
            home.stay(LOAD_SECONDS)
            kill_postgres(home)
            seconds = answered_again(home, clients)
            tally(f"K2 kill {number} of {KILLS}: every client answered again, the first after {seconds:.1f} s")
        home.stay(LOAD_SECONDS)
        for client in clients:
            client.stop()
        sent = [one for client in clients for one in client.sent]
        last = max((one for one in sent if one.answer.good and one.path != "orders"), key=lambda one: one.at)
        home.until(lambda: state_of(line, last) == "deducted", "The worker collects no more.", PATIENCE)
        judged = Counter(judge(line, one) for one in sent)
        assert (home.family("web"), home.family("worker")) == before, "somebody had to be restarted"
        home.manage("verify")
    tally(
        f"K2 in all: {len(sent)} requests {statuses(sent)}; {judged['kept']} acknowledged, {judged['lost']} lost;"
        f" unacknowledged: {judged['whole']} whole, {judged['absent']} absent, none in part"
    )
    assert not judged["lost"]
    assert set(statuses(sent)) <= {200, 201, 503, NO_ANSWER}


def answered_again(home: House, clients: list[Client]) -> float:
    """Waits until every client has had a good answer to something sent from now on. The seconds until the first."""
    died = time.monotonic()

    def since(client: Client) -> list[float]:
        return [one.at for one in list(client.sent) if one.at > died and one.answer.good]

    home.until(lambda: all(since(client) for client in clients), "Somebody is not answered any more.", PATIENCE)
    return min(since(client)[0] for client in clients) - died


def judge(line: Line, one: Sent) -> str:
    """What became of a request, found by looking first and by sending it once more under its key afterwards."""
    there = is_there(line, one)
    again = line.ask("POST", one.path, one.body, one.key)
    twice = line.ask("POST", one.path, one.body, one.key)
    assert again.good, again
    assert (twice.status, twice.body, twice.replayed) == (again.status, again.body, True)
    if one.path == "orders" and not one.answer.good:  # nobody will complete it, and a person has room for twenty
        line.must("POST", f"orders/{again.json()['id']}/cancel", {"reason": "nobody heard of it"})
    if one.answer.good:
        same = (again.status, again.body, again.replayed) == (one.answer.status, one.answer.body, True)
        return "kept" if there and same else "lost"
    assert again.replayed == there, "an effect without its answer, or an answer without its effect"
    return "whole" if there else "absent"


def is_there(line: Line, one: Sent) -> bool:
    """Whether the request's effect is there."""
    if one.path == "orders":
        return bool(line.must("GET", f"orders?out_order_no={one.body['out_order_no']}")["data"])
    return state_of(line, one) in ("completed", "deducted")


def state_of(line: Line, completion: Sent) -> str:
    return str(line.must("GET", completion.path.removesuffix("/complete"))["state"])
