from typing import ClassVar

from django.db import models

from kernel import guards
from kernel.models import History


class ObligationEvent(History):
    """One event of an obligation's history."""

    subject = models.ForeignKey("Obligation", models.PROTECT, related_name="history", db_index=False)

    #: The reason that staff gave for a write-off, redacted when the person's data is erased.
    erasable: ClassVar[tuple[str, ...]] = ("data",)

    class Meta(History.Meta):
        triggers = guards.redactable_history("reason", where="OLD.kind = 'written_off'")
