"""Many values of one column as one parameter: an array as PostgreSQL itself writes one.

A driver would write each value as an expression of its own, and PostgreSQL read thousands of them for one statement.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

_PLAIN = re.compile(r"[^\W_][\w.:+-]*", re.ASCII)


def _text(value: Any) -> str:
    """Between quotes; most codes need none."""
    text = str.__str__(value) if isinstance(value, str) else str(value)
    if _PLAIN.fullmatch(text) and text.upper() != "NULL":
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _key(value: UUID | str) -> str:
    return value.hex if isinstance(value, UUID) else _text(value)


#: How one value of a type is written.
_WRITTEN: dict[str, Callable[[Any], str]] = {"uuid": _key, "integer": str, "int": str, "bigint": str, "text": _text}


def writer(kind: str) -> Callable[[Iterable[Any]], str] | None:
    """How values become an array of this type (`uuid[]`); None of a type whose arrays the driver writes."""
    one = _WRITTEN.get(kind.removesuffix("[]")) if kind.endswith("[]") else None
    if one is None:
        return None

    def whole(values: Iterable[Any]) -> str:
        return f"{{{','.join(['NULL' if value is None else one(value) for value in values])}}}"

    return whole
