"""One name for each request: in the answer's header, in every log line, in what it starts."""

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from kernel.ids import uuid7
from kernel.problems import problem, refusal_of

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
        response["Request-Id"] = request_id
        return response

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        return problem(refusal_of(exc), request) if request.path.startswith(API) else None
