"""Turns every error of the API into application/problem+json (RFC 9457): never HTML, never a traceback."""

from typing import Any

import msgspec
import structlog
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DataError, Error, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import translation
from rest_framework import exceptions
from rest_framework.views import set_rollback

from kernel.database_errors import is_read_only, primary_message
from kernel.refusal import Busy, Malformed, NotFound, Refusal, TooLarge, Unavailable

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "/docs/errors#"
log = structlog.get_logger(__name__)


class Unauthenticated(Refusal):
    """The API key is missing or not valid."""

    code, status, title = "unauthenticated", 401, "A valid API key is needed: Authorization: Bearer sk_…"


class MethodNotAllowed(Refusal):
    """The path exists but does not accept this method."""

    code, status, title = "method_not_allowed", 405, "This path does not take this method."


class UnknownVersion(Refusal):
    """The request names an API version that does not exist."""

    code, status, title = "unknown_version", 400, "No such Bnpl-Version."


class Internal(Refusal):
    """An unexpected error on our side. The request id leads to it in the log."""

    code, status, title = "internal_error", 500, "Something went wrong on our side; nothing was changed."
    is_transient = True  # safe to retry with the same idempotency key


def exception_handler(exc: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's exception handler."""
    set_rollback()
    request = context["request"]
    response = problem_response(to_refusal(exc), request._request)  # noqa: SLF001  Django's own request
    if isinstance(exc, exceptions.MethodNotAllowed | MethodNotAllowed):
        response["Allow"] = ", ".join(context["view"].allowed_methods)
    return response


def to_refusal(exc: Exception) -> Refusal:
    """The refusal to answer for this exception; logs unexpected ones."""
    if isinstance(exc, Refusal):
        return exc
    refusal_class = next((make for kinds, make in _REFUSALS_BY_EXCEPTION if isinstance(exc, kinds)), Internal)
    if isinstance(exc, Error) and (refusal_class in (Unavailable, Busy) or is_read_only(exc)):
        log.warning("database_refused", error=type(exc).__name__, detail=primary_message(exc)[:300])
        return Busy(retry_after=1) if refusal_class is Busy else Unavailable(retry_after=2)
    if refusal_class is Internal:
        log.error("unhandled", exc_info=exc)
    return refusal_class()


_REFUSALS_BY_EXCEPTION: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[Refusal]], ...] = (
    ((exceptions.NotAuthenticated, exceptions.AuthenticationFailed), Unauthenticated),
    ((Http404, exceptions.NotFound), NotFound),
    (exceptions.MethodNotAllowed, MethodNotAllowed),
    (RequestDataTooBig, TooLarge),
    ((SuspiciousOperation, exceptions.ParseError, exceptions.UnsupportedMediaType, DataError), Malformed),
    (IntegrityError, Busy),
    ((OperationalError, InterfaceError), Unavailable),
)


def problem_response(refusal: Refusal, request: HttpRequest) -> HttpResponse:
    """The refusal as an HTTP response, in English: programs read `code`, developers `detail`."""
    body = problem_json(refusal, getattr(request, "request_id", ""))
    response = HttpResponse(body, status=refusal.status, content_type=CONTENT_TYPE)
    if refusal.retry_after is not None:
        response["Retry-After"] = str(refusal.retry_after)
    if refusal.status == Unauthenticated.status:
        response["WWW-Authenticate"] = 'Bearer realm="bnpl"'
    return response


def problem_json(refusal: Refusal, request_id: str) -> bytes:
    """The body of the response."""
    with translation.override("en"):
        body: dict[str, Any] = {
            "type": f"{TYPE_PREFIX}{refusal.code}",
            "title": str(refusal.title),
            "status": refusal.status,
            "detail": str(refusal.detail),
            "code": refusal.code,
            "errors": [{"pointer": e.pointer, "detail": str(e.detail)} for e in refusal.field_errors],
            "request_id": request_id,
        }
        if refusal.reason is not None:
            body["reason"] = refusal.reason
    return msgspec.json.encode(body)
