"""The time to advance a sandbox by ninety days with a hundred orders, over HTTP on a running platform (`make up`).

Three runs: everybody pays; each of the ten scripted behaviours has a tenth of the orders, all due at one moment; and
the same with every order due at another moment within two months, which is the most work.
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
    """An API client of a merchant's sandbox."""

    def __init__(self, address: str, key: str) -> None:
        self.address, self.key = address.rstrip("/"), key

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/{path}", data, headers, method=method)  # noqa: S310  as given
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310  the same
            return json.load(response)

    def use(self, service: str, script: dict[str, Any], total: int, due_at: str) -> None:
        """Create a person with this behaviour and a completed order due at the given time."""
        person = self.request("POST", "sandbox/people", {"name": "测试", **script})["id"]
        agreement = self.request("POST", "agreements", {"service": service, "person_ref": person})["id"]
        self.request("POST", f"sandbox/agreements/{agreement}/sign", {"person": person})
        number = f"B{time.time_ns()}"[:32]
        order = self.request("POST", "orders", {"agreement": agreement, "out_order_no": number, "title": "充电宝"})[
            "id"
        ]
        self.request("POST", f"orders/{order}/complete", {"total": total, "due_at": due_at})

    def advance(self, days: int) -> tuple[int, dict[str, int]]:
        """Advance the clock. Returns the number of requests it took, and the events by type."""
        journey = self.request("POST", "sandbox/clock/advance", {"by": f"P{days}D"})
        answers, events = 1, dict(journey["events"])
        while not journey["done"]:
            journey = self.request("POST", "sandbox/clock/advance", {"to": journey["to"]})
            answers += 1
            for name, count in journey["events"].items():
                events[name] = events.get(name, 0) + count
        return answers, events


def due_times(kind: str, start: datetime, orders: int) -> Iterator[str]:
    for place in range(orders):
        wait = timedelta(minutes=60 + place * 60 * 24 * 60 // orders) if kind == APART else timedelta(hours=1)
        yield (start + wait).isoformat()


def measure(sandbox: Sandbox, kind: str, orders: int) -> str:
    """One line of the table."""
    terms = {"name": "基准", "mode": "dynamic", "ceiling": 9900, "late_fee_daily_bps": 5, "late_fee_cap_bps": 1000}
    service = sandbox.request("POST", "services", terms)["id"]
    start = datetime.fromisoformat(sandbox.request("PUT", "sandbox/clock", {"mode": "frozen"})["now"])
    started = time.perf_counter()
    people = BEHAVIOURS[:1] if kind == PAYS else BEHAVIOURS
    for place, (script, due_at) in enumerate(zip(cycle(people), due_times(kind, start, orders), strict=False)):
        sandbox.use(service, script, 500 + place, due_at)
    made = time.perf_counter()
    answers, events = sandbox.advance(DAYS)
    took = time.perf_counter() - made
    attempts = events.get("deduction.failed", 0) + events.get("deduction.succeeded", 0)
    return (
        f"| {kind} | {orders} | {made - started:.1f} | {took:.1f} | {answers} | {attempts} "
        f"| {1000 * took / max(1, attempts):.1f} | {DAYS * 86_400 / took:,.0f} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--key", help="a test key; by default the first merchant's of .bnpl/demo.json")
    parser.add_argument("--orders", type=int, default=100)
    args = parser.parse_args()
    key = args.key or json.loads(Path(".bnpl/demo.json").read_text(encoding="utf-8"))["merchants"][0]["secret_key"]
    sandbox = Sandbox(args.url, key)
    print("| due | orders | s to place them | s for 90 days | answers | attempts | ms an attempt | times real time |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in (PAYS, "together", APART):
        print(measure(sandbox, kind, args.orders), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
