"""The actor that made a change: stored with every change."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """`merchant:key_…`, `member:usr_…`, `person:per_…`, `staff:usr_…`, `channel:sandbox` or `system:deduct`.

    An action that one colleague requested and another approved has both: `staff:usr_…+usr_…`.
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

    def approved_by(self, approver: "Actor") -> "Actor":
        """Both actors together, the requester first."""
        return Actor(self.kind, f"{self.name}+{approver.name}")

    @property
    def is_unapproved_staff(self) -> bool:
        """Whether this is a colleague whose action no second colleague approved."""
        return self.kind == "staff" and "+" not in self.name

    @classmethod
    def parse(cls, text: str) -> Self:
        """The actor in its stored form, `kind:name`."""
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
