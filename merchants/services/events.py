"""Publishing events to merchants: one event, and one delivery for each endpoint that subscribes to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kernel.bulk_writes import redact_json, rows_to_json
from kernel.ids import uuid7
from kernel.log_context import get_tag
from kernel.prepared_statements import PreparedStatement
from merchants.models import Event
from merchants.rules.events import REDACTED_DATA, RETURN_EVENT_PREFIX

# One statement that returns nothing, so that it can be pipelined; without endpoints it costs one empty index lookup.
# Its WHERE clause is merchants.rules.events.matches_filters as SQL. The id of a delivery begins like its event's, so
# that it sorts by time, and ends in a hash of event and endpoint, so that it is unique.
_INSERT_EVENTS = PreparedStatement(
    """
WITH created AS (
    INSERT INTO merchants_event (id, realm_id, merchant_id, type, subject_id, sequence, data, at, request_id)
    SELECT v.id, $1, v.merchant, v.type, v.subject,
           coalesce(previous.last, 0) + row_number() OVER (PARTITION BY v.subject ORDER BY v.id), v.data, $2, $3
    FROM json_to_recordset($4) AS v (id uuid, merchant uuid, type text, subject uuid, data jsonb)
    LEFT JOIN LATERAL (
        SELECT max(sequence) AS last FROM merchants_event WHERE subject_id = v.subject) previous ON true
    ORDER BY v.id
    RETURNING id, merchant_id, type)
INSERT INTO merchants_webhookdelivery (id, realm_id, endpoint_id, event_id, state, tries, next_at, reason, created_at)
SELECT (left(created.id::text, 19) || '8' || left(own.hash, 3) || '-' || right(own.hash, 12))::uuid,
       $1, e.id, created.id, 'pending', 0, $2, '', $2
FROM created JOIN merchants_webhookendpoint e ON e.merchant_id = created.merchant_id AND e.state = 'enabled'
CROSS JOIN LATERAL (SELECT md5(created.id::text || e.id::text) AS hash) own
WHERE created.type <> 'webhook_endpoint.ping'
  AND e.event_types ?| ARRAY['*', created.type, split_part(created.type, '.', 1) || '.*']
ORDER BY created.id, e.id
""",
    ["bigint", "timestamptz", "text", "json"],
)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to publish: its type, its subject, and its data."""

    merchant_id: UUID
    type: str
    subject_id: UUID
    data: dict[str, Any]


def publish(events: Sequence[NewEvent], *, realm_id: int, at: datetime) -> None:
    """Write events and their deliveries, in the same transaction as the fact.

    The caller holds a lock on each subject, so that its sequence numbers have no gaps.
    """
    if not events:
        return
    rows = [
        {"id": uuid7(), "merchant": item.merchant_id, "type": item.type, "subject": item.subject_id, "data": item.data}
        for item in events
    ]
    _INSERT_EVENTS.execute(realm_id, at, get_tag("request_id"), rows_to_json(rows))


def redact_return_events(subjects: Iterable[UUID]) -> int:
    """Redact the person's own words in the return events of these orders. Returns the number of events."""
    rows = Event.objects.filter(subject_id__in=list(subjects), type__startswith=RETURN_EVENT_PREFIX)
    return redact_json(rows, "data", REDACTED_DATA)
