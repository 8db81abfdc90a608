"""Sending webhooks: one POST to a checked address, and its outcome. Failures are outcomes, not exceptions.

The host name is resolved once, all of its addresses must be public, and the connection is made to one of them: a DNS
server that answers differently the next time (rebinding) cannot redirect it. Connections stay open for some seconds for
the next request to the same host. Redirects and proxies are not followed. Everything together, from resolving to the
last byte, takes at most ten seconds of real time.

All requests in flight wait on one thread (merchants.http_client).
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib import import_module

from django.conf import settings

from kernel.transactions import in_transaction
from merchants.resolver import DnsTimeoutError, Resolver, TooManyLookupsError
from merchants.rules.webhook_urls import AddressPolicy, Target, parse_webhook_url
from merchants.rules.webhooks import Outcome

TIMEOUT_SECONDS = 10.0
#: Of these for DNS: a resolver may ask a second server after the first was silent for five seconds.
DNS_TIMEOUT_SECONDS = 6.0
RESPONSE_MAX_BYTES = 64 * 1024
_resolver = Resolver()


class InsideTransactionError(RuntimeError):
    """A request was about to be sent inside a transaction, whose rollback could not undo it."""


class NotSentError(Exception):
    """Nothing was sent; the message is a code that says why."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A POST request: URL, headers and body."""

    url: str
    headers: Mapping[str, str]
    body: bytes


def address_policy() -> AddressPolicy:
    return AddressPolicy(ports=frozenset(settings.WEBHOOK_PORTS), allow_local=settings.WEBHOOKS_AT_HOME)


def resolve_url(url: str) -> tuple[Target, list[str]]:
    """Parse the URL and resolve its host to IP addresses, all of which are permitted.

    Raises:
        NotSentError: `forbidden_address` or `unknown_host`; `timeout` if DNS servers did not respond; `resolver_busy`
            if too many lookups are running.
    """
    target = parse_target(url)
    return target, resolve_host(target.host, target.port)


def parse_target(url: str) -> Target:
    """Parse the URL.

    Raises:
        NotSentError: `forbidden_address`.
    """
    target = parse_webhook_url(url, address_policy())
    if target is None:
        raise NotSentError("forbidden_address")
    return target


def resolve_host(host: str, port: int) -> list[str]:
    """Resolve a host name to IP addresses, all of which are permitted.

    Raises:
        NotSentError: see `resolve_url`.
    """
    try:
        addresses = _resolver.resolve(host, port, timeout=DNS_TIMEOUT_SECONDS)
    except DnsTimeoutError:
        raise NotSentError("timeout") from None
    except TooManyLookupsError:
        raise NotSentError("resolver_busy") from None
    except (OSError, UnicodeError):
        raise NotSentError("unknown_host") from None
    if not addresses or not all(map(address_policy().allows, addresses)):
        raise NotSentError("forbidden_address")
    return addresses


def post(request: WebhookRequest, *, now: Callable[[], datetime]) -> Outcome:
    """Send one request and wait for its outcome. `now` returns the real time, to which `Retry-After` may refer.

    Raises:
        InsideTransactionError: a transaction is open.
    """
    back = Future[Outcome]()
    post_all([request], now=now, on_done=lambda _place, outcome: back.set_result(outcome))
    return back.result()


def post_all(
    requests: Sequence[WebhookRequest], *, now: Callable[[], datetime], on_done: Callable[[int, Outcome], None]
) -> None:
    """Send requests without waiting: `on_done` is called in another thread with each one's index and outcome.

    Raises:
        InsideTransactionError: a transaction is open.
    """
    if in_transaction():
        raise InsideTransactionError
    client = import_module("merchants.http_client").get_client()  # imported only by processes that send
    client.post_all(requests, now, on_done)


def parse_retry_after(text: str, now: datetime) -> timedelta | None:
    """Parse `Retry-After`, in seconds or as a date; None if it is missing or invalid."""
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        then = parsedate_to_datetime(text)
        return max(timedelta(), (then if then.tzinfo else then.replace(tzinfo=UTC)) - now)
    except (ValueError, OverflowError):  # not a date, or out of range
        return None
