"""Whatever goes wrong becomes application/problem+json (RFC 9457): never HTML, never a trace."""

from typing import Any

import msgspec
import structlog
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DataError, Error, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import translation
from rest_framework import exceptions
from rest_framework.views import set_rollback

from kernel.database_trouble import is_read_only, said_first
from kernel.refusal import Busy, Malformed, NotFound, Refusal, TooLarge, Unavailable

CONTENT_TYPE = "application/problem+json"
TYPES = "/docs/errors#"
log = structlog.get_logger(__name__)


class Unauthenticated(Refusal):
    """No key, or one that opens nothing."""

    code, status, title = "unauthenticated", 401, "A valid API key is needed: Authorization: Bearer sk_…"


class MethodNotAllowed(Refusal):
    """The path exists and does not take this verb."""

    code, status, title = "method_not_allowed", 405, "This path does not take this method."


class UnknownVersion(Refusal):
    """The request pins a shape we never had."""

    code, status, title = "unknown_version", 400, "No such Bnpl-Version."


class Internal(Refusal):
    """A fault of ours. The request id finds it in the log."""

    code, status, title = "internal_error", 500, "Something went wrong on our side; nothing was changed."
    passing = True  # under the same key it is safe to ask again


def handle(exc: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's door for every exception of a view."""
    set_rollback()
    request = context["request"]
    response = problem(refusal_of(exc), request._request)  # noqa: SLF001  Django's own request
    if isinstance(exc, exceptions.MethodNotAllowed | MethodNotAllowed):
        response["Allow"] = ", ".join(context["view"].allowed_methods)
    return response


def refusal_of(exc: Exception) -> Refusal:
    """The refusal that says what this exception means to whoever asked."""
    if isinstance(exc, Refusal):
        return exc
    make = next((make for kinds, make in _MEANINGS if isinstance(exc, kinds)), Internal)
    if isinstance(exc, Error) and (make in (Unavailable, Busy) or is_read_only(exc)):
        log.warning("database_refused", error=type(exc).__name__, detail=said_first(exc)[:300])
        return Busy(retry_after=1) if make is Busy else Unavailable(retry_after=2)
    if make is Internal:
        log.error("unhandled", exc_info=exc)
    return make()


_MEANINGS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[Refusal]], ...] = (
    ((exceptions.NotAuthenticated, exceptions.AuthenticationFailed), Unauthenticated),
    ((Http404, exceptions.NotFound), NotFound),
    (exceptions.MethodNotAllowed, MethodNotAllowed),
    (RequestDataTooBig, TooLarge),
    ((SuspiciousOperation, exceptions.ParseError, exceptions.UnsupportedMediaType, DataError), Malformed),
    (IntegrityError, Busy),
    ((OperationalError, InterfaceError), Unavailable),
)


def problem(refusal: Refusal, request: HttpRequest) -> HttpResponse:
    """The answer that carries this refusal, in English: programs read `code`, developers `detail`."""
    body = problem_bytes(refusal, getattr(request, "request_id", ""))
    response = HttpResponse(body, status=refusal.status, content_type=CONTENT_TYPE)
    if refusal.retry_after is not None:
        response["Retry-After"] = str(refusal.retry_after)
    if refusal.status == Unauthenticated.status:
        response["WWW-Authenticate"] = 'Bearer realm="bnpl"'
    return response


def problem_bytes(refusal: Refusal, request_id: str) -> bytes:
    """The refusal's words."""
    with translation.override("en"):
        body: dict[str, Any] = {
            "type": f"{TYPES}{refusal.code}",
            "title": str(refusal.title),
            "status": refusal.status,
            "detail": str(refusal.detail),
            "code": refusal.code,
            "errors": [{"pointer": e.pointer, "detail": str(e.detail)} for e in refusal.told],
            "request_id": request_id,
        }
        if refusal.reason is not None:
            body["reason"] = refusal.reason
    return msgspec.json.encode(body)
