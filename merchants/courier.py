"""The way out of the house: one POST to an address that was looked at, and what came back. Nothing is raised.

The host name is resolved once, each of its addresses must be a public one, and the connection is made to that very
address: a name that answers differently the next time leads nowhere else. A line stays open for some seconds, for the
next parcel to the same door (merchants.lines). No redirect is followed, no proxy asked.
Everything together, from the first question to the last byte, takes at most ten seconds of real time.
"""

import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.client import HTTPException

import structlog
from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_ import create_urllib3_context

from kernel.transactions import in_transaction
from merchants.lines import LINES, Door
from merchants.resolver import NoAnswerError, Resolver, ResolverBusyError
from merchants.rules.addresses import Policy, Target, target_of
from merchants.rules.webhooks import Outcome, excerpt
from merchants.watchman import Line, Watchman

log = structlog.get_logger(__name__)
BUDGET_SECONDS = 10.0
#: Of them for the host's name: a resolver may ask a second server when its first says nothing for five.
NAME_SECONDS = 6.0
ANSWER_MAX = 64 * 1024
_CHUNK = 8 * 1024
_ADDRESSES_MAX = 4
_watchman = Watchman()
_resolver = Resolver()


class InsideTransactionError(RuntimeError):
    """Something was about to be sent while a transaction was open: its rollback could not call it back."""


class HungUpError(Exception):
    """Over a line that was kept nobody answered any more: what was asked is asked once more, over another."""


class NotSentError(Exception):
    """Why nothing could be sent, in one word."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent where."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Deadline:
    """When it has taken long enough: the line is cut, whatever it waits for."""

    until: float = field(default_factory=lambda: time.monotonic() + BUDGET_SECONDS)
    cut: bool = False

    @property
    def left(self) -> float:
        """Seconds.

        Raises:
            NotSentError: there are none.
        """
        left = self.until - time.monotonic()
        if left <= 0:
            raise NotSentError("timeout")
        return left

    @contextmanager
    def over(self, line: socket.socket) -> Iterator[None]:
        """Whatever is sent over the line or comes back on it does so until then."""
        with socket.socket(fileno=os.dup(line.fileno())) as twin, _watchman.over(Line(self.until, twin, self._cut)):
            yield

    def _cut(self) -> None:
        self.cut = True


def policy() -> Policy:
    return Policy(ports=frozenset(settings.WEBHOOK_PORTS), at_home=settings.WEBHOOKS_AT_HOME)


def look_up(url: str, deadline: Deadline | None = None) -> tuple[Target, list[str]]:
    """Where the URL leads now, and the addresses it may be connected to by: each was looked at.

    Raises:
        NotSentError: `forbidden_address` or `unknown_host`; `timeout` when the name's servers kept silent, and
            `resolver_busy` when too many names are being asked for.
    """
    target = _target_of(url)
    return target, _addresses_of(target, deadline or Deadline())


def _target_of(url: str) -> Target:
    target = target_of(url, policy())
    if target is None:
        raise NotSentError("forbidden_address")
    return target


def _addresses_of(target: Target, deadline: Deadline) -> list[str]:
    seconds = min(NAME_SECONDS, deadline.left)
    try:
        addresses = _resolver.addresses(target.host, target.port, seconds=seconds)
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
    """Send it, once. `real` tells the real time, to which a `Retry-After` may refer.

    Raises:
        InsideTransactionError: a transaction is open.
    """
    if in_transaction():
        raise InsideTransactionError
    began, deadline = time.monotonic(), Deadline()
    try:
        status, raw, retry_after = _exchange(parcel, deadline)
        return Outcome(status, _since(began), "", excerpt(raw), _asked_for(retry_after, real()))
    except NotSentError as why:
        return Outcome(None, _since(began), str(why))
    except (OSError, HTTPError, HTTPException, ValueError) as broken:
        return Outcome(None, _since(began), "timeout" if deadline.cut else _kind_of(broken))
    except Exception:
        log.exception("webhook_not_sent", host=parcel.url.partition("://")[2].partition("/")[0])
        return Outcome(None, _since(began), "broken")


def _exchange(parcel: Parcel, deadline: Deadline) -> tuple[int, bytes, str]:
    """Over a line that is open still, or over a new one; over a new one as well where somebody hung up just then."""
    target = _target_of(parcel.url)
    door = target.scheme, target.host, target.port
    kept = LINES.take(door)
    if kept is not None and kept.sock is not None:
        kept.sock.settimeout(deadline.left)
        with suppress(HungUpError):
            return _ask(_Asking(kept, kept.sock, door, again=True), target, parcel, deadline)
    line = _line_to(_addresses_of(target, deadline), target.port, deadline)
    try:
        return _ask(_Asking(_connection(target, line, deadline), line, door), target, parcel, deadline)
    except BaseException:
        line.close()
        raise


@dataclass(frozen=True, slots=True)
class _Asking:
    """A line to a door, and what is asked over it; whether it was used before."""

    connection: HTTPConnection
    line: socket.socket
    door: Door
    again: bool = False


def _ask(asking: _Asking, target: Target, parcel: Parcel, deadline: Deadline) -> tuple[int, bytes, str]:
    """What comes back; the line is kept afterwards if all of it has, and closed if not.

    Raises:
        HungUpError: over a line that was used before no answer begins.
    """
    connection, kept = asking.connection, False
    try:
        with deadline.over(asking.line):
            try:
                connection.request("POST", target.path, parcel.body, parcel.headers, preload_content=False)
                answer = connection.getresponse()
            except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError) as end:
                if asking.again and not deadline.cut:
                    raise HungUpError from end
                raise
            raw, more, status = b"", b"", int(answer.status)
            while len(raw) < ANSWER_MAX and (more := answer.read(_CHUNK, decode_content=False)):
                raw += more
            if deadline.cut:
                raise NotSentError("timeout")
        kept = not more and LINES.keep(asking.door, connection)
        return status, raw, answer.headers.get("Retry-After", "")
    finally:
        if not kept:
            connection.close()


def _line_to(addresses: list[str], port: int, deadline: Deadline) -> socket.socket:
    """A connection to the first of the addresses that takes one: a host may have one that is not reached from here."""
    *others, last = addresses[:_ADDRESSES_MAX]
    for address in others:
        with suppress(OSError):
            return _opened(address, port, deadline.left / 2)
    return _opened(last, port, deadline.left)


def _opened(address: str, port: int, seconds: float) -> socket.socket:
    """A line on which nothing waits: a body leaves at once, and not when the other side has acknowledged its head.

    Over a line that is used again both sides would wait for each other, for 40 ms and more (RFC 896 meets RFC 1122).
    """
    line = socket.create_connection((address, port), timeout=seconds)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


def _connection(target: Target, line: socket.socket, deadline: Deadline) -> HTTPConnection:
    """A connection by the host's name, for its certificate and the `Host` header, over the line that is open."""
    if target.scheme == "http":
        return _Plain(target.host, target.port, timeout=deadline.left, line=line)
    return _Secure(target.host, target.port, timeout=deadline.left, ssl_context=trust(), line=line)


