"""A developer's CI job: a sandbox with a frozen clock and scripted people, driven over HTTP alone."""

import re
from datetime import datetime
from typing import Any

from kernel.clock import live_now
from tests.api import Api, order_body
from tests.conftest import Shop

#: Every script's first moment: a morning in Shanghai, in next year's March.
START = f"{live_now().year + 1}-03-01T01:00:00Z"
ID = re.compile(r"\b([a-z]{2,4})_[0-9a-f]{32}\b")
#: A public id, or a key in a page's address.
BEHAVIOURS: dict[str, dict[str, Any]] = {
    "pays": {},
    "no_funds": {},
    "no_funds_until": {"duration": "P4D"},
    "hard_decline": {},
    "timeout_then_paid": {},
    "timeout_then_not_paid": {},
    "slow": {},
    "duplicate_callback": {},
    "late_callback": {},
    "partial_balance": {"amount": 500},
}


class CiJob:
    """The job and its sandbox, whose clock is frozen unless advanced."""

    def __init__(self, shop: Shop, *, start: str = START) -> None:
        self.api, self.service = Api(shop), shop.service.public_id
        self.numbers = iter(range(1, 10_000))
        set_ = self.api.call("PUT", "sandbox/clock", {"mode": "frozen", "now": start})
        assert set_.status_code == 200, set_.content

    def create_person(self, behaviour: str = "pays", **script: Any) -> dict[str, Any]:
        return self.api.person(behaviour, **(BEHAVIOURS[behaviour] | script))

    def open_order(self, person: dict[str, Any], agreement: str = "", **wish: Any) -> str:
        """An open order of somebody who has opened the service."""
        agreement = agreement or self.api.agreement(self.service, person)
        number = {"out_order_no": f"CI-{next(self.numbers)}"}
        made = self.api.post("orders", order_body(agreement, **(number | wish)))
        assert made.status_code == 201, made.content
        return str(made.json()["id"])

    def complete_order(self, person: dict[str, Any], total: int = 600, **final: Any) -> str:
        """An order that was completed."""
        order = self.open_order(person)
        done = self.api.post(f"orders/{order}/complete", {"total": total, **final})
        assert done.status_code == 200, done.content
        return order

    def advance(self, by: str) -> dict[str, Any]:
        """Time passes, all of it."""
        answer = self.api.post("sandbox/clock/advance", {"by": by})
        assert answer.status_code in (200, 202), answer.content
        result = dict(answer.json())
        while not result["done"]:
            result = self.api.post("sandbox/clock/advance", {"to": result["to"]}).json()
        return result

    def now(self) -> datetime:
        return datetime.fromisoformat(self.api.get("sandbox/clock").json()["now"])

    def get_order(self, order: str) -> dict[str, Any]:
        return dict(self.api.get(f"orders/{order}").json())

    def events(self, order: str) -> list[dict[str, Any]]:
        return list(self.api.get(f"orders/{order}/events").json()["data"])

    def event_types(self, order: str) -> list[str]:
        return [event["type"] for event in self.events(order)]


def normalize_ids(text: str) -> str:
    """The text with every id replaced by its kind and the place at which it first appears."""
    names: dict[str, str] = {}
    return ID.sub(lambda found: names.setdefault(found[0], f"{found[1]}_{len(names) + 1}"), text)
