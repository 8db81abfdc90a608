"""The JSON of an event: the same object in a list, alone, and as the body of a webhook."""

from typing import Any, Literal

import msgspec

from kernel.ids import public
from kernel.models import LIVE
from kernel.wire import Moment, Wire
from merchants.models import Event
from merchants.rules.events import EVENT_TYPES
from merchants.rules.webhooks import BODY_MAX


class MerchantEvent(Wire):
    """What happened; `sequence` counts the events of one `subject` without gaps."""

    id: str
    object: Literal["event"]
    type: str
    created: Moment
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
        subject=public(EVENT_TYPES[event.type], event.subject_id),
        sequence=event.sequence,
        livemode=event.realm_id == LIVE,
        data=event.data,
    )


def webhook_body(event: Event) -> bytes:
    """The body of the event's webhook. If it would be too large, its data is only the object's id."""
    event_json = event_out(event)
    body = msgspec.json.encode(event_json)
    if len(body) <= BODY_MAX:
        return body
    summary = {"id": event.data.get("id", event_json.subject), "shortened": True}
    return msgspec.json.encode(msgspec.structs.replace(event_json, data=summary))
