"""What every line of the log says besides: whose request it belongs to, or which run of which task.

One value of the context holds them all. structlog keeps each in a variable of its own, and looks through all that
anybody has in the context for each line and each change: a tenth of what it takes to answer a program.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

_NONE: Mapping[str, str] = MappingProxyType({})
_tags: ContextVar[Mapping[str, str]] = ContextVar("tags", default=_NONE)


@contextmanager
def tagged(**tags: str) -> Iterator[None]:
    """Lines written inside say this as well."""
    before = _tags.set({**_tags.get(), **tags})
    try:
        yield
    finally:
        _tags.reset(before)


def tag_from_here(**tags: str) -> None:
    """Lines say this, and nothing else, from now on."""
    _tags.set(tags)


def tag(name: str) -> str:
    """What lines say under this name; empty where they do not."""
    return _tags.get().get(name, "")


def merge(_logger: Any, _method: str, line: Any) -> Any:
    """A processor of structlog's: the tags, but for what the line says itself."""
    return {**_tags.get(), **line}
