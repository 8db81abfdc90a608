"""What floors above this one forget of somebody who leaves: each says so here when it is loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Above:
    """One floor's part, by the person's key, in the transaction that erases them.

    What it needs is held before anything of the floors below is; it is forgotten when nothing hinders that any more.
    """

    hold: Callable[[UUID], object]
    forget: Callable[[UUID], object]


ABOVE: list[Above] = []
