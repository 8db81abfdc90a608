"""What may wait in this house, how long it may, and what to do when it waits longer. All thresholds stand here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from django.db.models import Model

from accounts.models import Delivery
from billing.models import Break, Case, Deduction, Dispute, Payout, RefundPart, Settlement
from merchants.models import Merchant, WebhookDelivery
from orders.models import Concern, Obligation, Order

#: An age, or a number where nothing has one.
Limit: TypeAlias = timedelta | int
_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_UNCLOSED = {"closed_at__isnull": "True"}


def plainly(limit: Limit) -> str:
    """A number, or a time in whole units that are large enough: `90 s`, `5 min`, `36 h`, `3 d`."""
    if isinstance(limit, int):
        return str(limit)
    if not limit:
        return "at once"
    for unit, word in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if limit >= 2 * unit or limit == unit:
            return f"{limit // unit} {word}"
    return f"{limit // _SECOND} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows that wait, on an index of open work `(realm, column)`: the question costs what waits, not what ever was."""

    model: type[Model]
    #: What orders them; rows whose time has not come by it do not count, unless `whole`.
    column: str
    whole: bool = False
    where: str = "true"
    #: The same for the console's list.
    look: Mapping[str, str] = field(default_factory=dict)
    #: Since when a row waits, if not since `column`.
    since: str = ""
    #: The column that tells rows of one kind apart.
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of work: in plain words, when it is late and when stuck, because of what, and what to do then."""

    says: str
    because: str
    do: str
    #: Where there are none, either it is or it is not.
    late: Limit | None = None
    stuck: Limit | None = None
    rows: Rows | None = None

    @property
    def limits(self) -> str:
        """When it is late and when stuck, in words; empty where it either is or is not."""
        return ", ".join(dict.fromkeys(plainly(limit) for limit in (self.late, self.stuck) if limit is not None))


_SWEPT = "See worker, queue and broker. If they are well, look for sweep_failed in the worker's log."

KINDS: Mapping[str, Kind] = {
    "obligations_due": Kind(
        says="Due, and not yet asked for",
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        because="rung every second, and a batch takes a second or two: a peak is gone in half a minute",
        do=_SWEPT + " What waits is collected as soon as somebody sweeps; nothing is lost, and nothing taken twice.",
        rows=Rows(model=Obligation, column="collect_at"),
    ),
    "sent_past_lease": Kind(
        says="Sent, and whoever sent it never said how it ended",
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        because="asked about every two seconds from the end of the lease on",
        do=_SWEPT + " Never send one again: the same job asks the channel about it.",
        rows=Rows(model=Deduction, column="ask_at", where="state = 'sent'", look={"state__exact": "sent"}),
    ),
    "asks_due": Kind(
        says="Unknown, and it is time to ask the channel",
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        because="rung every two seconds; asking takes as long as the channel does",
        do=_SWEPT + " A slow channel holds the job up: compare the times of its reports.",
        rows=Rows(model=Deduction, column="ask_at", where="state = 'unknown'", look={"state__exact": "unknown"}),
    ),
    "unknown": Kind(
        says="Outcome unknown, by channel, since it was sent",
        late=10 * _MINUTE,
        stuck=_DAY,
        because="by ten minutes a channel was asked three times; after a day it is asked once a day",
        do="Call the channel with the deduction's number; its answer arrives by itself. Never send, fail or close it by"
        " hand: the money may have been taken.",
        rows=Rows(
            model=Deduction,
            column="ask_at",
            whole=True,
            where="state = 'unknown'",
            look={"state__exact": "unknown"},
            since="sent_at",
            of="channel",
        ),
    ),
    "refunds_to_ask": Kind(
        says="Money on its way back, and it is time to ask the channel",
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        because="rung every two seconds together with the asks about deductions",
        do=_SWEPT + " Never send one again: the same job asks the channel about it.",
        rows=Rows(model=RefundPart, column="ask_at"),
    ),
    "refunds_to_send": Kind(
        says="Money that could not be given back, and it is time to send it again",
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        because="rung every two seconds together with the asks",
        do=_SWEPT + " It is sent again under its own number, four times within two days; then it is a case.",
        rows=Rows(model=RefundPart, column="again_at"),
    ),
    "settlements_due": Kind(
        says="Merchants whose day has ended, and is not yet settled",
        late=10 * _MINUTE,
        stuck=2 * _HOUR,
        because="rung every ten seconds; most days end at one midnight, and a large one takes minutes",
        do=_SWEPT + " merchant_not_settled there names one that cannot be. Missed days are settled in order.",
        rows=Rows(model=Merchant, column="settles_at"),
    ),
    "invoices_due": Kind(
        says="Merchants whose month has ended, and is not yet invoiced",
        late=2 * _HOUR,
        stuck=_DAY,
        because="rung every ten seconds, once the month's last day is settled",
        do=_SWEPT + " A month waits for its last settlement: see settlements_due first.",
        rows=Rows(model=Merchant, column="invoices_at"),
    ),
    "payouts_due": Kind(
        says="Settlements that should have been sent to their merchant",
        late=10 * _MINUTE,
        stuck=2 * _HOUR,
        because="rung every ten seconds, as soon as they are settled",
        do=_SWEPT + " What waits is sent as soon as somebody sweeps.",
        rows=Rows(model=Settlement, column="pay_at"),
    ),
    "payouts_to_ask": Kind(
        says="Money on its way to a merchant, and it is time to ask the bank",
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        because="rung every two seconds together with the asks about deductions",
        do=_SWEPT + " Never send one again: the same job asks the bank about it.",
        rows=Rows(model=Payout, column="ask_at"),
    ),
    "callbacks_due": Kind(
        says="Callbacks of the sandbox bank not yet delivered",
        late=30 * _SECOND,
        stuck=5 * _MINUTE,
        because="rung every two seconds; sandboxes only, a real channel's callback is acted on when it comes",
        do=_SWEPT + " Nobody's money waits: merchants' tests do.",
    ),
    "overdue_due": Kind(
        says="Past its grace, and not yet marked overdue",
        late=2 * _MINUTE,
        stuck=_HOUR,
        because="rung every ten seconds; late it only spares somebody, but new orders are not refused meanwhile",
        do=_SWEPT,
        rows=Rows(
            model=Obligation,
            column="overdue_from",
            where="in_flight IS NULL",
            look={"in_flight__isnull": "True"},
        ),
    ),
    "day_ends_due": Kind(
        says="Days that have ended, and are not yet counted",
        late=_HOUR,
        stuck=12 * _HOUR,
        because="everything overdue ends its day at one midnight: an hour is a long queue, half a day is no queue",
        do=_SWEPT + " Missed days are caught up in order, each with its own fee.",
        rows=Rows(
            model=Obligation,
            column="day_end_at",
            where="day_end_error = '' AND in_flight IS NULL AND kind = 'principal'",
            look={"day_end_error__exact": "", "in_flight__isnull": "True", "kind__exact": "principal"},
        ),
    ),
    "day_ends_failed": Kind(
        says="Days that could not be counted: each waits for a person",
        late=timedelta(),
        stuck=timedelta(),
        because="a row with an error is left out until somebody has looked, so one is one too many",
        do="Read day_end_error on the obligation. Mend the cause, then empty that field: its days are made up for.",
        rows=Rows(
            model=Obligation,
            column="day_end_at",
            whole=True,
            where="day_end_error > ''",
            look={"day_end_error__gt": "", "day_end_at__isnull": "False"},
        ),
    ),
    "orders_expiring": Kind(
        says="Never confirmed in thirty days, and not yet ended",
        late=10 * _MINUTE,
        stuck=6 * _HOUR,
        because="rung every minute; nothing is held for such an order, so nobody feels it",
        do=_SWEPT,
        rows=Rows(model=Order, column="expires_at"),
    ),
    "notices_due": Kind(
        says="Notices that should have gone out",
        late=2 * _MINUTE,
        stuck=30 * _MINUTE,
        because="rung every two seconds; half an hour later people hear of debits they have already seen",
        do="Look at reason on the deliveries: with one, the sender fails; without, " + _SWEPT[0].lower() + _SWEPT[1:],
        rows=Rows(model=Delivery, column="next_at"),
    ),
    "webhooks_due": Kind(
        says="Events not yet sent to a merchant's endpoint, though it answered the last time",
        late=30 * _SECOND,
        stuck=10 * _MINUTE,
        because="rung every second; an endpoint that is slow waits for itself, and one that fails is not counted",
        do="See that a courier runs: the worker of the queue webhooks. Then look at the endpoint's deliveries: one with"
        " many due is slow, or was just sent everything again. Nothing is lost: /v1/events has it all.",
        rows=Rows(
            model=WebhookDelivery,
            column="next_at",
            where="endpoint_id IN (SELECT id FROM merchants_webhookendpoint WHERE failing_from IS NULL)",
            look={"endpoint__failing_from__isnull": "True"},
        ),
    ),
    "cases_open": Kind(
        says="Cases open, by kind: money or word of a channel that only a person can judge",
        late=_DAY,
        stuck=3 * _DAY,
        because="office work: the money stands safely in suspense, but it is somebody's",
        do="Read the deduction's reports and decide with the channel.",
        rows=Rows(
            model=Case,
            column="opened_at",
            whole=True,
            where="closed_at IS NULL",
            look=_UNCLOSED,
            of="kind",
        ),
    ),
    "breaks_open": Kind(
        says="Differences from channels' statements, by kind",
        late=_DAY,
        stuck=3 * _DAY,
        because="the next day's file explains those at the end of a day; the others are office work",
        do="Judge each on its own page in the console: put it into suspense, or say that there is none.",
        rows=Rows(model=Break, column="opened_at", whole=True, where="closed_at IS NULL", look=_UNCLOSED, of="kind"),
    ),
    "disputes_open": Kind(
        says="Debits that a channel took back, and that nobody has answered yet",
        late=3 * _DAY,
        stuck=6 * _DAY,
        because="a channel hears us for seven days; then it is lost",
        do="Answer it with evidence on its own page in the console, or give it up and say who bears it.",
        rows=Rows(model=Dispute, column="opened_at", whole=True, where="state = 'open'", look={"state__exact": "open"}),
    ),
    "concerns_waiting": Kind(
        says="People who asked for help and wait for an answer of ours, by what it is about",
        late=_DAY,
        stuck=3 * _DAY,
        because="office work: a day is a working day's answer, and while a report waits its order stands still",
        do="Answer at /ops/help/, the oldest first.",
        rows=Rows(
            model=Concern,
            column="heard_at",
            whole=True,
            where="state = 'open' AND waits_for = 'staff'",
            look={"state__exact": "open", "waits_for__exact": "staff"},
            of="kind",
        ),
    ),
    "broker": Kind(
        says="The broker answers",
        because="without it nobody rings and nothing is swept",
        do="Start Valkey. It may come back empty: what is due stands in the database.",
    ),
    "worker": Kind(
        says="A worker takes tasks; since its last pulse",
        late=6 * _SECOND,
        stuck=10 * _SECOND,
        because="it beats every two seconds: three missed are a hint, and after ten its pulse is gone",
        do="Start a worker. One that runs and does not beat hangs, or has lost its broker: kill it, at any moment.",
    ),
    "queue": Kind(
        says="Rings that nobody has taken yet",
        late=20,
        stuck=200,
        because="five rings come in a second: twenty wait behind long tasks, two hundred for somebody to take them",
        do="Start more workers, or the courier where none runs. It may be emptied at any time (FLUSHALL): the next"
        " rings find the same rows due.",
    ),
    "unacked": Kind(
        says="Tasks being worked on",
        late=120 * _SECOND,
        stuck=10 * _MINUTE,
        because="no task may run longer than 120 s; after 300 s a dead worker's are handed out again, by a living one",
        do="See worker. A worker must be there to hand them out again; they may also be lost without harm.",
    ),
}
