"""Ids: time-ordered UUIDv7 keys, shown outside with a prefix for their type: `ord_…`."""

import os
import re
import threading
import time
from uuid import UUID, SafeUUID

#: Set a UUID's slots directly: UUID's constructor takes longer to check its arguments than everything else here.
_made, _number, _safety = object.__new__, vars(UUID)["int"].__set__, vars(UUID)["is_safe"].__set__
_SAFE_UNKNOWN = SafeUUID.unknown
_lock = threading.Lock()
_last_tick = 0
_HEX_RE = re.compile("[0-9a-f]{32}")


def uuid_from_int(number: int) -> UUID:
    """The UUID with these 128 bits."""
    key = _made(UUID)
    _number(key, number)
    _safety(key, _SAFE_UNKNOWN)
    return key


def uuid7() -> UUID:
    """A key that sorts by its creation time (RFC 9562); strictly increasing within a process.

    The 12 bits after the millisecond hold its fraction; each value is greater than the last one.
    """
    global _last_tick  # noqa: PLW0603  one counter a process is the point
    now = time.time_ns()
    with _lock:
        tick = (now // 1_000_000) << 12 | (now % 1_000_000) * 4096 // 1_000_000
        _last_tick = tick = max(tick, _last_tick + 1)
    tail = int.from_bytes(os.urandom(8), "big") & (1 << 62) - 1
    return uuid_from_int((tick >> 12) << 80 | 7 << 76 | (tick & 0xFFF) << 64 | 2 << 62 | tail)


def public(prefix: str, key: UUID) -> str:
    """`ord_018f…`: the same identity in a URL, a log line, the console and a webhook."""
    return f"{prefix}_{key.hex}"


def parse(prefix: str, text: str) -> UUID | None:
    """The key of a public id; None if it is not exactly in our form."""
    head, _, tail = text.partition("_")
    return parse_hex(tail) if head == prefix else None


def parse_hex(text: str) -> UUID | None:
    """The key with these 32 lower-case hex digits; None for anything else, even what `UUID` would accept."""
    return UUID(hex=text) if _HEX_RE.fullmatch(text) else None
