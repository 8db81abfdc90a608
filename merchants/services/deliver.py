"""Delivering events to webhook endpoints: claimed in one transaction, sent outside any, settled in another.

At least once: if a worker dies between sending and settling, the lease expires and the event is sent again under the
same `webhook-id`. No endpoint delays another: each has a limited number of deliveries in flight, fewer while it fails.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction

from kernel.actor import Actor
from kernel.bulk_writes import insert_all, update_all
from kernel.clock import live_now
from kernel.encryption import UNREADABLE
from kernel.prepared_statements import PreparedQuery
from kernel.transactions import in_transaction
from merchants import webhook_sender
from merchants.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from merchants.rules import webhooks as rules
from merchants.rules.events import PING
from merchants.services.concurrency import (
    CLAIM_DUE_SQL,
    DISABLED_ENDPOINT_MAX,
    ENDPOINT_MAX,
    FAILING_ENDPOINT_MAX,
    MERCHANT_MAX,
)
from merchants.services.endpoints import disable_endpoint
from merchants.services.webhook_requests import ClaimedDelivery, build_claimed_delivery, sign_request

log = structlog.get_logger(__name__)
#: How long, in real time, a claim lasts before another worker may claim the delivery again.
LEASE = timedelta(seconds=60)
#: Deliveries in flight at once in one round.
IN_FLIGHT_MAX = 512
#: How long one round keeps claiming; afterwards it only waits for what is in flight.
ROUND_SECONDS = 10.0
#: When nothing was due, the pause before asking again, unless a delivery finished meanwhile: for healthy endpoints, and
#: for failing ones, which have longer retry delays anyway.
POLL_SECONDS = {False: 0.1, True: 1.0}
BY = Actor.system("webhooks")
_STUCK_AFTER_SECONDS = webhook_sender.TIMEOUT_SECONDS + 5
#: The reason of deliveries that were not sent because the endpoint's secret cannot be decrypted.
SIGNING_FAILED = "secret_unreadable"
STATE_COLUMNS = ["state", "reason", "next_at", "leased_until", "ended_at"]

_CLAIMED = PreparedQuery(
    lambda keys: (
        WebhookDelivery.objects.filter(pk__any=keys).select_related("event", "endpoint").order_by("next_at", "id")
    ),
    ["uuid[]"],
)
_ENDPOINTS = PreparedQuery(
    lambda keys: WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk__any=keys).order_by("pk"), ["uuid[]"]
)
_DELIVERIES = PreparedQuery(
    lambda keys: WebhookDelivery.objects.select_for_update(no_key=True).filter(pk__any=keys).order_by("pk"), ["uuid[]"]
)


def deliver_due(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Send what is due in this realm, whether its clock runs or is frozen. Returns how many deliveries were processed.

    Raises:
        InsideTransactionError: a transaction is open.
    """
    if in_transaction():
        raise webhook_sender.InsideTransactionError
    total, round_ = 0, DeliveryRound()
    while total < limit:
        claimed, processed = claim_due({realm_id: at}, limit=min(limit - total, IN_FLIGHT_MAX))
        round_.send(claimed)
        round_.drain()
        total += processed
        if not processed:
            break
    return total


def deliver_all_realms(
    times: Callable[[], Mapping[int, datetime]], *, failing: bool, claim_lock: threading.Lock
) -> None:
    """Send what is due in every realm, by each realm's own time, for the duration of one round.

    Each delivery that finishes frees its slot at once. Only one round claims at a time and holds `claim_lock` while it
    does; then it only waits for what is in flight, and the next round can start claiming.

    Raises:
        InsideTransactionError: a transaction is open.
    """
    if in_transaction():
        raise webhook_sender.InsideTransactionError
    if not claim_lock.acquire(blocking=False):
        return
    round_ = DeliveryRound()
    try:
        round_.claim_while_due(times, failing=(failing,))
    finally:
        claim_lock.release()
        round_.drain()


