"""Keys on their way to PostgreSQL and back: it has one spelling of them, so nobody looks for others."""

from typing import Any
from uuid import UUID, SafeUUID

from psycopg2.extensions import AsIs, new_array_type, new_type, register_adapter, register_type

_UUID, _UUIDS = 2950, 2951
#: A key is written once, when it is made; UUID's own way looks through what it is given for longer than all the rest.
_made, _number, _safety = object.__new__, vars(UUID)["int"].__set__, vars(UUID)["is_safe"].__set__


def _read(text: Any, _cursor: Any) -> UUID | None:
    if text is None:
        return None
    key = _made(UUID)
    _number(key, int(text.replace("-", ""), 16))
    _safety(key, SafeUUID.unknown)
    return key


def _written(key: UUID) -> AsIs:
    return AsIs(f"'{key.hex}'::uuid")


def spell() -> None:
    """From now on, in this process, on every line."""
    one = new_type((_UUID,), "KEY", _read)
    register_type(one)
    register_type(new_array_type((_UUIDS,), "KEYS", one))
    register_adapter(UUID, _written)
