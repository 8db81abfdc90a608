"""Where a merchant's key is met: who is calling, what the key may do, and once-only answers."""

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
from kernel.problems import MethodNotAllowed, Unauthenticated, UnknownVersion, problem
from kernel.refusal import FieldError, Invalid, NotFound, Refusal
from kernel.wire import Wire
from merchants import queries
from merchants.rules import Scope
from merchants.services.tenant import note_use

VERSION = "2026-11-21"
#: The word is written in any case; the key is not.
_BEARER = re.compile(r"(?i:Bearer) (sk_(?:test|live)_[A-Za-z0-9_-]{43})")


class NotAllowed(Refusal):
    """The key is good, and may not do this."""

    code, status, title = "insufficient_scope", 403, "This API key lacks the required scope."


class WrongMode(Refusal):
    """The sandbox's tools exist in the sandbox only."""

    code, status, title = "sandbox_only", 403, "This works with a test key only."


class MerchantView(APIView):
    """A door of the merchant API. `scopes` says what each method needs."""

    authentication_classes = ()
    permission_classes = ()
    http_method_names = ["get", "head", "post", "patch", "delete"]
    scopes: ClassVar[dict[str, Scope]] = {}
    sandbox_only: ClassVar[bool] = False
    #: By their keys: kernel.request_log need not count addresses.
    counts_its_callers: ClassVar[bool] = True
    #: The verb calls the outside world, so its answer is kept after its transactions, not inside one.
    calls_outside: ClassVar[bool] = False

    caller: queries.Caller
    #: What the request's key stands for, if it has one.
    under: idempotency.Request | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.args, self.kwargs = args, kwargs
        self.request = asked = self.initialize_request(request, *args, **kwargs)
        method = (request.method or "").lower()
        method = "get" if method == "head" else method  # whoever sends the answer leaves its body out
        try:
            handler = self._admitted(method)
            _takes_no_other_query(request, handler)
            with tagged(merchant=self.caller.merchant.public_id):
                response = self._answered(method, lambda: handler(asked, *args, **kwargs))
        except Exception as exc:  # noqa: BLE001  every way to fail becomes a problem
            response = self.handle_exception(exc)
        response["Bnpl-Version"] = VERSION
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
        """What time it is for this merchant: real, or its sandbox's own."""
        return clock.now_in(self.caller.merchant.realm)

    def named(self, prefix: str, text: str) -> UUID:
        """The key behind a public id.

        Raises:
            NotFound: it is not one of ours, which looks the same as missing.
        """
        key = ids.parse(prefix, text)
        if key is None:
            raise NotFound
        return key

    def refused(self, refusal: Refusal) -> HttpResponse:
        """A refusal as an answer, where what was decided must stay on record instead of being rolled back."""
        return problem(refusal, self.request._request)  # noqa: SLF001  Django's own

    def begun(self, shown: Callable[[], HttpResponse]) -> None:
        """In the transaction of what a verb does that calls the outside world after it: the answer under the key from
        then on, should nobody come back to say more. Without a key nobody asks for it.

        Raises:
            StillRunning: the key is somebody else's by now, who has begun.
        """
        if self.under is not None:
            idempotency.begin(self.under, shown())

    def _admitted(self, method: str) -> Callable[..., HttpResponse]:
        """The method's handler, if this caller may use it."""
        asked: HttpRequest = self.request._request  # noqa: SLF001  Django's own
        given = _BEARER.fullmatch(asked.META.get("HTTP_AUTHORIZATION", ""))
        caller = queries.caller_of(given[1]) if given else None
        if caller is None:
            rate_limits.charge(asked, "address", rate_limits.address_of(asked))
            raise Unauthenticated
        self.caller = caller
        asked.caller = {"merchant": caller.merchant.public_id, "key": caller.key.public_id}  # type: ignore[attr-defined]
        rate_limits.charge(asked, "read" if method == "get" else "write", caller.key.id.hex)
        handler: Callable[..., HttpResponse] | None = getattr(self, method, None)
        if method not in self.http_method_names or handler is None:
            raise MethodNotAllowed
        if self.sandbox_only and caller.merchant.mode != "test":
            raise WrongMode
        if not caller.key.may(self.scopes[method]):
            raise NotAllowed(f"This needs the scope {self.scopes[method].value}.")
        note_use(caller.key, real=clock.live_now())
        if self.request.META.get("HTTP_BNPL_VERSION", VERSION) != VERSION:
            raise UnknownVersion(f"Bnpl-Version must be {VERSION}.")
        return handler

    def _answered(self, method: str, act: Callable[[], HttpResponse]) -> HttpResponse:
        key = self.request.META.get("HTTP_IDEMPOTENCY_KEY")
        if method != "post" or key is None:
            return act()
        asked = idempotency.Request(self.merchant_id, key, self.request.path, wire.read_bytes(self.request))
        if not self.calls_outside:
            return idempotency.once(asked, act, self.refused)
        self.under = asked
        return idempotency.once_outside(asked, act, self.refused)


def _takes_no_other_query(request: HttpRequest, handler: Callable[..., HttpResponse]) -> None:
    """What has no query is asked with none: a misspelt name that was ignored would be taken for one that counted.

    Raises:
        Invalid: it was asked with one.
    """
    if request.GET and getattr(handler, "query", None) is None:
        raise Invalid(errors=[FieldError(f"?{name}", "not a name of this query") for name in request.GET])


def answer(data: Wire, *, status: int = 200) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(data), status=status, content_type="application/json")
