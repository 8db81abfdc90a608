"""Pages while the database or the broker is unavailable: a 503 that says when to retry, instead of a 500."""

from collections.abc import Callable

import redis
import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template import loader

from kernel.database_errors import is_read_only

RETRY_AFTER_SECONDS = 2
UNAVAILABLE_ERRORS = (OperationalError, InterfaceError, redis.RedisError)
log = structlog.get_logger(__name__)


class UnavailableMiddleware:
    """Turns errors of the database and of the cache into a 503 page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, _request: HttpRequest, exc: Exception) -> HttpResponse | None:
        if not isinstance(exc, UNAVAILABLE_ERRORS) and not is_read_only(exc):
            return None
        log.warning("page_unavailable", error=type(exc).__name__)
        page = loader.get_template("errors/503.html").render()
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
