"""One name for each request: in the answer's header, in every log line, in what it starts."""

from collections.abc import Callable
from http import HTTPStatus

import structlog
from django.http import HttpRequest, HttpResponse

from kernel.ids import uuid7
from kernel.problems import CONTENT_TYPE, Internal, problem, refusal_of
from kernel.refusal import Malformed

API = "/v1/"


class RequestId:
    """Names the request, and sees that whatever fails under /v1/ before a view is reached fails as a problem too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = f"req_{uuid7().hex}"
        request.request_id = request_id  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
            if request.path.startswith(API):
                response = shaped(response, request)
        response["Request-Id"] = request_id
        return response

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        return problem(refusal_of(exc), request) if request.path.startswith(API) else None


def shaped(response: HttpResponse, request: HttpRequest) -> HttpResponse:
    """What Django refused by itself, such as a foreign host, takes the shape of every other refusal."""
    if response.status_code < HTTPStatus.BAD_REQUEST or response.get("Content-Type") == CONTENT_TYPE:
        return response
    return problem(Malformed() if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR else Internal(), request)
