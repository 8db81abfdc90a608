"""A merchant's program over real HTTP: it opens and completes orders, one after the other, and forgets nothing."""

import http.client
import json
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

TIMEOUT_SECONDS = 10.0
NO_ANSWER = 0


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    replayed: bool = False

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Sent:
    """A request under its key, and what came back."""

    at: float
    path: str
    body: dict[str, Any]
    key: str
    answer: Answer


class Line:
    """One connection to the web, opened again when it broke."""

    def __init__(self, port: int, secret: str) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self.headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: Any = None, key: str = "") -> Answer:
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        try:
            # A refusal may come before the body was read, and the line be closed: the answer is there all the same.
            with suppress(BrokenPipeError):
                self.http.request(method, f"/v1/{path}", None if body is None else json.dumps(body), headers)
            came = self.http.getresponse()
            return Answer(came.status, came.read(), came.headers.get("Idempotent-Replayed") == "true")
        except (OSError, http.client.HTTPException):
            self.http.close()
            return Answer(NO_ANSWER, b"")

    def must(self, method: str, path: str, body: Any = None) -> Any:
        """The answer, which has to be a good one. A line left idle was closed by the web, and is opened again."""
        answer = self.ask(method, path, body)
        if answer.status == NO_ANSWER:
            answer = self.ask(method, path, body)
        assert answer.good, answer
        return answer.json()

    def close(self) -> None:
        self.http.close()


def new_agreement(line: Line, service: str, behaviour: str = "pays") -> str:
    """Somebody new who has opened the service."""
    person = line.must("POST", "sandbox/people", {"name": "艾达", "behaviour": behaviour})
    asked = line.must("POST", "agreements", {"service": service, "person_ref": person["ref"]})
    line.must("POST", f"sandbox/agreements/{asked['id']}/sign", {"person": person["id"]})
    return str(asked["id"])


@dataclass
class Client:
    """Opens an order, completes it, and begins again, until told to stop. A request nobody answered is not repeated."""

    line: Line
    agreements: list[str]
    pause: float = 0.0
    sent: list[Sent] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def start(self) -> None:
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self) -> None:
        turn = 0
        while not self.stopping.wait(self.pause):
            agreement, turn = self.agreements[turn % len(self.agreements)], turn + 1
            wish = {"agreement": agreement, "out_order_no": f"K-{uuid4().hex[:20]}", "title": "充电宝", "ceiling": 500}
            opened = self.post("orders", wish)
            if opened.good:
                self.post(f"orders/{opened.json()['id']}/complete", {"total": 1 + turn % 500})
            else:
                self.stopping.wait(0.05)

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        at, key = time.monotonic(), uuid4().hex
        answer = self.line.ask("POST", path, body, key)
        self.sent.append(Sent(at, path, body, key, answer))
        return answer

    def stop(self) -> None:
        self.stopping.set()
        if self.thread is not None:
            self.thread.join()
        self.line.close()


def statuses(sent: list[Sent]) -> dict[int, int]:
    """How many requests were answered how; 0 is no answer."""
    return dict(sorted(Counter(one.answer.status for one in sent).items()))
