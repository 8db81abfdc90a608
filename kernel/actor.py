"""Who did it: written beside every change."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """`merchant:key_…`, `member:usr_…`, `person:per_…`, `staff:usr_…`, `channel:sandbox` or `system:deduct`."""

    kind: str
    name: str

    @classmethod
    def merchant(cls, key_id: UUID) -> Self:
        return cls("merchant", f"key_{key_id.hex}")

    @classmethod
    def person(cls, person_id: UUID) -> Self:
        return cls("person", f"per_{person_id.hex}")

    @classmethod
    def staff(cls, user_id: UUID) -> Self:
        return cls("staff", f"usr_{user_id.hex}")

    @classmethod
    def member(cls, user_id: UUID) -> Self:
        return cls("member", f"usr_{user_id.hex}")

    @classmethod
    def channel(cls, name: str) -> Self:
        return cls("channel", name)

    @classmethod
    def system(cls, job: str) -> Self:
        return cls("system", job)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"
