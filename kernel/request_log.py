"""Request ids, in the response header and on every log line, and one log line per API request."""

import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse

from kernel import rate_limits
from kernel.ids import uuid7
from kernel.log_context import tagged
from kernel.problems import CONTENT_TYPE, Internal, problem_response, to_refusal
from kernel.refusal import Malformed

API_PREFIX = "/v1/"
#: The version of the API, which every response under the prefix names.
API_VERSION = "2026-11-21"
#: Paths whose requests are logged here: those that programs call. The proxy logs people's page views.
LOGGED_PREFIXES = (API_PREFIX, "/channels/")
#: The form of a request id that a caller may supply.
REQUEST_ID_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{7,39}$"
_REQUEST_ID = re.compile(REQUEST_ID_PATTERN, re.ASCII)
log = structlog.get_logger("bnpl.request")


def choose_request_id(given: str | None) -> str:
    """The request id that the caller supplied, or a new one."""
    return given if given and _REQUEST_ID.fullmatch(given) else f"req_{uuid7().hex}"


class RequestLogMiddleware:
    """Assigns the request id, logs the request, and turns errors under /v1/ outside of views into problems too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        request_id = choose_request_id(request.META.get("HTTP_REQUEST_ID"))
        request.request_id = request_id  # type: ignore[attr-defined]
        with tagged(request_id=request_id):
            response = self.get_response(request)
            if request.path.startswith(API_PREFIX):
                response = add_rate_limit_headers(as_problem(response, request), request)
                response["Bnpl-Version"] = API_VERSION
            if request.path.startswith(LOGGED_PREFIXES):
                log_request(request, response, seconds=time.perf_counter() - started)
        response["Request-Id"] = request_id
        return response

    def process_view(self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        """Rate-limit by address the API views that do not rate-limit by API key."""
        if not request.path.startswith(API_PREFIX) or getattr(getattr(view, "cls", None), "counts_its_callers", False):
            return None
        try:
            rate_limits.enforce_rate_limit(request, "address", rate_limits.client_address(request))
        except rate_limits.RateLimited as refusal:
            return problem_response(refusal, request)
        return None

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        return problem_response(to_refusal(exc), request) if request.path.startswith(API_PREFIX) else None


def as_problem(response: HttpResponse, request: HttpRequest) -> HttpResponse:
    """Turn errors that Django itself answers, such as a disallowed host, into problems."""
    if response.status_code < HTTPStatus.BAD_REQUEST or response.get("Content-Type") == CONTENT_TYPE:
        return response
    return problem_response(
        Malformed() if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR else Internal(), request
    )


def add_rate_limit_headers(response: HttpResponse, request: HttpRequest) -> HttpResponse:
    """Add the rate limit headers. A request rejected before any rate limit counts against its address."""
    result: rate_limits.RateLimitResult | None = getattr(request, "rate_limit", None)
    if result is None:
        result = rate_limits.take_token(rate_limits.get_rate("address"), rate_limits.client_address(request))
    result.set_headers(response)
    return response


def log_request(request: HttpRequest, response: HttpResponse, *, seconds: float) -> None:
    """Log the request: caller, route and status. No text from the caller is logged, only their key's id."""
    match = request.resolver_match
    log.info(
        "request",
        method=request.method if request.method in _METHODS else "other",
        route=match.route if match else "",
        status=response.status_code,
        ms=round(seconds * 1000, 1),
        **getattr(request, "caller", {}),
    )


_METHODS = {"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"}
