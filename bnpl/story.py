"""One whole life, played over real HTTP against a running platform and told as it goes."""

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import Message
from typing import Any

#: How long the workers may take for what they do by themselves.
PATIENCE_SECONDS = 45.0
TIMEOUT_SECONDS = 10.0


class StoryBroke(Exception):  # noqa: N818  what happened, in the story's own words
    """A step did not go as told."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class Narrator:
    """A merchant's developer with a key, telling each step with the seconds since the first."""

    base_url: str
    secret: str
    tell: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        self.tell(f"{time.monotonic() - self.began:6.1f} s  {text}")

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request to the API; only http and https addresses of the platform itself."""
        request = urllib.request.Request(  # noqa: S310  the stack's own address
            f"{self.base_url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  the same
                return Reply(answer.status, named(answer.headers), json.loads(answer.read() or b"null"))
        except urllib.error.HTTPError as refused:
            return Reply(refused.code, named(refused.headers), json.loads(refused.read() or b"null"))

    def expect(self, status: int, method: str, path: str, body: Any = None, **headers: str) -> Any:
        reply = self.ask(method, path, body, **headers)
        if reply.status != status:
            raise StoryBroke(f"{method} {path} answered {reply.status}, not {status}: {reply.body}")
        return reply.body

    def wait(self, path: str, state: str) -> Any:
        """Wait until the workers have brought the object at `path` into `state`."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = self.expect(200, "GET", path)
            if found["state"] == state:
                return found
            if time.monotonic() > until:
                raise StoryBroke(f"{path} is still {found['state']}, not {state}, after {PATIENCE_SECONDS:.0f} s")
            time.sleep(0.25)


def play(narrator: Narrator) -> Iterator[str]:
    """The life of two orders of one person. Yields the ids of the orders, for whoever wants to see their postings."""
    api = narrator
    api.expect(200, "GET", "/readyz")
    api.say("the platform is ready")
    time_passes(api)
    service = next(s for s in api.expect(200, "GET", "/v1/services")["data"] if s["mode"] == "dynamic")
    api.say(f"the merchant offers {service['name']}: at most {yuan(service['ceiling'])}, paid afterwards")
    person = api.expect(201, "POST", "/v1/sandbox/people", {"name": "林一", "behaviour": "timeout_then_paid"})
    api.say(f"{person['name']} comes by; the bank will lose its first answer")
    asked = {"service": service["id"], "person_ref": person["ref"]}
    agreement = api.expect(201, "POST", "/v1/agreements", asked)
    agreement = api.expect(200, "POST", f"/v1/sandbox/agreements/{agreement['id']}/sign", {"person": person["id"]})
    api.say(f"{person['name']} has opened the service: {agreement['state']}")
    yield from _first_order(api, agreement["id"])
    yield from _second_order(api, agreement["id"])


def time_passes(api: Narrator) -> None:
    """Workers do nothing on a clock that stands still: whoever froze it is told at once, and not after a long wait."""
    if api.expect(200, "GET", "/v1/sandbox/clock")["mode"] == "frozen":
        raise StoryBroke(
            "the clock of this sandbox is frozen, so nothing happens by itself."
            ' Let it run: PUT /v1/sandbox/clock {"mode": "running"}'
        )


def _first_order(api: Narrator, agreement: str) -> Iterator[str]:
    """Used, completed, and deducted although the bank's answer was lost."""
    number = f"STORY-{secrets.token_hex(6)}"
    wish = {"agreement": agreement, "out_order_no": number, "title": "共享充电宝"}
    key = {"Idempotency-Key": secrets.token_hex(16)}
    order = api.expect(201, "POST", "/v1/orders", wish, **key)
    again = api.ask("POST", "/v1/orders", wish, **key)
    if again.body != order or again.headers.get("idempotent-replayed") != "true":
        raise StoryBroke("the same request again was not answered with the first answer")
    api.say(f"order {number} is open, nothing paid, {yuan(order['ceiling'])} held; sent twice, it is still one order")
    path = f"/v1/orders/{order['id']}"
    order = api.expect(200, "POST", f"{path}/complete", {"total": 1234})
    api.say(f"the power bank is back: {yuan(order['total'])} is owed, and will be deducted by itself")
    order = api.wait(path, "deducted")
    api.say(f"deducted: {yuan(order['paid'])} paid, {yuan(order['outstanding'])} owed. What happened, event by event:")
    for event in api.expect(200, "GET", f"{path}/events")["data"]:
        api.tell(f"              {event['sequence']}. {event['created_at'][11:19]}  {event['type']}")
    yield order["id"]


def _second_order(api: Narrator, agreement: str) -> Iterator[str]:
    """Lowered out of goodwill before anything is taken, then deducted; and what must be refused is."""
    wish = {"agreement": agreement, "out_order_no": f"STORY-{secrets.token_hex(6)}", "title": "共享充电宝"}
    order = api.expect(201, "POST", "/v1/orders", wish)
    path = f"/v1/orders/{order['id']}"
    refused = api.expect(422, "POST", f"{path}/complete", {"total": order["ceiling"] + 1})
    api.say(f"completing it above the ceiling is refused: {refused['code']}")
    now = datetime.fromisoformat(api.expect(200, "GET", "/v1/sandbox/clock")["now"])
    later = (now + timedelta(seconds=8)).isoformat()
    api.expect(200, "POST", f"{path}/complete", {"total": 900, "due_at": later})
    order = api.expect(200, "POST", f"{path}/modify", {"total": 600, "reason": "接口松动，减三元"})
    api.say(f"completed, due in a few seconds, and lowered to {yuan(order['total'])}")
    order = api.wait(path, "deducted")
    api.say(f"deducted: {yuan(order['paid'])}")
    refused = api.expect(409, "POST", f"{path}/cancel", {"reason": "too late"})
    api.say(f"cancelling it now is refused: {refused['code']}")
    yield order["id"]


def named(headers: Message) -> dict[str, str]:
    """Headers by their lower-case names: servers spell them as they like."""
    return {name.lower(): value for name, value in headers.items()}


def yuan(minor: int) -> str:
    return f"¥{minor // 100}.{minor % 100:02}"
