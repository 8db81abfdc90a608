"""Keys on their way to PostgreSQL and back: it has one spelling of them, so nobody looks for others."""

from typing import Any
from uuid import UUID

from psycopg2.extensions import AsIs, new_array_type, new_type, register_adapter, register_type

from kernel.ids import of_number

_UUID, _UUIDS = 2950, 2951


def _read(text: Any, _cursor: Any) -> UUID | None:
    return None if text is None else of_number(int(text.replace("-", ""), 16))


def _written(key: UUID) -> AsIs:
    return AsIs(f"'{key.hex}'::uuid")


def spell() -> None:
    """From now on, in this process, on every line."""
    one = new_type((_UUID,), "KEY", _read)
    register_type(one)
    register_type(new_array_type((_UUIDS,), "KEYS", one))
    register_adapter(UUID, _written)
