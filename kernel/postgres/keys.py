"""Fast conversion of UUIDs to and from PostgreSQL, which always writes them in one form."""

from typing import Any
from uuid import UUID

from psycopg2.extensions import AsIs, new_array_type, new_type, register_adapter, register_type

from kernel.ids import uuid_from_int

_UUID, _UUIDS = 2950, 2951


def _parse_uuid(text: Any, _cursor: Any) -> UUID | None:
    return None if text is None else uuid_from_int(int(text.replace("-", ""), 16))


def _format_uuid(key: UUID) -> AsIs:
    return AsIs(f"'{key.hex}'::uuid")


def register() -> None:
    """Register the conversion for all connections of this process."""
    one = new_type((_UUID,), "KEY", _parse_uuid)
    register_type(one)
    register_type(new_array_type((_UUIDS,), "KEYS", one))
    register_adapter(UUID, _format_uuid)
