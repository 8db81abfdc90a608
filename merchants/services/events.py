"""A merchant is told what happens: the event, and a copy of it for each endpoint that hears of such events."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.db.models import F, Func, JSONField, Value

from kernel.ids import uuid7
from kernel.prepared import Question
from kernel.writes import insert_all
from merchants.models import Event, WebhookDelivery
from merchants.rules.events import BLOTTED, RETURNS, wants

# One statement, whoever listens: a merchant without endpoints pays for an empty look at their index, and no more.
_TELL = Question(
    """
WITH told AS (
    INSERT INTO merchants_event (id, realm_id, merchant_id, type, subject_id, sequence, data, at, request_id)
    SELECT v.id, $1, v.merchant, v.type, v.subject,
           coalesce(told.last, 0) + row_number() OVER (PARTITION BY v.subject ORDER BY v.n), v.data, $2, $3
    FROM unnest($4, $5, $6, $7, $8)
         WITH ORDINALITY AS v (id, merchant, type, subject, data, n)
    LEFT JOIN LATERAL (
        SELECT max(sequence) AS last FROM merchants_event WHERE subject_id = v.subject) told ON true
    ORDER BY v.n
    RETURNING id, merchant_id, type)
SELECT told.id, told.type, e.id, e.event_types FROM told
JOIN merchants_webhookendpoint e ON e.merchant_id = told.merchant_id AND e.state = 'enabled'
ORDER BY told.id, e.id
""",
    ["bigint", "timestamptz", "text", "uuid[]", "uuid[]", "text[]", "uuid[]", "jsonb[]"],
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
    request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))
    heard = _TELL.rows(
        realm_id,
        at,
        request_id,
        [uuid7() for _ in news],
        [item.merchant_id for item in news],
        [item.type for item in news],
        [item.subject_id for item in news],
        [msgspec.json.encode(item.data).decode() for item in news],
    )
    insert_all(
        [
            WebhookDelivery(realm_id=realm_id, endpoint_id=endpoint, event_id=event, next_at=at, created_at=at)
            for event, name, endpoint, filters in heard
            if wants(_listed(filters), name)
        ]
    )


def blot_returns(subjects: Iterable[UUID]) -> int:
    """What was said in their person's words in the events of returns of these orders. How many events that were."""
    rows = Event.objects.filter(subject_id__in=list(subjects), type__startswith=RETURNS)
    joined = Func(F("data"), Value(BLOTTED, JSONField()), template="(%(expressions)s)", arg_joiner=" || ")
    return rows.update(data=joined)


def _listed(filters: str) -> list[str]:
    """A column of JSON comes from a bare cursor as text."""
    return msgspec.json.decode(filters, type=list[str])
