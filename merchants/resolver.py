"""Resolving host names with a time limit.

The system's resolver takes as long as the DNS servers do, and cannot be cancelled. So each lookup runs in a thread that
may be abandoned; the number of threads is limited, and while all are busy further lookups are refused.
"""

import socket
import threading
from collections.abc import Callable, Sequence

#: Lookups that may run at once in a process, including abandoned ones.
LOOKUPS_MAX = 64
#: How long a lookup waits for a free slot; most lookups take some milliseconds.
SLOT_WAIT_SECONDS = 1.0


class DnsTimeoutError(Exception):
    """The lookup did not finish in time."""


class TooManyLookupsError(Exception):
    """The maximum number of lookups is running already."""


class Resolver:
    """Resolves host names, with a limited number of lookups at once."""

    def __init__(self, most: int = LOOKUPS_MAX) -> None:
        self.slots = threading.BoundedSemaphore(most)

    def resolve(self, host: str, port: int, *, timeout: float) -> list[str]:
        """The host's IP addresses, in the resolver's order, without duplicates.

        Raises:
            OSError, UnicodeError: the host cannot be resolved.
            DnsTimeoutError, TooManyLookupsError: the lookup took too long, or could not start.
        """
        if not self.slots.acquire(timeout=min(SLOT_WAIT_SECONDS, timeout)):
            raise TooManyLookupsError
        lookup = _Lookup(host, port, self.slots.release)
        try:
            threading.Thread(target=lookup.run, name="resolver", daemon=True).start()
        except RuntimeError:  # the system cannot start another thread
            self.slots.release()
            raise TooManyLookupsError from None
        if not lookup.done.wait(timeout):
            raise DnsTimeoutError
        if lookup.error is not None:
            raise lookup.error
        return list(dict.fromkeys(lookup.addresses))


class _Lookup:
    def __init__(self, host: str, port: int, release_slot: Callable[[], None]) -> None:
        self.host, self.port, self.release_slot = host, port, release_slot
        self.done = threading.Event()
        self.addresses: Sequence[str] = ()
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            self.addresses = [str(sockaddr[0]) for _family, _kind, _proto, _name, sockaddr in found]
        except Exception as error:  # noqa: BLE001  raised in the waiting thread
            self.error = error
        finally:
            self.release_slot()
            self.done.set()
