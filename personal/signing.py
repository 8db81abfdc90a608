"""Signed statements that anybody can verify: JWS (RFC 7515) with Ed25519, public keys as a JWK set."""

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


def signing_key_name() -> str:
    """The name of the key that signs new statements."""
    return next(iter(_keys()))


def sign(claims: Mapping[str, Any]) -> str:
    """A signed statement in three parts: header with the key name, claims, signature."""
    name = signing_key_name()
    head = {"alg": "EdDSA", "kid": name, "typ": "JWT"}
    signed = f"{_encode_json(head)}.{_encode_json(claims)}"
    return f"{signed}.{_b64_encode(_keys()[name].sign(signed.encode()))}"


def verify(statement: str) -> dict[str, Any] | None:
    """The claims, if one of our keys signed exactly this statement; otherwise None."""
    if len(statement) > LENGTH_MAX or not statement.isascii():
        return None
    signed, _, signature = statement.rpartition(".")
    head, _, body = signed.partition(".")
    try:
        key = _keys().get(json.loads(_b64_decode(head))["kid"])
        if key is None:
            return None
        key.public_key().verify(_b64_decode(signature), signed.encode())
        claims: dict[str, Any] = json.loads(_b64_decode(body))
    except (InvalidSignature, binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        return None
    return claims if claims.get("iss") == settings.BASE_URL else None


def public_key_set() -> dict[str, Any]:
    """The public keys of all statements still in force."""
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "use": "sig",
                "alg": "EdDSA",
                "kid": name,
                "x": _b64_encode(key.public_key().public_bytes_raw()),
            }
            for name, key in _keys().items()
        ]
    }


@lru_cache(maxsize=1)
def _keys() -> dict[str, Ed25519PrivateKey]:
    """Keys by name, the signing key first."""
    return {name: Ed25519PrivateKey.from_private_bytes(key) for name, key in settings.PROOF_KEYS.items()}


def _encode_json(value: Mapping[str, Any]) -> str:
    return _b64_encode(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _b64_encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _b64_decode(text: str) -> bytes:
    """Decode strictly what `_b64_encode` writes, so that a statement has only one spelling."""
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _b64_encode(raw) != text:
        raise ValueError("not our spelling")
    return raw
