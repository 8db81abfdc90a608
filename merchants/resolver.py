"""Asking what addresses a host name has, and for how long the answer is waited for.

The system's resolver takes as long as the name's own servers want it to, and cannot be called back. So it is asked in
a thread that may be left behind; of those there are only so many, and when each still waits nobody else is let in.
"""

import socket
import threading
from collections.abc import Callable, Sequence

#: Names that may be asked for at once by one process, those that nobody waits for any more among them.
MOST = 64
#: How long somebody waits for one of them to end; an answer is there after some milliseconds.
ROOM_SECONDS = 1.0


class NoAnswerError(Exception):
    """The name was asked for, and nothing came back in time."""


class ResolverBusyError(Exception):
    """So many names are being asked for already that this one was not."""


class Resolver:
    """Names are asked for, so many at once."""

    def __init__(self, most: int = MOST) -> None:
        self.room = threading.BoundedSemaphore(most)

    def addresses(self, host: str, port: int, *, seconds: float) -> list[str]:
        """What the name means now, in its order; each once.

        Raises:
            OSError, UnicodeError: it means nothing.
            NoAnswerError, ResolverBusyError: nobody knows, as it took or would take too long.
        """
        if not self.room.acquire(timeout=min(ROOM_SECONDS, seconds)):
            raise ResolverBusyError
        question = _Question(host, port, self.room.release)
        try:
            threading.Thread(target=question.ask, name="resolver", daemon=True).start()
        except RuntimeError:  # the system has no thread left
            self.room.release()
            raise ResolverBusyError from None
        if not question.answered.wait(seconds):
            raise NoAnswerError
        if question.failed is not None:
            raise question.failed
        return list(dict.fromkeys(question.found))


class _Question:
    def __init__(self, host: str, port: int, ended: Callable[[], None]) -> None:
        self.host, self.port, self.ended = host, port, ended
        self.answered = threading.Event()
        self.found: Sequence[str] = ()
        self.failed: Exception | None = None

    def ask(self) -> None:
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            self.found = [str(sockaddr[0]) for _family, _kind, _proto, _name, sockaddr in found]
        except Exception as failed:  # noqa: BLE001  whoever waits judges it
            self.failed = failed
        finally:
            self.ended()
            self.answered.set()
