"""How an event looks from outside: the same object in a list, alone, and as the body of a webhook."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from kernel.ids import public
from kernel.models import LIVE
from kernel.wire import Wire
from merchants.models import Event
from merchants.rules.events import TYPES
from merchants.rules.webhooks import BODY_MAX


class MerchantEvent(Wire):
    """What happened; `sequence` counts the events of one `subject` without gaps."""

    id: str
    object: Literal["event"]
    type: str
    created: datetime
    subject: str
    sequence: int
    livemode: bool
    data: dict[str, Any]


def event_out(event: Event) -> MerchantEvent:
    return MerchantEvent(
        id=event.public_id,
        object="event",
        type=event.type,
        created=event.at,
        subject=public(TYPES[event.type], event.subject_id),
        sequence=event.sequence,
        livemode=event.realm_id == LIVE,
        data=event.data,
    )


def body_of(event: Event) -> bytes:
    """The webhook's body. Too much for one is told by what it is about alone; the rest is to be had by its id."""
    shown = event_out(event)
    body = msgspec.json.encode(shown)
    if len(body) <= BODY_MAX:
        return body
    told = {"id": event.data.get("id", shown.subject), "shortened": True}
    return msgspec.json.encode(msgspec.structs.replace(shown, data=told))
