"""The way out of the house: one POST to an address that was looked at, and what came back. Nothing is raised.

The host name is resolved once, each of its addresses must be a public one, and the connection is made to that very
address: a name that answers differently the next time leads nowhere else. A line stays open for some seconds, for the
next parcel to the same door. No redirect is followed, no proxy asked. Everything together, from the first question to
the last byte, takes at most ten seconds of real time.

All that is under way waits on one thread (merchants.client), however much that is.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib import import_module

from django.conf import settings

from kernel.transactions import in_transaction
from merchants.resolver import NoAnswerError, Resolver, ResolverBusyError
from merchants.rules.addresses import Policy, Target, target_of
from merchants.rules.webhooks import Outcome

BUDGET_SECONDS = 10.0
#: Of them for the host's name: a resolver may ask a second server when its first says nothing for five.
NAME_SECONDS = 6.0
ANSWER_MAX = 64 * 1024
_resolver = Resolver()


class InsideTransactionError(RuntimeError):
    """Something was about to be sent while a transaction was open: its rollback could not call it back."""


class NotSentError(Exception):
    """Why nothing could be sent, in one word."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent where."""

    url: str
    headers: Mapping[str, str]
    body: bytes


def policy() -> Policy:
    return Policy(ports=frozenset(settings.WEBHOOK_PORTS), at_home=settings.WEBHOOKS_AT_HOME)


def look_up(url: str) -> tuple[Target, list[str]]:
    """Where the URL leads now, and the addresses it may be connected to by: each was looked at.

    Raises:
        NotSentError: `forbidden_address` or `unknown_host`; `timeout` when the name's servers kept silent, and
            `resolver_busy` when too many names are being asked for.
    """
    target = plain_target(url)
    return target, addresses_of(target.host, target.port)


def plain_target(url: str) -> Target:
    """Where the URL leads.

    Raises:
        NotSentError: `forbidden_address`.
    """
    target = target_of(url, policy())
    if target is None:
        raise NotSentError("forbidden_address")
    return target


def addresses_of(host: str, port: int) -> list[str]:
    """What the name means now; all of it may be connected to.

    Raises:
        NotSentError: as `look_up`.
    """
    try:
        addresses = _resolver.addresses(host, port, seconds=NAME_SECONDS)
    except NoAnswerError:
        raise NotSentError("timeout") from None
    except ResolverBusyError:
        raise NotSentError("resolver_busy") from None
    except (OSError, UnicodeError):
        raise NotSentError("unknown_host") from None
    if not addresses or not all(map(policy().lets, addresses)):
        raise NotSentError("forbidden_address")
    return addresses


def post(parcel: Parcel, *, real: Callable[[], datetime]) -> Outcome:
    """Send it, once, and wait for what comes back. `real` tells the real time, to which a `Retry-After` may refer.

    Raises:
        InsideTransactionError: a transaction is open.
    """
    back = Future[Outcome]()
    begin([parcel], real=real, told=lambda _place, outcome: back.set_result(outcome))
    return back.result()


def begin(parcels: Sequence[Parcel], *, real: Callable[[], datetime], told: Callable[[int, Outcome], None]) -> None:
    """Send them, each once, and wait for none: `told` hears of each by its place as it ends, in another thread.

    Raises:
        InsideTransactionError: a transaction is open.
    """
    if in_transaction():
        raise InsideTransactionError
    client = import_module("merchants.client").running()  # who sends nothing does without it
    client.begin(parcels, real, told)


def asked_for(text: str, real: datetime) -> timedelta | None:
    """`Retry-After`, in seconds or as a date; None where there is none that can be read."""
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        then = parsedate_to_datetime(text)
        return max(timedelta(), (then if then.tzinfo else then.replace(tzinfo=UTC)) - real)
    except (ValueError, OverflowError):  # no date, or one that no calendar has
        return None
