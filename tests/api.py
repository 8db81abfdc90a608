"""A client of the merchant API over Django's test client, as strict as a real connection."""

import json
import re
from typing import Any
from uuid import uuid4

from django.test import Client

from tests.conftest import Shop

PROBLEM = "application/problem+json"
HAN = re.compile("[\u3400-\u9fff]")
PROBLEM_KEYS = {"type", "title", "status", "detail", "code", "errors", "request_id"}


class Api:
    """Calls /v1/ with a shop's secret. A body of bytes is sent as it is, anything else as JSON."""

    def __init__(self, shop: Shop | None = None, *, secret: str = "") -> None:
        # Django's client skips CSRF checks by default, a real server does not.
        self.client = Client(enforce_csrf_checks=True)
        self.secret = shop.secret if shop else secret

    def call(self, method: str, path: str, body: Any = None, **headers: Any) -> Any:
        kind = headers.pop("content_type", "application/json")
        given = {"HTTP_AUTHORIZATION": f"Bearer {self.secret}"} | headers
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {name: value for name, value in given.items() if value is not None}
        return self.client.generic(method, f"/v1/{path}", data, content_type=kind, **sent)

    def post(self, path: str, body: Any = None, **headers: Any) -> Any:
        return self.call("POST", path, {} if body is None else body, **headers)

    def patch(self, path: str, body: Any = None, **headers: Any) -> Any:
        return self.call("PATCH", path, {} if body is None else body, **headers)

    def get(self, path: str, **headers: Any) -> Any:
        return self.call("GET", path, **headers)

    def person(self, behaviour: str = "pays", **script: Any) -> dict[str, Any]:
        """A scripted person of this shop's sandbox."""
        made = self.post("sandbox/people", {"name": "艾达", "behaviour": behaviour} | script)
        assert made.status_code == 201, made.content
        return dict(made.json())

    def agreement(self, service: str, person: dict[str, Any] | None = None) -> str:
        """An agreement that the person has signed."""
        person = person or self.person()
        asked = self.post("agreements", {"service": service, "person_ref": person["ref"]}).json()
        signed = self.post(f"sandbox/agreements/{asked['id']}/sign", {"person": person["id"]})
        assert signed.json()["state"] == "active", signed.content
        return str(asked["id"])

    def order(self, agreement: str, **wish: Any) -> dict[str, Any]:
        """An order that was opened."""
        made = self.post("orders", order_body(agreement, **wish))
        assert made.status_code == 201, made.content
        return dict(made.json())


def order_body(agreement: str, **wish: Any) -> dict[str, Any]:
    """The minimal body to create an order, with a unique number."""
    return {"agreement": agreement, "out_order_no": f"N-{uuid4().hex[:20]}", "title": "共享充电宝"} | wish


def idempotency_header(name: str) -> dict[str, str]:
    """The Idempotency-Key header."""
    return {"HTTP_IDEMPOTENCY_KEY": name}


def assert_problem(response: Any, status: int, code: str | None = None) -> dict[str, Any]:
    """Assert that the response is a problem document with this status and code. Returns its body."""
    assert response.status_code == status, (response.status_code, response.content[:500])
    assert response["Content-Type"] == PROBLEM
    body = json.loads(response.content)
    assert set(body) - {"reason"} == PROBLEM_KEYS
    assert body["status"] == status
    assert body["type"] == f"/docs/errors#{body['code']}"
    assert body["title"]
    assert body["detail"]
    assert not HAN.search(body["title"] + body["detail"]), "programs and developers are spoken to in English"
    assert body["request_id"] == response["Request-Id"]
    assert body["request_id"].startswith("req_")
    assert code is None or body["code"] == code, body
    return dict(body)
