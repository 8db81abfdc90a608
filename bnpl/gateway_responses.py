"""What the gateway answers itself, without Django: liveness, and refusals."""

from http import HTTPStatus
from typing import Any, NamedTuple

from django.template import loader

from kernel.problems import problem_json
from kernel.refusal import LengthRequired, Malformed, Refusal, TooLarge, TooSlow
from kernel.request_log import API_PREFIX, API_VERSION, LOGGED_PREFIXES, choose_request_id

Headers = list[tuple[str, str]]


class GatewayResponse(NamedTuple):
    status: int
    headers: Headers
    body: Any


class UnreadableHeader(Malformed):
    """A header holds bytes that are not ASCII. Skipped, it might have been the Idempotency-Key."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The header {name} holds bytes that are not ASCII.")
        self.name = name


def liveness_response() -> GatewayResponse:
    """The same response as Django's at this path (bnpl.health)."""
    return GatewayResponse(
        HTTPStatus.OK, [("Content-Type", "application/json"), ("Cache-Control", "no-store")], b'{"alive": true}'
    )


def refusal_response(refusal: Refusal, path: str, request_id: str | None = None) -> GatewayResponse:
    """A refusal as problem JSON for API clients and as an HTML page for browsers."""
    request_id = choose_request_id(request_id)
    headers = [("Request-Id", request_id), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
    if refusal.retry_after is not None:
        headers.append(("Retry-After", str(refusal.retry_after)))
    if isinstance(refusal, TooSlow | TooLarge | LengthRequired):
        headers.append(("Connection", "close"))
    if path.startswith(API_PREFIX):
        headers.append(("Bnpl-Version", API_VERSION))
    if path.startswith(LOGGED_PREFIXES):
        kind, body = "application/problem+json", problem_json(refusal, request_id)
    else:
        name = "errors/503.html" if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "errors/400.html"
        context = {"has_unreadable_cookie": isinstance(refusal, UnreadableHeader) and refusal.name == "cookie"}
        kind, body = "text/html; charset=utf-8", loader.get_template(name).render(context).encode()
    return GatewayResponse(refusal.status, [("Content-Type", kind), *headers], body)
