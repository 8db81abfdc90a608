"""Trouble with the database itself, as against trouble with what it was asked."""

from django.db import Error, InterfaceError, InternalError, OperationalError

#: PostgreSQL's classes of errors that say so: no connection, no room, being stopped or started, its disk.
_CLASSES = ("08", "53", "57", "58")
#: Of those, what one statement may be to blame for: it took too long.
_CANCELLED = "57014"
#: A server that others follow, or will: it is asked again where it may write.
_READ_ONLY = "25006"


def is_away(exc: BaseException) -> bool:
    """Whether the database cannot be had at all just now: whatever else it is asked would end the same."""
    if isinstance(exc, InterfaceError) or is_read_only(exc):
        return True
    code = _code(exc)
    return isinstance(exc, OperationalError) and (code is None or (code[:2] in _CLASSES and code != _CANCELLED))


def is_read_only(exc: BaseException) -> bool:
    """Whether it answers and may not write, as while another server takes over from it."""
    return isinstance(exc, InternalError) and _code(exc) == _READ_ONLY


def said_first(exc: Error) -> str:
    """What PostgreSQL said of it without the rest, which names whole rows: they are people's, and no line of a log."""
    found = getattr(getattr(exc.__cause__, "diag", None), "message_primary", None)
    return found or str(exc).strip().partition("\n")[0]


def _code(exc: BaseException) -> str | None:
    cause = exc.__cause__ if isinstance(exc, Error) else None
    return getattr(cause, "pgcode", None)
