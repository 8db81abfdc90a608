"""Hooks by which layers above this one take part in erasing a person; they register when loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ErasureHook:
    """The part of one layer, called with the person's id in the erasing transaction.

    `lock` runs before the layers below are locked; `erase` once nothing blocks the erasure.
    """

    lock: Callable[[UUID], object]
    erase: Callable[[UUID], object]


HOOKS: list[ErasureHook] = []
