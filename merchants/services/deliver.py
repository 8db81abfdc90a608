"""Events leave the house: taken up in one transaction, sent in none, settled in one.

At least once: a worker that dies between sending and settling leaves its lease to run out, and what it held is sent
again under the same `webhook-id`. Nobody waits for anybody: an endpoint has only so much under way at once, and less
while it fails.
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
from kernel.clock import live_now
from kernel.encryption import UNREADABLE
from kernel.prepared import Reading
from kernel.transactions import in_transaction
from kernel.writes import insert_all, update_all
from merchants import courier
from merchants.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from merchants.rules import webhooks as rules
from merchants.rules.events import PING
from merchants.services.endpoints import switch_off
from merchants.services.parcels import Taken, signed, taken_of
from merchants.services.widths import TAKE_UP, WIDTH, WIDTH_CLOSED, WIDTH_MERCHANT, WIDTH_TROUBLED

log = structlog.get_logger(__name__)
#: How long, by real time, sending may take before somebody else may take it up again.
LEASE = timedelta(seconds=60)
#: Under way at once altogether.
PARCELS = 512
#: How long one ring goes on taking up; what is under way then is waited for.
WORKS_FOR_SECONDS = 10.0
#: After so long it is asked again what is due where nothing was, unless something ended meanwhile: of endpoints that
#: answer, and of those that last did not, who are waited for longer anyway.
ASKS_AGAIN = {False: 0.1, True: 1.0}
BY = Actor.system("webhooks")
_OVERDUE_SECONDS = courier.BUDGET_SECONDS + 5
#: Why nothing was sent although the endpoint is well: a fault of ours.
NOT_SIGNED = "secret_unreadable"
MOVING = ["state", "reason", "next_at", "leased_until", "ended_at"]

_TAKEN = Reading(
    lambda keys: (
        WebhookDelivery.objects.filter(pk__any=keys).select_related("event", "endpoint").order_by("next_at", "id")
    ),
    ["uuid[]"],
)
_ENDPOINTS = Reading(
    lambda keys: WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk__any=keys).order_by("pk"), ["uuid[]"]
)
_DELIVERIES = Reading(
    lambda keys: WebhookDelivery.objects.select_for_update(no_key=True).filter(pk__any=keys).order_by("pk"), ["uuid[]"]
)


def deliver_due(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Send what is due in this realm by now, running or frozen. Returns how many deliveries were seen to.

    Raises:
        InsideTransactionError: a transaction is open.
    """
    if in_transaction():
        raise courier.InsideTransactionError
    seen, round_ = 0, Round()
    while seen < limit:
        taken, found = take_up({realm_id: at}, limit=min(limit - seen, PARCELS))
        round_.begin(taken)
        round_.see_out()
        seen += found
        if not found:
            break
    return seen


def deliver_everywhere(times: Callable[[], Mapping[int, datetime]], *, troubled: bool, turn: threading.Lock) -> None:
    """Send what is due in every realm, by what time it is in each, for as long as one ring lasts.

    Whoever has answered makes room for the next at once; nobody waits for the slowest. One ring takes up at a time, and
    holds the `turn` while it does; then it only waits for what is under way, and the next takes up beside it.

    Raises:
        InsideTransactionError: a transaction is open.
    """
    if in_transaction():
        raise courier.InsideTransactionError
    if not turn.acquire(blocking=False):
        return
    round_ = Round()
    try:
        round_.take_up_while_there_is_something(times, lanes=(troubled,))
    finally:
        turn.release()
        round_.see_out()


class Round:
    """What one ring has under way, and since when; and what has ended and is not written down yet."""

    def __init__(self) -> None:
        self.underway = dict[tuple[UUID, int], tuple[Taken, float]]()
        self.ended = SimpleQueue[tuple[Taken, rules.Outcome]]()

    def take_up_while_there_is_something(
        self, times: Callable[[], Mapping[int, datetime]], *, lanes: Sequence[bool]
    ) -> None:
        until, again, pause = time.monotonic() + WORKS_FOR_SECONDS, 0.0, ASKS_AGAIN[any(lanes)]
        while (moment := time.monotonic()) < until:
            room, found = PARCELS - len(self.underway), 0
            if room and moment >= again and (now := times()):
                taken, found = take_up(now, limit=room, lanes=lanes)
                self.begin(taken)
                again = 0.0 if found else moment + pause
            if not self.underway and not found:
                return
            if self.settle_what_ended():
                again = 0.0

    def begin(self, taken: Sequence[Taken]) -> None:
        """They are on their way, each for itself: what goes wrong in signing one is its own end."""
        going, parcels, began = list[Taken](), list[courier.Parcel](), time.monotonic()
        for one in taken:
            self.underway[one.delivery_id, one.tries] = one, began
            try:
                parcels.append(signed(one))
                going.append(one)
            except Exception:
                log.exception("webhook_not_sent", delivery=str(one.delivery_id))
                self.ended.put((one, rules.Outcome(None, 0, "broken")))
        if parcels:
            courier.begin(parcels, real=live_now, told=lambda place, outcome: self.ended.put((going[place], outcome)))

    def see_out(self) -> None:
        """Wait for what is under way."""
        while self.underway:
            self.settle_what_ended()

    def settle_what_ended(self) -> int:
        """Wait a moment, and write down what came back. Who cannot be waited for any longer ran out of time.

        What cannot be written down is logged, and sent again when its lease has run out. Returns how many ended.
        """
        outcomes = [each for each in self._ended() if self.underway.pop((each[0].delivery_id, each[0].tries), None)]
        try:
            settle(outcomes)
        except Exception:
            log.exception("webhooks_not_settled", deliveries=[str(taken.delivery_id) for taken, _ in outcomes])
        return len(outcomes)

    def _ended(self) -> list[tuple[Taken, rules.Outcome]]:
        ended = list[tuple[Taken, rules.Outcome]]()
        with suppress(Empty):
            ended.append(self.ended.get(timeout=0.1))
            while True:
                ended.append(self.ended.get_nowait())
        late = time.monotonic() - _OVERDUE_SECONDS
        out_of_time = rules.Outcome(None, round(_OVERDUE_SECONDS * 1000), "timeout")
        return ended + [(taken, out_of_time) for taken, began in self.underway.values() if began < late]


