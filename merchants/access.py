"""The base class of merchant API views: authentication by API key, scopes, rate limits and idempotency."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse
from rest_framework.views import APIView

from kernel import clock, idempotency, ids, rate_limits, wire
from kernel.actor import Actor
from kernel.log_context import tagged
from kernel.problems import MethodNotAllowed, Unauthenticated, UnknownVersion, problem_response
from kernel.refusal import FieldError, Invalid, NotFound, Refusal
from kernel.request_log import API_VERSION
from kernel.wire import Wire
from merchants import queries
from merchants.rules import Scope
from merchants.services.api_keys import record_key_use

#: The scheme is not case-sensitive; the key is.
_BEARER = re.compile(r"(?i:Bearer) (sk_(?:test|live)_[A-Za-z0-9_-]{43})")


class InsufficientScope(Refusal):
    """The key is valid but lacks the scope for this."""

    code, status, title = "insufficient_scope", 403, "This API key lacks the required scope."


class SandboxKeyRequired(Refusal):
    """The endpoint exists in the sandbox only, and was called with a live key."""

    code, status, title = "sandbox_only", 403, "This works with a test key only."


class MerchantView(APIView):
    """A view of the merchant API. `scopes` maps each method to the scope it requires."""

    authentication_classes = ()
    permission_classes = ()
    http_method_names = ["get", "head", "post", "patch", "delete"]
    scopes: ClassVar[dict[str, Scope]] = {}
    sandbox_only: ClassVar[bool] = False
    #: Requests are limited by key here, so kernel.request_log need not limit them by IP address.
    counts_its_callers: ClassVar[bool] = True
    #: POST calls external systems, so its response is saved after its transactions, not inside one.
    calls_external: ClassVar[bool] = False

    caller: queries.ApiCaller
    #: The request under its Idempotency-Key, if it has one and `calls_external`.
    idempotency_request: idempotency.IdempotentRequest | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.args, self.kwargs = args, kwargs
        self.request = api_request = self.initialize_request(request, *args, **kwargs)
        method = (request.method or "").lower()
        method = "get" if method == "head" else method  # the server leaves the body out
        try:
            handler = self._authorize(method)
            _reject_unexpected_query(request, handler)
            with tagged(merchant=self.caller.merchant.public_id):
                response = self._respond(method, lambda: handler(api_request, *args, **kwargs))
        except Exception as exc:  # noqa: BLE001  every error becomes a problem response
            response = self.handle_exception(exc)
        response["Cache-Control"] = "no-store"
        return response

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]
        response: HttpResponse = self.get_exception_handler()(exc, self.get_exception_handler_context())
        return response

    @property
    def merchant_id(self) -> UUID:
        return self.caller.merchant.id

    @property
    def actor(self) -> Actor:
        return Actor.merchant(self.caller.key.id)

    def now(self) -> datetime:
        """The merchant's time: real, or that of its sandbox clock."""
        return clock.now_in(self.caller.merchant.realm)

    def parse_id(self, prefix: str, text: str) -> UUID:
        """Parse a public id with this prefix.

        Raises:
            NotFound: it is malformed, which looks the same as missing.
        """
        key = ids.parse(prefix, text)
        if key is None:
            raise NotFound
        return key

    def refusal_response(self, refusal: Refusal) -> HttpResponse:
        """The response for a refusal, where the decision must be committed instead of rolled back by an exception."""
        return problem_response(refusal, self.request._request)  # noqa: SLF001  Django's own

    def save_provisional_response(self, build_response: Callable[[], HttpResponse]) -> None:
        """Save a preliminary response under the Idempotency-Key, in the transaction before an external call.

        Retries get it if the process dies during the call. Does nothing without a key.

        Raises:
            StillRunning: another request has taken over the key meanwhile.
        """
        if self.idempotency_request is not None:
            idempotency.save_provisional_answer(self.idempotency_request, build_response())

    def _authorize(self, method: str) -> Callable[..., HttpResponse]:
        """Authenticate the caller, apply rate limits, and return the method's handler if the scopes permit it."""
        request: HttpRequest = self.request._request  # noqa: SLF001  Django's own
        credentials = _BEARER.fullmatch(request.META.get("HTTP_AUTHORIZATION", ""))
        caller = queries.find_caller(credentials[1]) if credentials else None
        if caller is None:
            rate_limits.enforce_rate_limit(request, "address", rate_limits.client_address(request))
            raise Unauthenticated
        self.caller = caller
        request.caller = {"merchant": caller.merchant.public_id, "key": caller.key.public_id}  # type: ignore[attr-defined]
        rate_limits.enforce_rate_limit(request, "read" if method == "get" else "write", caller.key.id.hex)
        handler: Callable[..., HttpResponse] | None = getattr(self, method, None)
        if method not in self.http_method_names or handler is None:
            raise MethodNotAllowed
        if self.sandbox_only and caller.merchant.mode != "test":
            raise SandboxKeyRequired
        if not caller.key.has_scope(self.scopes[method]):
            raise InsufficientScope(f"This needs the scope {self.scopes[method].value}.")
        record_key_use(caller.key, now=clock.live_now())
        if self.request.META.get("HTTP_BNPL_VERSION", API_VERSION) != API_VERSION:
            raise UnknownVersion(f"Bnpl-Version must be {API_VERSION}.")
        return handler

    def _respond(self, method: str, handle: Callable[[], HttpResponse]) -> HttpResponse:
        key = self.request.META.get("HTTP_IDEMPOTENCY_KEY")
        if method != "post" or key is None:
            return handle()
        keyed_request = idempotency.IdempotentRequest(
            self.merchant_id, key, self.request.path, wire.read_bytes(self.request)
        )
        if not self.calls_external:
            return idempotency.run_once(keyed_request, handle, self.refusal_response)
        self.idempotency_request = keyed_request
        return idempotency.run_once_external(keyed_request, handle, self.refusal_response)


def _reject_unexpected_query(request: HttpRequest, handler: Callable[..., HttpResponse]) -> None:
    """Refuse query parameters for handlers that have none: a misspelt parameter must not be ignored silently.

    Raises:
        Invalid: there are query parameters.
    """
    if request.GET and getattr(handler, "query", None) is None:
        raise Invalid(errors=[FieldError(f"?{name}", "not a name of this query") for name in request.GET])


def json_response(data: Wire, *, status: int = 200) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(data), status=status, content_type="application/json")
