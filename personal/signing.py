"""Statements signed by this platform, as anybody can check them: JWS (RFC 7515) with Ed25519, keys as a JWK set."""

import base64
import binascii
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

LENGTH_MAX = 4_000


def key_name() -> str:
    """The key that signs from now on."""
    return next(iter(_keys()))


def sign(claims: Mapping[str, Any]) -> str:
    """The statement in three parts: which key, what is said, and the signature over both."""
    name = key_name()
    head = {"alg": "EdDSA", "kid": name, "typ": "JWT"}
    said = f"{_packed(head)}.{_packed(claims)}"
    return f"{said}.{_text(_keys()[name].sign(said.encode()))}"


def opened(statement: str) -> dict[str, Any] | None:
    """What it says, if one of our keys signed exactly this; None for everything else."""
    if len(statement) > LENGTH_MAX or not statement.isascii():
        return None
    said, _, signature = statement.rpartition(".")
    head, _, body = said.partition(".")
    try:
        key = _keys().get(json.loads(_bytes(head))["kid"])
        if key is None:
            return None
        key.public_key().verify(_bytes(signature), said.encode())
        claims: dict[str, Any] = json.loads(_bytes(body))
    except (InvalidSignature, binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        return None
    return claims if claims.get("iss") == settings.BASE_URL else None


def published() -> dict[str, Any]:
    """Every key that may have signed a statement still in force, without what it signs with."""
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "use": "sig",
                "alg": "EdDSA",
                "kid": name,
                "x": _text(key.public_key().public_bytes_raw()),
            }
            for name, key in _keys().items()
        ]
    }


@lru_cache(maxsize=1)
def _keys() -> dict[str, Ed25519PrivateKey]:
    """Keys by name, the one that signs first."""
    return {name: Ed25519PrivateKey.from_private_bytes(key) for name, key in settings.PROOF_KEYS.items()}


def _packed(value: Mapping[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Strictly what `_text` writes: the same statement is not to be had in two spellings."""
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _text(raw) != text:
        raise ValueError("not our spelling")
    return raw