class DeliveryRound:
    """The deliveries that one round has in flight, with their start times, and the finished ones not yet settled."""

    def __init__(self) -> None:
        self.in_flight = dict[tuple[UUID, int], tuple[ClaimedDelivery, float]]()
        self.finished = SimpleQueue[tuple[ClaimedDelivery, rules.Outcome]]()

    def claim_while_due(self, times: Callable[[], Mapping[int, datetime]], *, failing: Sequence[bool]) -> None:
        until, next_poll, poll_interval = time.monotonic() + ROUND_SECONDS, 0.0, POLL_SECONDS[any(failing)]
        while (now_seconds := time.monotonic()) < until:
            free_slots, processed = IN_FLIGHT_MAX - len(self.in_flight), 0
            if free_slots and now_seconds >= next_poll and (now := times()):
                claimed, processed = claim_due(now, limit=free_slots, failing=failing)
                self.send(claimed)
                next_poll = 0.0 if processed else now_seconds + poll_interval
            if not self.in_flight and not processed:
                return
            if self.settle_finished():
                next_poll = 0.0

    def send(self, claimed: Sequence[ClaimedDelivery]) -> None:
        """Start sending. If one cannot be signed, only that one fails."""
        sending, requests, started = list[ClaimedDelivery](), list[webhook_sender.WebhookRequest](), time.monotonic()
        for one in claimed:
            self.in_flight[one.delivery_id, one.tries] = one, started
            try:
                requests.append(sign_request(one))
                sending.append(one)
            except Exception:
                log.exception("webhook_not_sent", delivery=str(one.delivery_id))
                self.finished.put((one, rules.Outcome(None, 0, "broken")))
        if requests:
            webhook_sender.post_all(
                requests, now=live_now, on_done=lambda place, outcome: self.finished.put((sending[place], outcome))
            )

    def drain(self) -> None:
        """Wait for everything in flight, and settle it."""
        while self.in_flight:
            self.settle_finished()

    def settle_finished(self) -> int:
        """Wait a moment, and settle what finished; deliveries that are stuck count as timeouts.

        If settling fails, it is logged, and they are sent again when their lease expires. Returns how many finished.
        """
        outcomes = [
            each for each in self._collect_finished() if self.in_flight.pop((each[0].delivery_id, each[0].tries), None)
        ]
        try:
            settle(outcomes)
        except Exception:
            log.exception("webhooks_not_settled", deliveries=[str(claimed.delivery_id) for claimed, _ in outcomes])
        return len(outcomes)

    def _collect_finished(self) -> list[tuple[ClaimedDelivery, rules.Outcome]]:
        finished = list[tuple[ClaimedDelivery, rules.Outcome]]()
        with suppress(Empty):
            finished.append(self.finished.get(timeout=0.1))
            while True:
                finished.append(self.finished.get_nowait())
        stuck_since = time.monotonic() - _STUCK_AFTER_SECONDS
        timed_out = rules.Outcome(None, round(_STUCK_AFTER_SECONDS * 1000), "timeout")
        return finished + [
            (claimed, timed_out) for claimed, started in self.in_flight.values() if started < stuck_since
        ]


@transaction.atomic
def claim_due(
    times: Mapping[int, datetime], *, limit: int, failing: Sequence[bool] = (False, True)
) -> tuple[list[ClaimedDelivery], int]:
    """Claim due deliveries, within the limits per endpoint and merchant; skip those that another worker has locked.

    Returns those to be sent within the lease, and the number processed, which includes those given up.
    """
    params: dict[str, Any] = {
        "realms": list(times),
        "times": list(times.values()),
        "failing": list(failing),
        "limit": limit,
        "lease": LEASE,
        "endpoint_max": ENDPOINT_MAX,
        "failing_max": FAILING_ENDPOINT_MAX,
        "disabled_max": DISABLED_ENDPOINT_MAX,
        "merchant_max": MERCHANT_MAX,
    }
    with connection.cursor() as cursor:
        cursor.execute(CLAIM_DUE_SQL, params)
        due = dict(cursor.fetchall())
    rows = _CLAIMED.rows(list(due))
    claimed = [one for row in rows if (one := _claim_or_give_up(row, at=due[row.id]))]
    update_all([row for row in rows if row.state != WebhookDelivery.State.PENDING], STATE_COLUMNS)
    return claimed, len(due)


