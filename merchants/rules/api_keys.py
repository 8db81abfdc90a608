"""Scopes of API keys, how many keys a merchant may have, and how secrets are made. Pure."""

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
#: Two keys of the same name and scopes, so that a key can be rotated without downtime; and six in total, so that each
#: program of the merchant can have its own key with only the scopes it needs.
SAME_KIND_MAX, LIVE_KEYS_MAX = 2, 6
_HINT_LENGTH = 6


def can_add_key(live: Iterable[tuple[str, Sequence[str]]], name: str, scopes: Sequence[str]) -> bool:
    """Whether one more key of this name and scopes may be issued beside the active ones."""
    kinds = [_name_and_scopes(*each) for each in live]
    return len(kinds) < LIVE_KEYS_MAX and kinds.count(_name_and_scopes(name, scopes)) < SAME_KIND_MAX


def is_rotating(live: Iterable[tuple[str, Sequence[str]]]) -> bool:
    """Whether a key is being rotated: two active keys have the same name and scopes."""
    kinds = [_name_and_scopes(*each) for each in live]
    return len(set(kinds)) < len(kinds)


def _name_and_scopes(name: str, scopes: Sequence[str]) -> tuple[str, frozenset[str]]:
    return name, frozenset(scopes)


def new_secret(mode: str) -> str:
    """`sk_test_…` or `sk_live_…` with 256 random bits."""
    return f"sk_{mode}_{secrets.token_urlsafe(32)}"


def digest(secret: str) -> bytes:
    """What is stored of a secret: enough to recognize it, not to use it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def hint(secret: str) -> str:
    """What is shown of a secret after it was issued: its prefix and last characters."""
    head = secret[: len("sk_test_")]
    return f"{head}…{secret[-_HINT_LENGTH:]}"
