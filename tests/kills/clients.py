"""A merchant's client over HTTP: it opens and completes orders one after the other, and records every request."""

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
class ApiResponse:
    status: int
    body: bytes
    replayed: bool = False

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class SentRequest:
    """A request with its idempotency key, and the response."""

    at: float
    path: str
    body: dict[str, Any]
    key: str
    answer: ApiResponse


class ApiConnection:
    """A connection to the API that reconnects when it breaks."""

    def __init__(self, port: int, secret: str) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self.headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}

    def request(self, method: str, path: str, body: Any = None, key: str = "") -> ApiResponse:
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        try:
            # A refusal may come before the body was read, and the line be closed: the answer is there all the same.
            with suppress(BrokenPipeError):
                self.http.request(method, f"/v1/{path}", None if body is None else json.dumps(body), headers)
            response = self.http.getresponse()
            return ApiResponse(response.status, response.read(), response.headers.get("Idempotent-Replayed") == "true")
        except (OSError, http.client.HTTPException):
            self.http.close()
            return ApiResponse(NO_ANSWER, b"")

    def request_ok(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a response that must be 2xx. Reconnects once, as the web closes idle connections."""
        answer = self.request(method, path, body)
        if answer.status == NO_ANSWER:
            answer = self.request(method, path, body)
        assert answer.good, answer
        return answer.json()

    def close(self) -> None:
        self.http.close()


def new_agreement(line: ApiConnection, service: str, behaviour: str = "pays") -> str:
    """A new person's signed agreement for the service."""
    person = line.request_ok("POST", "sandbox/people", {"name": "艾达", "behaviour": behaviour})
    agreement = line.request_ok("POST", "agreements", {"service": service, "person_ref": person["ref"]})
    line.request_ok("POST", f"sandbox/agreements/{agreement['id']}/sign", {"person": person["id"]})
    return str(agreement["id"])


@dataclass
class Client:
    """Opens and completes orders until it is stopped. It does not repeat unanswered requests."""

    line: ApiConnection
    agreements: list[str]
    pause: float = 0.0
    sent: list[SentRequest] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def start(self) -> None:
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self) -> None:
        turn = 0
        while not self.stopping.wait(self.pause):
            agreement, turn = self.agreements[turn % len(self.agreements)], turn + 1
            body = {"agreement": agreement, "out_order_no": f"K-{uuid4().hex[:20]}", "title": "充电宝", "ceiling": 500}
            opened = self.post("orders", body)
            if opened.good:
                self.post(f"orders/{opened.json()['id']}/complete", {"total": 1 + turn % 500})
            else:
                self.stopping.wait(0.05)

    def post(self, path: str, body: dict[str, Any]) -> ApiResponse:
        at, key = time.monotonic(), uuid4().hex
        answer = self.line.request("POST", path, body, key)
        self.sent.append(SentRequest(at, path, body, key, answer))
        return answer

    def stop(self) -> None:
        self.stopping.set()
        if self.thread is not None:
            self.thread.join()
        self.line.close()


def statuses(sent: list[SentRequest]) -> dict[int, int]:
    """The number of responses by status; 0 is no response."""
    return dict(sorted(Counter(one.answer.status for one in sent).items()))
