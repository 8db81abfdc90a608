"""Channel outages: orders that would be deducted from a channel in outage are paused until it is back.

An order is paused for an outage exactly while the channel it would be deducted from is out. `apply_outages` ensures
that in small transactions, run after run: if it is killed, the next run goes on with what is left. What becomes due
before a run has reached it, `pause_due` pauses within the deduction sweep. Deductions in flight are completed.
"""

import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cache
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, TextField, When
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from billing import instrument_queries, queries
from billing.channels import CHANNELS
from billing.models import Instrument, Outage
from billing.refusals import ChannelNotOut, ChannelOut
from kernel.actor import Actor
from kernel.models import Realm
from kernel.refusal import FieldError, Invalid, NotFound
from kernel.sweeps import TIME_BUDGET_SECONDS, process_bisecting, raise_last
from orders import services as orders
from orders.models import Obligation, Order, Pause

ACTOR = Actor.system("outage")
REASON_MAX = 200
#: The orders of how many people are paused, or how many orders resumed, in one transaction.
BATCH = 50
#: How many pauses one query examines for those whose channel is back.
SCAN_SIZE = 2_000


def begin_outage(channel: str, reason: str, *, by: Actor, at: datetime) -> Outage:
    """Declare a channel in outage. From now on no planned deduction is sent to it.

    Raises:
        NotFound: there is no such channel.
        Invalid: the reason is empty or too long.
        ChannelOut: it is out already.
    """
    if channel not in CHANNELS:
        raise NotFound
    _validate_reason(reason)
    try:
        with transaction.atomic():
            return Outage.objects.create(channel=channel, reason=reason.strip(), began_at=at, began_by=str(by))
    except IntegrityError:
        raise ChannelOut from None


def end_outage(channel: str, reason: str, *, by: Actor, at: datetime) -> None:
    """Declare a channel back. Its orders are resumed by the next runs, each where it was paused.

    Raises:
        Invalid: the reason is empty or too long.
        ChannelNotOut: it is not out, or no longer.
    """
    _validate_reason(reason)
    out = Outage.objects.filter(channel=channel, ended_at__isnull=True)
    if not out.update(ended_at=at, ended_by=str(by), ended_because=reason.strip()):
        raise ChannelNotOut


def pause_due(realm_id: int, *, at: datetime, limit: int) -> list[Exception]:
    """Pause what is due now and would be deducted from a channel in outage. Returns the errors."""
    out = queries.channels_in_outage()
    if not out:
        return []
    due = Obligation.objects.filter(realm_id=realm_id, collect_at__lte=at).order_by("collect_at")
    order_ids = _orders_collected_from(out, list(due[:limit]))
    return process_bisecting(
        sorted(order_ids), lambda some: _pause_orders(some, lambda _realm_id: at), event="not_stopped_for_outage"
    )


def apply_outages(*, real: datetime, realm_id: int | None = None) -> None:
    """One run at the real time `real`: resume orders whose channel is back, pause those whose channel is out.

    In all realms or in one; each step for half of a job run's time budget. What is left is for the next run.

    Raises:
        Exception: the last error of an order; the others were processed.
    """
    failures = list[Exception]()
    for step in (resume_next, pause_next):
        until = time.monotonic() + TIME_BUDGET_SECONDS / 2
        cursor = step(None, failures, real=real, limit=BATCH, realm_id=realm_id)
        while cursor and time.monotonic() < until:
            cursor = step(cursor, failures, real=real, limit=BATCH, realm_id=realm_id)
    raise_last(failures)


def pause_next(
    after: UUID | None, failures: list[Exception], *, real: datetime, limit: int, realm_id: int | None = None
) -> UUID | None:
    """Pause orders of the next people who would pay by a channel in outage. Returns the last one, None at the end."""
    out = queries.channels_in_outage()
    if not out:
        return None
    outage_pauses = Pause.objects.filter(order=OuterRef("order"), reason=Pause.Reason.OUTAGE, ended_at__isnull=True)
    affected_instruments = Instrument.objects.filter(
        person=OuterRef("person"), channel__in=out, state=Instrument.State.ACTIVE
    )
    in_realm = {} if realm_id is None else {"realm_id": realm_id}
    owed = Obligation.objects.filter(
        Exists(affected_instruments), ~Exists(outage_pauses), state__in=Obligation.OWED, **in_realm
    )
    later = owed.filter(person_id__gt=after) if after else owed
    people = list(later.order_by("person_id").values_list("person_id", flat=True).distinct()[:limit])
    order_ids, clocks = _orders_collected_from(out, list(owed.filter(person_id__in=people))), _clock_for_realms(real)
    failures += process_bisecting(
        sorted(order_ids), lambda some: _pause_orders(some, clocks), event="not_stopped_for_outage"
    )
    return people[-1] if len(people) == limit else None


