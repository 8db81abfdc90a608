"""Formats many values as one query parameter: an array literal in PostgreSQL's own syntax.

The driver would write each value as an expression of its own, so that PostgreSQL parses thousands of them.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

_UNQUOTED = re.compile(r"[^\W_][\w.:+-]*", re.ASCII)


def _format_text(value: Any) -> str:
    """The value quoted where needed; most codes need no quotes."""
    text = str.__str__(value) if isinstance(value, str) else str(value)
    if _UNQUOTED.fullmatch(text) and text.upper() != "NULL":
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _format_uuid(value: UUID | str) -> str:
    return value.hex if isinstance(value, UUID) else _format_text(value)


#: The formatter for one value, by type.
_FORMATTERS: dict[str, Callable[[Any], str]] = {
    "uuid": _format_uuid,
    "integer": str,
    "int": str,
    "bigint": str,
    "text": _format_text,
}


def array_formatter(kind: str) -> Callable[[Iterable[Any]], str] | None:
    """The formatter for an array type (`uuid[]`); None for types that are left to the driver."""
    format_one = _FORMATTERS.get(kind.removesuffix("[]")) if kind.endswith("[]") else None
    if format_one is None:
        return None

    def format_array(values: Iterable[Any]) -> str:
        return f"{{{','.join(['NULL' if value is None else format_one(value) for value in values])}}}"

    return format_array
