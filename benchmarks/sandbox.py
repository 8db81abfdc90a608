"""How long ninety days of a hundred orders take in a sandbox, over HTTP, on a platform that is running (`make up`).

Once everybody pays. Twice each of the ten behaviours of scripted people has a tenth of the orders: all of them due at
one moment, and each at a moment of its own within two months, which is the most that there can be to do.
"""

import argparse
import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

DAYS = 90
PAYS, APART = "everybody pays", "each at its own moment"
BEHAVIOURS: tuple[dict[str, Any], ...] = (
    {"behaviour": "pays"},
    {"behaviour": "no_funds"},
    {"behaviour": "no_funds_until", "duration": "P9D"},
    {"behaviour": "hard_decline"},
    {"behaviour": "timeout_then_paid"},
    {"behaviour": "timeout_then_not_paid"},
    {"behaviour": "slow"},
    {"behaviour": "duplicate_callback"},
    {"behaviour": "late_callback"},
    {"behaviour": "partial_balance", "amount": 100},
)


class Sandbox:
    """A merchant's sandbox, by its test key."""

    def __init__(self, address: str, key: str) -> None:
        self.address, self.key = address.rstrip("/"), key

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/{path}", data, headers, method=method)  # noqa: S310  as given
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310  the same
            return json.load(response)

    def use(self, service: str, script: dict[str, Any], total: int, due_at: str) -> None:
        """Somebody with this script has used the service, and owes this much from then on."""
        person = self.ask("POST", "sandbox/people", {"name": "测试", **script})["id"]
        agreement = self.ask("POST", "agreements", {"service": service, "person_ref": person})["id"]
        self.ask("POST", f"sandbox/agreements/{agreement}/sign", {"person": person})
        number = f"B{time.time_ns()}"[:32]
        order = self.ask("POST", "orders", {"agreement": agreement, "out_order_no": number, "title": "充电宝"})["id"]
        self.ask("POST", f"orders/{order}/complete", {"total": total, "due_at": due_at})

    def live(self, days: int) -> tuple[int, dict[str, int]]:
        """Time passes; in how many answers, and what was told."""
        came = self.ask("POST", "sandbox/clock/advance", {"by": f"P{days}D"})
        answers, events = 1, dict(came["events"])
        while not came["done"]:
            came = self.ask("POST", "sandbox/clock/advance", {"to": came["to"]})
            answers += 1
            for name, count in came["events"].items():
                events[name] = events.get(name, 0) + count
        return answers, events


def dues(kind: str, start: datetime, orders: int) -> Iterator[str]:
    for place in range(orders):
        wait = timedelta(minutes=60 + place * 60 * 24 * 60 // orders) if kind == APART else timedelta(hours=1)
        yield (start + wait).isoformat()


def measure(sandbox: Sandbox, kind: str, orders: int) -> str:
    """One line of the table."""
    terms = {"name": "基准", "mode": "dynamic", "ceiling": 9900, "late_fee_daily_bps": 5, "late_fee_cap_bps": 1000}
    service = sandbox.ask("POST", "services", terms)["id"]
    start = datetime.fromisoformat(sandbox.ask("PUT", "sandbox/clock", {"mode": "frozen"})["now"])
    begun = time.perf_counter()
    people = BEHAVIOURS[:1] if kind == PAYS else BEHAVIOURS
    for place, (script, due_at) in enumerate(zip(cycle(people), dues(kind, start, orders), strict=False)):
        sandbox.use(service, script, 500 + place, due_at)
    made = time.perf_counter()
    answers, events = sandbox.live(DAYS)
    took = time.perf_counter() - made
    attempts = events.get("deduction.failed", 0) + events.get("deduction.succeeded", 0)
    return (
        f"| {kind} | {orders} | {made - begun:.1f} | {took:.1f} | {answers} | {attempts} "
        f"| {1000 * took / max(1, attempts):.1f} | {DAYS * 86_400 / took:,.0f} |"
    )


def main() -> int:
    asks = argparse.ArgumentParser(description=__doc__)
    asks.add_argument("--url", default="http://127.0.0.1:8000/v1")
    asks.add_argument("--key", help="a test key; by default the first merchant's of .bnpl/demo.json")
    asks.add_argument("--orders", type=int, default=100)
    given = asks.parse_args()
    key = given.key or json.loads(Path(".bnpl/demo.json").read_text(encoding="utf-8"))["merchants"][0]["secret_key"]
    sandbox = Sandbox(given.url, key)
    print("| due | orders | s to place them | s for 90 days | answers | attempts | ms an attempt | times real time |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in (PAYS, "together", APART):
        print(measure(sandbox, kind, given.orders), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
