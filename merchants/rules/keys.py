"""What a merchant's key may do, and how a secret is made. Pure."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from enum import StrEnum


class Scope(StrEnum):
    """What an API key may be used for."""

    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    AGREEMENTS_READ = "agreements:read"
    AGREEMENTS_WRITE = "agreements:write"
    SERVICES_READ = "services:read"
    SERVICES_WRITE = "services:write"
    SETTLEMENTS_READ = "settlements:read"
    EVENTS_READ = "events:read"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    SANDBOX = "sandbox"


ALL_SCOPES = tuple(scope.value for scope in Scope)
#: Two of one name that may do the same, so that a key is exchanged for the next without a moment when neither works;
#: and so many in all, for the till, the bookkeeping and whatever else is to do no more than it must.
TWINS_MAX, LIVE_KEYS_MAX = 2, 6
_SHOWN = 6


def may_add(live: Iterable[tuple[str, Sequence[str]]], name: str, scopes: Sequence[str]) -> bool:
    """Whether one more key of this name, which may do this, may stand beside those that are live."""
    kinds = [_kind(*each) for each in live]
    return len(kinds) < LIVE_KEYS_MAX and kinds.count(_kind(name, scopes)) < TWINS_MAX


def exchanged(live: Iterable[tuple[str, Sequence[str]]]) -> bool:
    """Whether one of them is being exchanged for another."""
    kinds = [_kind(*each) for each in live]
    return len(set(kinds)) < len(kinds)


def _kind(name: str, scopes: Sequence[str]) -> tuple[str, frozenset[str]]:
    return name, frozenset(scopes)


def new_secret(mode: str) -> str:
    """`sk_test_…` or `sk_live_…` with 256 random bits."""
    return f"sk_{mode}_{secrets.token_urlsafe(32)}"


def digest(secret: str) -> bytes:
    """What is kept of a secret: enough to know it again, not to use it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def hint(secret: str) -> str:
    """What is shown of a secret afterwards: its kind and last characters."""
    head = secret[: len("sk_test_")]
    return f"{head}…{secret[-_SHOWN:]}"