@transaction.atomic
def _pause_orders(keys: Sequence[UUID], now_in: Callable[[int], datetime]) -> None:
    """Pause several orders. All orders are locked before any obligation, as everywhere."""
    for order in Order.objects.locked_all(keys):
        if order.state in (Order.State.COMPLETED, Order.State.OVERDUE):
            orders.pause_order(order.id, Pause.Reason.OUTAGE, by=ACTOR, at=now_in(order.realm_id))


def resume_next(
    after: UUID | None, failures: list[Exception], *, real: datetime, limit: int, realm_id: int | None = None
) -> UUID | None:
    """Resume the next paused orders whose channel is back. Returns the last order examined, None at the end."""
    out = queries.channels_in_outage()
    in_realm = {} if realm_id is None else {"order__realm_id": realm_id}
    paused = Pause.objects.filter(reason=Pause.Reason.OUTAGE, ended_at__isnull=True, **in_realm).order_by("order_id")
    later = paused.filter(order_id__gt=after) if after else paused
    scanned = list(later.values_list("order_id", flat=True)[:SCAN_SIZE])
    if not scanned:
        return None
    in_range = later.filter(order_id__lte=scanned[-1])
    pauses = list((in_range.exclude(_is_still_affected(out)) if out else in_range)[:limit])
    clocks = _clock_for_realms(real)
    failures += process_bisecting(
        pauses, lambda some: _resume_orders(some, out, clocks), event="not_let_go_after_outage"
    )
    if len(pauses) == limit:
        return pauses[-1].order_id
    return scanned[-1] if len(scanned) == SCAN_SIZE else None


@transaction.atomic
def _resume_orders(pauses: Sequence[Pause], out: Collection[str], now_in: Callable[[int], datetime]) -> None:
    owed = Obligation.objects.filter(order__in=[pause.order_id for pause in pauses], state__in=Obligation.OWED)
    still_affected = _orders_collected_from(out, list(owed)) if out else set()
    began = {pause.order_id: pause.began_at for pause in pauses}
    for order in Order.objects.locked_all(began.keys() - still_affected):
        at = max(now_in(order.realm_id), began[order.id])  # a sandbox's clock may have been set back
        orders.resume_order(order.id, Pause.Reason.OUTAGE, by=ACTOR, at=at)


def _is_still_affected(out: Collection[str]) -> Exists:
    """For a query on pauses: whether the order would still be deducted from a channel in outage.

    The same rule as _orders_collected_from, in SQL, so that those rows need not be loaded.
    """
    owes, unlimited = OuterRef("owes"), Q(most_minor=None, daily_minor=None)
    fits = Q(Q(most_minor=None) | Q(most_minor__gte=owes), Q(daily_minor=None) | Q(daily_minor__gte=owes))
    usable = Instrument.objects.filter(person=OuterRef("person"), state=Instrument.State.ACTIVE)
    usable = usable.filter(unlimited | Q(fits, limits_currency=OuterRef("currency")))
    turn = Case(When(key=OuterRef("named"), then=0), default=1)
    usable = usable.annotate(key=Cast("id", TextField()), turn=turn).order_by("turn", "priority", "id")
    owed = Obligation.objects.filter(order=OuterRef("order"), state__in=Obligation.OWED)
    amounts = owed.annotate(owes=F("amount_minor") - F("paid_minor"))
    planned = amounts.annotate(named=KT("plan__0__source"), source=Subquery(usable.values("channel")[:1]))
    return Exists(planned.filter(source__in=list(out)))


def _orders_collected_from(channels: Collection[str], rows: Sequence[Obligation]) -> set[UUID]:
    """The orders of these obligations whose next attempt would be made at one of the channels."""
    usable = queries.instruments_of(row.person_id for row in rows)
    order_ids = set()
    for row in rows:
        fits = instrument_queries.within_limits(usable.get(row.person_id, []), row.owed)
        source = instrument_queries.instrument_for_attempt(row.plan[0] if row.plan else {}, fits)
        if source is not None and source.channel in channels:
            order_ids.add(row.order_id)
    return order_ids


def _clock_for_realms(real: datetime) -> Callable[[int], datetime]:
    """The time in a realm at the real time `real`; each realm is looked up once."""
    return cache(lambda realm_id: Realm.objects.get(pk=realm_id).now(real))


def _validate_reason(reason: str) -> None:
    if not 0 < len(reason.strip()) <= REASON_MAX:
        words = format_lazy(_("1 to {most} characters."), most=REASON_MAX)
        raise Invalid(errors=[FieldError("/reason", words)])