class _Plain(HTTPConnection):
    def __init__(self, host: str, port: int, *, timeout: float, line: socket.socket) -> None:
        super().__init__(host, port, timeout=timeout)
        self.line = line

    def _new_conn(self) -> socket.socket:
        return self.line


class _Secure(HTTPSConnection):
    def __init__(
        self, host: str, port: int, *, timeout: float, ssl_context: ssl.SSLContext, line: socket.socket
    ) -> None:
        super().__init__(host, port, timeout=timeout, ssl_context=ssl_context, cert_reqs=ssl.CERT_REQUIRED)
        self.line = line

    def _new_conn(self) -> socket.socket:
        return self.line


@lru_cache(maxsize=1)
def trust() -> ssl.SSLContext:
    """The system's certificates; reading them takes longer than a handshake."""
    context = create_urllib3_context(ssl_minimum_version=ssl.TLSVersion.TLSv1_2, cert_reqs=ssl.CERT_REQUIRED)
    context.load_default_certs()
    return context


def _kind_of(broken: Exception) -> str:
    causes = [broken, broken.__cause__, broken.__context__]
    if any(isinstance(cause, ssl.SSLError) for cause in causes) or "SSL" in type(broken).__name__:
        return "tls"
    if any(isinstance(cause, TimeoutError) for cause in causes) or "Timeout" in type(broken).__name__:
        return "timeout"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "refused"
    return "broken_answer" if isinstance(broken, HTTPException | HTTPError | ValueError) else "unreachable"


def _asked_for(text: str, real: datetime) -> timedelta | None:
    """`Retry-After`, in seconds or as a date; None where there is none that can be read."""
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        then = parsedate_to_datetime(text)
        return max(timedelta(), (then if then.tzinfo else then.replace(tzinfo=UTC)) - real)
    except (ValueError, OverflowError):  # no date, or one that no calendar has
        return None


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
