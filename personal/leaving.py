"""What floors above this one forget of somebody who leaves: each says so here when it is loaded."""

from collections.abc import Callable
from uuid import UUID

#: Called with the person's key in the transaction that erases them, when nothing hinders it any more.
ABOVE: list[Callable[[UUID], object]] = []
