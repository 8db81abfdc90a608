"""A demonstration of two orders from opening to deduction, over HTTP against a running platform, step by step."""

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


class StoryFailed(Exception):  # noqa: N818  its message is printed to the person who runs it
    """A step did not have the expected result."""


@dataclass(frozen=True, slots=True)
class ApiResponse:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class StoryClient:
    """An API client of a merchant that prints each step with the seconds since the first."""

    base_url: str
    secret: str
    write: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        self.write(f"{time.monotonic() - self.began:6.1f} s  {text}")

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> ApiResponse:
        """Send one request to the platform's API."""
        request = urllib.request.Request(  # noqa: S310  the stack's own address
            f"{self.base_url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  the same
                return ApiResponse(
                    answer.status, lowercase_headers(answer.headers), json.loads(answer.read() or b"null")
                )
        except urllib.error.HTTPError as refused:
            return ApiResponse(refused.code, lowercase_headers(refused.headers), json.loads(refused.read() or b"null"))

    def expect(self, status: int, method: str, path: str, body: Any = None, **headers: str) -> Any:
        reply = self.request(method, path, body, **headers)
        if reply.status != status:
            raise StoryFailed(f"{method} {path} answered {reply.status}, not {status}: {reply.body}")
        return reply.body

    def wait(self, path: str, state: str) -> Any:
        """Poll until the workers have brought the object at `path` into `state`."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            current = self.expect(200, "GET", path)
            if current["state"] == state:
                return current
            if time.monotonic() > until:
                raise StoryFailed(f"{path} is still {current['state']}, not {state}, after {PATIENCE_SECONDS:.0f} s")
            time.sleep(0.25)


def play_story(narrator: StoryClient) -> Iterator[str]:
    """Play two orders of one person, and yield their ids."""
    api = narrator
    api.expect(200, "GET", "/readyz")
    api.say("the platform is ready")
    require_running_clock(api)
    service = next(s for s in api.expect(200, "GET", "/v1/services")["data"] if s["mode"] == "dynamic")
    api.say(f"the merchant offers {service['name']}: at most {format_yuan(service['ceiling'])}, paid afterwards")
    person = api.expect(201, "POST", "/v1/sandbox/people", {"name": "林一", "behaviour": "timeout_then_paid"})
    api.say(f"{person['name']} comes by; the bank will lose its first answer")
    body = {"service": service["id"], "person_ref": person["ref"]}
    agreement = api.expect(201, "POST", "/v1/agreements", body)
    agreement = api.expect(200, "POST", f"/v1/sandbox/agreements/{agreement['id']}/sign", {"person": person["id"]})
    api.say(f"{person['name']} has opened the service: {agreement['state']}")
    yield from _first_order(api, agreement["id"])
    yield from _second_order(api, agreement["id"])


def require_running_clock(api: StoryClient) -> None:
    """Fail at once when the sandbox's clock is frozen: the workers process nothing there."""
    if api.expect(200, "GET", "/v1/sandbox/clock")["mode"] == "frozen":
        raise StoryFailed(
            "the clock of this sandbox is frozen, so nothing happens by itself."
            ' Let it run: PUT /v1/sandbox/clock {"mode": "running"}'
        )


def _first_order(api: StoryClient, agreement: str) -> Iterator[str]:
    """An order that is completed, and deducted although the bank's response was lost."""
    number = f"STORY-{secrets.token_hex(6)}"
    body = {"agreement": agreement, "out_order_no": number, "title": "共享充电宝"}
    key = {"Idempotency-Key": secrets.token_hex(16)}
    order = api.expect(201, "POST", "/v1/orders", body, **key)
    again = api.request("POST", "/v1/orders", body, **key)
    if again.body != order or again.headers.get("idempotent-replayed") != "true":
        raise StoryFailed("the same request again was not answered with the first answer")
    held = format_yuan(order["ceiling"])
    api.say(f"order {number} is open, nothing paid, {held} held; sent twice, it is still one order")
    path = f"/v1/orders/{order['id']}"
    order = api.expect(200, "POST", f"{path}/complete", {"total": 1234})
    api.say(f"the power bank is back: {format_yuan(order['total'])} is owed, and will be deducted by itself")
    order = api.wait(path, "deducted")
    paid, owed = format_yuan(order["paid"]), format_yuan(order["outstanding"])
    api.say(f"deducted: {paid} paid, {owed} owed. What happened, event by event:")
    for event in api.expect(200, "GET", f"{path}/events")["data"]:
        api.write(f"              {event['sequence']}. {event['created_at'][11:19]}  {event['type']}")
    yield order["id"]


def _second_order(api: StoryClient, agreement: str) -> Iterator[str]:
    """An order that is reduced before it is deducted; invalid requests for it are refused."""
    body = {"agreement": agreement, "out_order_no": f"STORY-{secrets.token_hex(6)}", "title": "共享充电宝"}
    order = api.expect(201, "POST", "/v1/orders", body)
    path = f"/v1/orders/{order['id']}"
    refused = api.expect(422, "POST", f"{path}/complete", {"total": order["ceiling"] + 1})
    api.say(f"completing it above the ceiling is refused: {refused['code']}")
    now = datetime.fromisoformat(api.expect(200, "GET", "/v1/sandbox/clock")["now"])
    later = (now + timedelta(seconds=8)).isoformat()
    api.expect(200, "POST", f"{path}/complete", {"total": 900, "due_at": later})
    order = api.expect(200, "POST", f"{path}/modify", {"total": 600, "reason": "接口松动，减三元"})
    api.say(f"completed, due in a few seconds, and lowered to {format_yuan(order['total'])}")
    order = api.wait(path, "deducted")
    api.say(f"deducted: {format_yuan(order['paid'])}")
    refused = api.expect(409, "POST", f"{path}/cancel", {"reason": "too late"})
    api.say(f"cancelling it now is refused: {refused['code']}")
    yield order["id"]


def lowercase_headers(headers: Message) -> dict[str, str]:
    """The headers with lower-case names, as servers differ in their spelling."""
    return {name.lower(): value for name, value in headers.items()}


def format_yuan(minor: int) -> str:
    return f"¥{minor // 100}.{minor % 100:02}"
