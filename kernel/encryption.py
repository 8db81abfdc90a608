"""Personal data at rest: AES-256-GCM bound to the row it stands in, and a blind index to find it by.

A sealed value moved to another row or column does not open. Keys have names, so that old values stay
readable while new ones are written under a new key.
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

_NONCE = 12
#: No key's name is longer than what is read to find it.
_NAME_MAX = 100
#: What opening may raise: the value was altered or cut, is of another place, or its key is not listed any more.
UNREADABLE = (InvalidTag, KeyError, ValueError)


def seal(text: str, *, place: str) -> bytes:
    """Ciphertext of `text` that opens only in `place`, such as `accounts.person.name:<id>`."""
    return seal_bytes(text.encode(), place=place)


def seal_bytes(clear: bytes, *, place: str) -> bytes:
    """The same for what is no text."""
    name = next(iter(_keys()))
    nonce = os.urandom(_NONCE)
    head = name.encode() + b":"
    return head + nonce + _keys()[name].encrypt(nonce, clear, head + place.encode())


def unseal(sealed: bytes | memoryview, *, place: str) -> str:
    """The text again.

    Raises:
        cryptography.exceptions.InvalidTag: the value was altered, or belongs to another place.
        KeyError: it was sealed under a key this instance no longer has.
    """
    return unseal_bytes(sealed, place=place).decode()


def unseal_bytes(sealed: bytes | memoryview, *, place: str) -> bytes:
    """The same for what is no text."""
    raw = bytes(sealed)
    name, _, rest = raw.partition(b":")
    return _keys()[name.decode()].decrypt(rest[:_NONCE], rest[_NONCE:], name + b":" + place.encode())


def blind(text: str, *, purpose: str) -> bytes:
    """The same 32 bytes for the same text and purpose: finds an exact match without opening anything."""
    key: bytes = settings.BLIND_INDEX_KEY
    return hmac.new(key, purpose.encode() + b"\0" + text.encode(), hashlib.sha256).digest()


def names_missing() -> list[str]:
    """Keys under which people's own data is sealed somewhere, and which are not listed: it would not open."""
    columns = [
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, BinaryField) and field.name.endswith("_sealed")
    ]
    found = set[str]()
    with connection.cursor() as cursor:
        for table, column in columns:
            head = f"encode(substring({column} FROM 1 FOR {_NAME_MAX + 1}), 'escape')"
            cursor.execute(f"SELECT DISTINCT split_part({head}, ':', 1) FROM {table} WHERE {column} IS NOT NULL")  # noqa: S608  our own names
            found |= {name for (name,) in cursor.fetchall()}
    return sorted(found - set(_keys()))


@lru_cache(maxsize=1)
def _keys() -> dict[str, AESGCM]:
    """Keys by name, the one that seals first."""
    return {name: AESGCM(key) for name, key in settings.PII_KEYS.items()}
