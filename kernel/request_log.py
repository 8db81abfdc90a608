"""One name for each request: in the answer's header, in every log line, in what it starts; and one line about each."""

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
from kernel.problems import CONTENT_TYPE, Internal, problem, refusal_of
from kernel.refusal import Malformed

API = "/v1/"
#: Where programs knock. A line is written about each; people's pages are told of by the proxy, if anybody wants it.
DOORS = (API, "/channels/")
#: A caller may bring a name of their own for the request, if it is a word and not a sentence.
NAME_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{7,39}$"
_NAME = re.compile(NAME_PATTERN, re.ASCII)
log = structlog.get_logger("bnpl.request")


def name_of(request: HttpRequest) -> str:
    """The name a caller gave the request, or a new one."""
    given = request.META.get("HTTP_REQUEST_ID", "")
    return given if _NAME.fullmatch(given) else f"req_{uuid7().hex}"


class RequestId:
    """Names the request, and sees that whatever fails under /v1/ before a view is reached fails as a problem too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        request_id = name_of(request)
        request.request_id = request_id  # type: ignore[attr-defined]
        with tagged(request_id=request_id):
            response = self.get_response(request)
            if request.path.startswith(API):
                response = limited(shaped(response, request), request)
            if request.path.startswith(DOORS):
                tell(request, response, seconds=time.perf_counter() - began)
        response["Request-Id"] = request_id
        return response

    def process_view(self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        """Doors that know their callers count them by their keys; at the others an address is all there is."""
        if not request.path.startswith(API) or getattr(getattr(view, "cls", None), "counts_its_callers", False):
            return None
        try:
            rate_limits.charge(request, "address", rate_limits.address_of(request))
        except rate_limits.RateLimited as refusal:
            return problem(refusal, request)
        return None

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        return problem(refusal_of(exc), request) if request.path.startswith(API) else None


def shaped(response: HttpResponse, request: HttpRequest) -> HttpResponse:
    """What Django refused by itself, such as a foreign host, takes the shape of every other refusal."""
    if response.status_code < HTTPStatus.BAD_REQUEST or response.get("Content-Type") == CONTENT_TYPE:
        return response
    return problem(Malformed() if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR else Internal(), request)


def limited(response: HttpResponse, request: HttpRequest) -> HttpResponse:
    """The answer with what is left to this caller. One that no door counted was refused at the gate: its address is."""
    taken: rate_limits.Taken | None = getattr(request, "taken", None)
    if taken is None:
        taken = rate_limits.take(rate_limits.rate("address"), rate_limits.address_of(request))
    taken.show(response)
    return response


def tell(request: HttpRequest, response: HttpResponse, *, seconds: float) -> None:
    """One line: who asked for what, and what came of it. Nothing a caller wrote stands in it, but a key's own id."""
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
