"""Pages while the database or the broker is away: an honest 503 that says when to come back, not a fault of ours."""

from collections.abc import Callable

import redis
import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template import loader

from kernel.database_trouble import is_read_only

RETRY_AFTER_SECONDS = 2
AWAY = (OperationalError, InterfaceError, redis.RedisError)
log = structlog.get_logger(__name__)


class Unavailable:
    """Sign-in counts tries in the cache, and everything else asks the database: without them nothing was done."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, _request: HttpRequest, exc: Exception) -> HttpResponse | None:
        if not isinstance(exc, AWAY) and not is_read_only(exc):
            return None
        log.warning("page_unavailable", error=type(exc).__name__)
        page = loader.get_template("errors/503.html").render()
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