@transaction.atomic
def take_up(
    times: Mapping[int, datetime], *, limit: int, lanes: Sequence[bool] = (False, True)
) -> tuple[list[Taken], int]:
    """Take deliveries that are due, of endpoints that have room; those another worker holds are passed over.

    Returns what is to be sent now, within its lease, and how many were seen to: some need no sending any more.
    """
    asked: dict[str, Any] = {
        "realms": list(times),
        "times": list(times.values()),
        "lanes": list(lanes),
        "limit": limit,
        "lease": LEASE,
        "width": WIDTH,
        "troubled": WIDTH_TROUBLED,
        "closed": WIDTH_CLOSED,
        "merchant": WIDTH_MERCHANT,
    }
    with connection.cursor() as cursor:
        cursor.execute(TAKE_UP, asked)
        due = dict(cursor.fetchall())
    rows = _TAKEN.rows(list(due))
    going = [taken for row in rows if (taken := _taken_or_over(row, at=due[row.id]))]
    update_all([row for row in rows if row.state != WebhookDelivery.State.PENDING], MOVING)
    return going, len(due)


def _taken_or_over(row: WebhookDelivery, *, at: datetime) -> Taken | None:
    """What is to be sent of it. What cannot be, or need not be any more, is given up, and takes nobody else along."""
    if row.endpoint.state != WebhookEndpoint.State.ENABLED:
        row.give_up(f"endpoint_{row.endpoint.state}", at=at)
    elif row.tries > rules.TRIES_MAX or row.event.type == PING:  # whoever asked by a ping is no longer there
        row.give_up(row.reason or "never_settled", at=at)
    else:
        try:
            return taken_of(row, at=at)
        except UNREADABLE as broken:
            give_up_unsigned(row, broken, at=at)
    return None


def give_up_unsigned(row: WebhookDelivery, broken: Exception, *, at: datetime) -> None:
    """The endpoint's secret does not open any more, so nothing can be signed for it."""
    log.error("webhook_secret_unreadable", endpoint=row.endpoint.public_id, exc_info=broken)
    row.give_up(NOT_SIGNED, at=at)


@transaction.atomic
def settle(outcomes: Sequence[tuple[Taken, rules.Outcome]]) -> None:
    """Write down what came back: each try is kept; what failed comes again later, or is given up and says why."""
    if not outcomes:
        return
    endpoints = {row.id: row for row in _ENDPOINTS.rows(list({taken.endpoint_id for taken, _ in outcomes}))}
    before = {endpoint.id: heard_of(endpoint) for endpoint in endpoints.values()}
    rows = {row.id: row for row in _DELIVERIES.rows([taken.delivery_id for taken, _ in outcomes])}
    insert_all([attempt_of(rows[taken.delivery_id], taken, outcome) for taken, outcome in outcomes])
    for taken, outcome in outcomes:
        _end(rows[taken.delivery_id], endpoints[taken.endpoint_id], taken, outcome)
    update_all(list(rows.values()), MOVING)
    update_all([each for each in endpoints.values() if heard_of(each) != before[each.id]], ["failing_from", "failures"])


def heard_of(endpoint: WebhookEndpoint) -> tuple[datetime | None, int]:
    """What an endpoint's tries came to; of one that is well it does not change, and so is not written."""
    return endpoint.failing_from, endpoint.failures


def _end(row: WebhookDelivery, endpoint: WebhookEndpoint, taken: Taken, outcome: rules.Outcome) -> None:
    """One try has ended. What somebody else has taken up since, or ended, is theirs.

    Where the endpoint has another address by now, what the one before said is no word of it, and it is tried at once.
    """
    at, moved = taken.at, taken.parcel.url != endpoint.url
    if row.state != WebhookDelivery.State.PENDING or not (outcome.good or row.tries == taken.tries):
        return
    if not moved:
        endpoint.hear(good=outcome.good, at=at)
    pause = timedelta() if moved else rules.wait_after(taken.tries, outcome, seed=row.id.bytes)
    if outcome.good:
        row.deliver(at=at)
    elif pause is None or (outcome.gone and not moved):
        row.give_up(outcome.reason, at=at)
    else:
        row.put_off(outcome.reason, until=at + pause)
    if not moved:
        _judge(endpoint, outcome, at=at)


def _judge(endpoint: WebhookEndpoint, outcome: rules.Outcome, *, at: datetime) -> None:
    """Whether what came back switches the endpoint off."""
    if outcome.good or endpoint.state != WebhookEndpoint.State.ENABLED:
        return
    if outcome.gone:
        switch_off(endpoint, "gone", by=BY, at=at)
    elif rules.given_out(at - (endpoint.failing_from or at), endpoint.failures):
        switch_off(endpoint, "failing", by=BY, at=at)


def attempt_of(row: WebhookDelivery, taken: Taken, outcome: rules.Outcome) -> WebhookAttempt:
    return WebhookAttempt(
        realm_id=row.realm_id,
        delivery=row,
        number=taken.tries,
        at=taken.at,
        status=outcome.status,
        latency_ms=outcome.latency_ms,
        error=outcome.error,
        excerpt=outcome.excerpt,
    )
