"""Who changed what of a merchant's own affairs."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from kernel.actor import Actor
from merchants.models import Change


def note(merchant_id: UUID, verb: str, subject_id: UUID, *, by: Actor, at: datetime, **data: Any) -> None:
    plain = msgspec.to_builtins(data, str_keys=True)
    Change.objects.create(merchant_id=merchant_id, verb=verb, subject_id=subject_id, by=str(by), at=at, data=plain)
