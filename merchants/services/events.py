"""A merchant is told what happens: the event, and a copy of it for each endpoint that hears of such events."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Func, JSONField, Value

from kernel.ids import uuid7
from kernel.log_context import tag
from kernel.prepared import Question
from kernel.writes import as_json
from merchants.models import Event
from merchants.rules.events import BLOTTED, RETURNS

# One statement, whoever listens, that answers nothing and so waits for others: a merchant without endpoints pays for an
# empty look at their index, and no more. Who hears of what is merchants.rules.events.wants, as SQL. A copy's key begins
# as its event's, so that it sorts by time, and ends in what no other copy has.
_TELL = Question(
    """
WITH told AS (
    INSERT INTO merchants_event (id, realm_id, merchant_id, type, subject_id, sequence, data, at, request_id)
    SELECT v.id, $1, v.merchant, v.type, v.subject,
           coalesce(told.last, 0) + row_number() OVER (PARTITION BY v.subject ORDER BY v.id), v.data, $2, $3
    FROM json_to_recordset($4) AS v (id uuid, merchant uuid, type text, subject uuid, data jsonb)
    LEFT JOIN LATERAL (
        SELECT max(sequence) AS last FROM merchants_event WHERE subject_id = v.subject) told ON true
    ORDER BY v.id
    RETURNING id, merchant_id, type)
INSERT INTO merchants_webhookdelivery (id, realm_id, endpoint_id, event_id, state, tries, next_at, reason, created_at)
SELECT (left(told.id::text, 19) || '8' || left(own.hash, 3) || '-' || right(own.hash, 12))::uuid,
       $1, e.id, told.id, 'pending', 0, $2, '', $2
FROM told JOIN merchants_webhookendpoint e ON e.merchant_id = told.merchant_id AND e.state = 'enabled'
CROSS JOIN LATERAL (SELECT md5(told.id::text || e.id::text) AS hash) own
WHERE told.type <> 'webhook_endpoint.ping'
  AND e.event_types ?| ARRAY['*', told.type, split_part(told.type, '.', 1) || '.*']
ORDER BY told.id, e.id
""",
    ["bigint", "timestamptz", "text", "json"],
)


@dataclass(frozen=True, slots=True)
class News:
    """One thing to tell a merchant: its type, what it is about, and the plain facts."""

    merchant_id: UUID
    type: str
    subject_id: UUID
    data: dict[str, Any]


def publish(news: Sequence[News], *, realm_id: int, at: datetime) -> None:
    """Tell merchants, in the transaction of the fact: what is committed is told, what is not is not.

    The caller holds the lock on each subject, which is what makes its numbers run without gaps.
    """
    if not news:
        return
    told = [
        {"id": uuid7(), "merchant": item.merchant_id, "type": item.type, "subject": item.subject_id, "data": item.data}
        for item in news
    ]
    _TELL.send(realm_id, at, tag("request_id"), as_json(told))


def blot_returns(subjects: Iterable[UUID]) -> int:
    """What was said in their person's words in the events of returns of these orders. How many events that were."""
    rows = Event.objects.filter(subject_id__in=list(subjects), type__startswith=RETURNS)
    joined = Func(F("data"), Value(BLOTTED, JSONField()), template="(%(expressions)s)", arg_joiner=" || ")
    return rows.update(data=joined)
