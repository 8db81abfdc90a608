"""Tells errors of the database itself from errors of a single query."""

from django.db import Error, InterfaceError, InternalError, OperationalError

#: PostgreSQL's error classes for that: connection, insufficient resources, operator intervention, system error.
_UNAVAILABLE_CLASSES = ("08", "53", "57", "58")
#: In one of these classes, but the statement's own fault: it took too long.
_QUERY_CANCELED = "57014"
#: The server says that it did not execute the statement: serialization failure or deadlock, insufficient resources,
#: a lock not available.
_ROLLED_BACK_CLASSES = ("40", "53", "55")
#: In one of these classes, but of unknown outcome: "statement completion unknown".
_COMPLETION_UNKNOWN = "40003"
#: Read-only transaction: a standby, or a primary during failover. The query is retried later.
_READ_ONLY = "25006"


def is_unavailable(exc: BaseException) -> bool:
    """Whether the database is unavailable, so that any other query would fail as well."""
    if isinstance(exc, InterfaceError) or is_read_only(exc):
        return True
    code = _sqlstate(exc)
    return isinstance(exc, OperationalError) and (
        code is None or (code[:2] in _UNAVAILABLE_CLASSES and code != _QUERY_CANCELED)
    )


def is_read_only(exc: BaseException) -> bool:
    """Whether the database is read-only, as during a failover."""
    return isinstance(exc, InternalError) and _sqlstate(exc) == _READ_ONLY


def is_rolled_back(exc: BaseException) -> bool:
    """Whether the server itself reported that it aborted the transaction, which then has had no effect.

    A lost connection has no SQLSTATE: it may have been lost at COMMIT, after the server had committed.
    """
    code = _sqlstate(exc)
    return code is not None and (
        code == _QUERY_CANCELED or (code[:2] in _ROLLED_BACK_CLASSES and code != _COMPLETION_UNKNOWN)
    )


def primary_message(exc: Error) -> str:
    """PostgreSQL's primary message, without the detail: that quotes rows, and personal data must not be logged."""
    message = getattr(getattr(exc.__cause__, "diag", None), "message_primary", None)
    return message or str(exc).strip().partition("\n")[0]


def _sqlstate(exc: BaseException) -> str | None:
    cause = exc.__cause__ if isinstance(exc, Error) else None
    return getattr(cause, "pgcode", None)
