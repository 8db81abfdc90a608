"""Who did it: written beside every change."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """`merchant:key_…`, `member:usr_…`, `person:per_…`, `staff:usr_…`, `channel:sandbox` or `system:deduct`.

    What one colleague asked for and another agreed to is done by both: `staff:usr_…+usr_…`.
    """

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

    def agreed(self, by: "Actor") -> "Actor":
        """The two together, who asked standing first."""
        return Actor(self.kind, f"{self.name}+{by.name}")

    @property
    def alone(self) -> bool:
        """A colleague with whom no other agreed."""
        return self.kind == "staff" and "+" not in self.name

    @classmethod
    def named(cls, text: str) -> Self:
        """Who stands written somewhere."""
        kind, _, name = text.partition(":")
        return cls(kind, name)

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