def _claim_or_give_up(row: WebhookDelivery, *, at: datetime) -> ClaimedDelivery | None:
    """The claimed delivery, or None if it was given up instead, as it cannot or need not be sent any more."""
    if row.endpoint.state != WebhookEndpoint.State.ENABLED:
        row.give_up(f"endpoint_{row.endpoint.state}", at=at)
    elif row.tries > rules.ATTEMPTS_MAX or row.event.type == PING:  # the caller of a ping no longer waits
        row.give_up(row.reason or "never_settled", at=at)
    else:
        try:
            return build_claimed_delivery(row, at=at)
        except UNREADABLE as error:
            give_up_unreadable(row, error, at=at)
    return None


def give_up_unreadable(row: WebhookDelivery, error: Exception, *, at: datetime) -> None:
    """Give up the delivery, as the endpoint's secret cannot be decrypted to sign it."""
    log.error("webhook_secret_unreadable", endpoint=row.endpoint.public_id, exc_info=error)
    row.give_up(SIGNING_FAILED, at=at)


@transaction.atomic
def settle(outcomes: Sequence[tuple[ClaimedDelivery, rules.Outcome]]) -> None:
    """Save the outcomes: an attempt for each; failed deliveries are retried later, or given up with a reason."""
    if not outcomes:
        return
    endpoints = {row.id: row for row in _ENDPOINTS.rows(list({claimed.endpoint_id for claimed, _ in outcomes}))}
    before = {endpoint.id: _failure_state(endpoint) for endpoint in endpoints.values()}
    rows = {row.id: row for row in _DELIVERIES.rows([claimed.delivery_id for claimed, _ in outcomes])}
    insert_all([build_attempt(rows[claimed.delivery_id], claimed, outcome) for claimed, outcome in outcomes])
    for claimed, outcome in outcomes:
        _apply_outcome(rows[claimed.delivery_id], endpoints[claimed.endpoint_id], claimed, outcome)
    update_all(list(rows.values()), STATE_COLUMNS)
    update_all(
        [each for each in endpoints.values() if _failure_state(each) != before[each.id]], ["failing_from", "failures"]
    )


def _failure_state(endpoint: WebhookEndpoint) -> tuple[datetime | None, int]:
    """The endpoint's failure columns, compared before and after so that only changed endpoints are written."""
    return endpoint.failing_from, endpoint.failures


def _apply_outcome(
    row: WebhookDelivery, endpoint: WebhookEndpoint, claimed: ClaimedDelivery, outcome: rules.Outcome
) -> None:
    """Apply the outcome of one attempt, unless the delivery ended or was claimed again meanwhile.

    If the endpoint's URL was changed meanwhile, the outcome says nothing about the new one, which is tried at once.
    """
    at, url_changed = claimed.at, claimed.request.url != endpoint.url
    if row.state != WebhookDelivery.State.PENDING or not (outcome.succeeded or row.tries == claimed.tries):
        return
    if not url_changed:
        endpoint.record_outcome(succeeded=outcome.succeeded, at=at)
    delay = timedelta() if url_changed else rules.retry_delay(claimed.tries, outcome, seed=row.id.bytes)
    if outcome.succeeded:
        row.mark_delivered(at=at)
    elif delay is None or (outcome.is_gone and not url_changed):
        row.give_up(outcome.reason, at=at)
    else:
        row.schedule_retry(outcome.reason, until=at + delay)
    if not url_changed:
        _disable_if_failing(endpoint, outcome, at=at)


def _disable_if_failing(endpoint: WebhookEndpoint, outcome: rules.Outcome, *, at: datetime) -> None:
    """Disable the endpoint if it is gone, or has failed for too long."""
    if outcome.succeeded or endpoint.state != WebhookEndpoint.State.ENABLED:
        return
    if outcome.is_gone:
        disable_endpoint(endpoint, "gone", by=BY, at=at)
    elif rules.should_disable(at - (endpoint.failing_from or at), endpoint.failures):
        disable_endpoint(endpoint, "failing", by=BY, at=at)


def build_attempt(row: WebhookDelivery, claimed: ClaimedDelivery, outcome: rules.Outcome) -> WebhookAttempt:
    return WebhookAttempt(
        realm_id=row.realm_id,
        delivery=row,
        number=claimed.tries,
        at=claimed.at,
        status=outcome.status,
        latency_ms=outcome.latency_ms,
        error=outcome.error,
        excerpt=outcome.excerpt,
    )
