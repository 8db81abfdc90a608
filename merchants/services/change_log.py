"""The change log of a merchant."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from kernel.actor import Actor
from merchants.models import Change


def record_change(merchant_id: UUID, verb: str, subject_id: UUID, *, by: Actor, at: datetime, **data: Any) -> None:
    """Record in the merchant's change log that `by` did `verb` to the subject."""
    json_data = msgspec.to_builtins(data, str_keys=True)
    Change.objects.create(merchant_id=merchant_id, verb=verb, subject_id=subject_id, by=str(by), at=at, data=json_data)
