"""Identity: time-ordered UUIDv7 keys, shown outside with a prefix that says what they name."""

import os
import re
import threading
import time
from uuid import UUID, SafeUUID

#: A key is written once, when it is made; UUID's own way looks through what it is given for longer than all the rest.
_made, _number, _safety = object.__new__, vars(UUID)["int"].__set__, vars(UUID)["is_safe"].__set__
_UNKNOWN = SafeUUID.unknown
_lock = threading.Lock()
_last = 0
_BARE = re.compile("[0-9a-f]{32}")


def of_number(number: int) -> UUID:
    """The key that these 128 bits are."""
    key = _made(UUID)
    _number(key, number)
    _safety(key, _UNKNOWN)
    return key


def uuid7() -> UUID:
    """A key that sorts by the time it was made (RFC 9562); within one process strictly increasing.

    The 12 bits after the millisecond count its fraction, and the last value is never repeated.
    """
    global _last  # noqa: PLW0603  one counter a process is the point
    now = time.time_ns()
    with _lock:
        tick = (now // 1_000_000) << 12 | (now % 1_000_000) * 4096 // 1_000_000
        _last = tick = max(tick, _last + 1)
    tail = int.from_bytes(os.urandom(8), "big") & (1 << 62) - 1
    return of_number((tick >> 12) << 80 | 7 << 76 | (tick & 0xFFF) << 64 | 2 << 62 | tail)


def public(prefix: str, key: UUID) -> str:
    """`ord_018f…`: the same identity in a URL, a log line, the console and a webhook."""
    return f"{prefix}_{key.hex}"


def parse(prefix: str, text: str) -> UUID | None:
    """The key behind a public id, or None for anything that is not exactly one of ours."""
    head, _, tail = text.partition("_")
    return bare(tail) if head == prefix else None


def bare(text: str) -> UUID | None:
    """The key that these 32 lower-case hex digits are, or None for anything else, however `UUID` might read it."""
    return UUID(hex=text) if _BARE.fullmatch(text) else None
