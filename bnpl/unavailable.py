"""Pages while the database or the broker is unavailable: a 503 that says when to retry, instead of a 500."""

from collections.abc import Callable

import redis
import structlog
from django.db import Error, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template import loader
from django.views import defaults

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
        return unavailable_page(exc)


def unavailable_page(exc: Exception) -> HttpResponse | None:
    """The 503 page, if this is an error of the database or of the cache."""
    if not isinstance(exc, UNAVAILABLE_ERRORS) and not is_read_only(exc):
        return None
    log.warning("page_unavailable", error=type(exc).__name__)
    page = loader.get_template("errors/503.html").render()
    return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """The 403 page."""
    return _error_page(defaults.permission_denied, request, exception, "errors/403.html")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """The 404 page."""
    return _error_page(defaults.page_not_found, request, exception, "errors/404.html")


def _error_page(
    view: Callable[..., HttpResponseBase], request: HttpRequest, exception: Exception, template: str
) -> HttpResponseBase:
    """An error page, which reads who is signed in; the 503 page if that fails. No middleware sees its exceptions."""
    try:
        return view(request, exception, template_name=template)
    except (Error, redis.RedisError) as exc:
        if (page := unavailable_page(exc)) is None:
            raise
        return page
