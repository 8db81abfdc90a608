"""Encryption of personal data at rest: AES-256-GCM bound to the row and column, and a blind index to search by.

An encrypted value copied to another row or column cannot be decrypted. Keys have names, so that old values stay
readable while new ones are encrypted under a new key.
"""

import hashlib
import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.models import BinaryField

_NONCE_BYTES = 12
#: The longest name of a key.
_KEY_NAME_MAX = 100
#: What decryption may raise: the value was changed or truncated, is from another place, or its key is unknown.
UNREADABLE = (InvalidTag, KeyError, ValueError)


def seal(text: str, *, place: str) -> bytes:
    """Encrypt `text` so that it decrypts only with the same `place`, such as `accounts.person.name:<id>`."""
    return seal_bytes(text.encode(), place=place)


def seal_bytes(clear: bytes, *, place: str) -> bytes:
    """Encrypt bytes in the same way."""
    name = next(iter(_keys()))
    nonce = os.urandom(_NONCE_BYTES)
    head = name.encode() + b":"
    return head + nonce + _keys()[name].encrypt(nonce, clear, head + place.encode())


def unseal(sealed: bytes | memoryview, *, place: str) -> str:
    """Decrypt a text.

    Raises:
        cryptography.exceptions.InvalidTag: the value was changed, or belongs to another place.
        KeyError: it was encrypted under a key this instance no longer has.
    """
    return unseal_bytes(sealed, place=place).decode()


def unseal_bytes(sealed: bytes | memoryview, *, place: str) -> bytes:
    """Decrypt bytes in the same way."""
    raw = bytes(sealed)
    name, _, rest = raw.partition(b":")
    return _keys()[name.decode()].decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], name + b":" + place.encode())


def blind_index(text: str, *, purpose: str) -> bytes:
    """A keyed hash of the text, for exact-match lookups without decrypting anything."""
    key: bytes = settings.BLIND_INDEX_KEY
    return hmac.new(key, purpose.encode() + b"\0" + text.encode(), hashlib.sha256).digest()


def missing_key_names() -> list[str]:
    """Names of keys that encrypted columns use and that are not configured: those values cannot be decrypted."""
    columns = [
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, BinaryField) and field.name.endswith("_sealed")
    ]
    found = set[str]()
    with connection.cursor() as cursor:
        for table, column in columns:
            head = f"encode(substring({column} FROM 1 FOR {_KEY_NAME_MAX + 1}), 'escape')"
            cursor.execute(f"SELECT DISTINCT split_part({head}, ':', 1) FROM {table} WHERE {column} IS NOT NULL")  # noqa: S608  our own names
            found |= {name for (name,) in cursor.fetchall()}
    return sorted(found - set(_keys()))


@lru_cache(maxsize=1)
def _keys() -> dict[str, AESGCM]:
    """Keys by name; the first one encrypts."""
    return {name: AESGCM(key) for name, key in settings.PII_KEYS.items()}
