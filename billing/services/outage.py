"""A channel is out: what it would collect stands still until it is back, and then goes on where it stood.

An order stands still for an outage exactly while the channel that it would be collected from is out. `keep_outages`
sees to that in small transactions, over and over: killed at any point, the next round goes on with what is left. What
comes due before the round has reached it, `hold_due` stops in the sweep itself. What is in flight runs to its end.
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

from billing import purse, queries
from billing.channels import CHANNELS
from billing.models import Instrument, Outage
from billing.refusals import ChannelNotOut, ChannelOut
from kernel.actor import Actor
from kernel.models import Realm
from kernel.refusal import FieldError, Invalid, NotFound
from kernel.sweeps import WORKS_FOR_SECONDS, by_halves, raise_last
from orders import services as orders
from orders.models import Obligation, Order, Pause

KEEPER = Actor.system("outage")
REASON_MAX = 200
#: How many people's orders are held, or orders let go, in one transaction.
BATCH = 50
#: How many pauses one statement looks through for those whose channel is back.
STRETCH = 2_000


def begin_outage(channel: str, reason: str, *, by: Actor, at: datetime) -> Outage:
    """A colleague says that a channel is out. From this moment on nothing more is sent to it by plan.

    Raises:
        NotFound: there is no such channel.
        Invalid: no reason is given, or too much of one.
        ChannelOut: it is out already.
    """
    if channel not in CHANNELS:
        raise NotFound
    _judge(reason)
    try:
        with transaction.atomic():
            return Outage.objects.create(channel=channel, reason=reason.strip(), began_at=at, began_by=str(by))
    except IntegrityError:
        raise ChannelOut from None


def end_outage(channel: str, reason: str, *, by: Actor, at: datetime) -> None:
    """A colleague says that it is back. Orders go on in the next rounds, each where it stood.

    Raises:
        Invalid: no reason is given, or too much of one.
        ChannelNotOut: it is not out, or no longer.
    """
    _judge(reason)
    out = Outage.objects.filter(channel=channel, ended_at__isnull=True)
    if not out.update(ended_at=at, ended_by=str(by), ended_because=reason.strip()):
        raise ChannelNotOut


def hold_due(realm_id: int, *, at: datetime, limit: int) -> list[Exception]:
    """What is due now and would be taken from a channel that is out stands still instead. What went wrong with it."""
    out = queries.channels_out()
    if not out:
        return []
    due = Obligation.objects.filter(realm_id=realm_id, collect_at__lte=at).order_by("collect_at")
    found = _collected_from(out, list(due[:limit]))
    return by_halves(sorted(found), lambda some: _hold_all(some, lambda _realm_id: at), told="not_stopped_for_outage")


def keep_outages(*, real: datetime, realm_id: int | None = None) -> None:
    """One round when it is `real` outside: whose channel is out stands still, whose channel is back goes on.

    Everywhere, or in one realm; each of the two for half the time that a ring works. What is left is the next round's.

    Raises:
        Exception: the last of what went wrong with an order; it kept no other waiting.
    """
    failures = list[Exception]()
    for step in (let_go_next, hold_next):
        until = time.monotonic() + WORKS_FOR_SECONDS / 2
        place = step(None, failures, real=real, limit=BATCH, realm_id=realm_id)
        while place and time.monotonic() < until:
            place = step(place, failures, real=real, limit=BATCH, realm_id=realm_id)
    raise_last(failures)


def hold_next(
    after: UUID | None, failures: list[Exception], *, real: datetime, limit: int, realm_id: int | None = None
) -> UUID | None:
    """Stop the orders of the next people who owe and would pay by a channel that is out; the last of them, or None."""
    out = queries.channels_out()
    if not out:
        return None
    held = Pause.objects.filter(order=OuterRef("order"), reason=Pause.Reason.OUTAGE, ended_at__isnull=True)
    there = Instrument.objects.filter(person=OuterRef("person"), channel__in=out, state=Instrument.State.ACTIVE)
    here = {} if realm_id is None else {"realm_id": realm_id}
    owed = Obligation.objects.filter(Exists(there), ~Exists(held), state__in=Obligation.OWED, **here)
    later = owed.filter(person_id__gt=after) if after else owed
    people = list(later.order_by("person_id").values_list("person_id", flat=True).distinct()[:limit])
    found, clocks = _collected_from(out, list(owed.filter(person_id__in=people))), _clocks(real)
    failures += by_halves(sorted(found), lambda some: _hold_all(some, clocks), told="not_stopped_for_outage")
    return people[-1] if len(people) == limit else None


@transaction.atomic
def _hold_all(keys: Sequence[UUID], now_in: Callable[[int], datetime]) -> None:
    """Several orders, locked together before what is owed of any of them: as everywhere."""
    for order in Order.objects.locked_all(keys):
        if order.state in (Order.State.COMPLETED, Order.State.OVERDUE):
            orders.pause_order(order.id, Pause.Reason.OUTAGE, by=KEEPER, at=now_in(order.realm_id))


def let_go_next(
    after: UUID | None, failures: list[Exception], *, real: datetime, limit: int, realm_id: int | None = None
) -> UUID | None:
    """Let the next held orders go on whose channel is back; the last that was passed, or None."""
    out = queries.channels_out()
    here = {} if realm_id is None else {"order__realm_id": realm_id}
    standing = Pause.objects.filter(reason=Pause.Reason.OUTAGE, ended_at__isnull=True, **here).order_by("order_id")
    later = standing.filter(order_id__gt=after) if after else standing
    stretch = list(later.values_list("order_id", flat=True)[:STRETCH])
    if not stretch:
        return None
    passed = later.filter(order_id__lte=stretch[-1])
    pauses = list((passed.exclude(_stays(out)) if out else passed)[:limit])
    clocks = _clocks(real)
    failures += by_halves(pauses, lambda some: _let_go(some, out, clocks), told="not_let_go_after_outage")
    if len(pauses) == limit:
        return pauses[-1].order_id
    return stretch[-1] if len(stretch) == STRETCH else None


@transaction.atomic
def _let_go(pauses: Sequence[Pause], out: Collection[str], now_in: Callable[[int], datetime]) -> None:
    owed = Obligation.objects.filter(order__in=[pause.order_id for pause in pauses], state__in=Obligation.OWED)
    stay = _collected_from(out, list(owed)) if out else set()
    began = {pause.order_id: pause.began_at for pause in pauses}
    for order in Order.objects.locked_all(began.keys() - stay):
        at = max(now_in(order.realm_id), began[order.id])  # a sandbox's clock may have been set back
        orders.resume_order(order.id, Pause.Reason.OUTAGE, by=KEEPER, at=at)


def _stays(out: Collection[str]) -> Exists:
    """Inside a question about pauses: whether the order would still be collected from a channel that is out.

    It says what _collected_from does, of rows that then need not be looked at each.
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


def _collected_from(channels: Collection[str], rows: Sequence[Obligation]) -> set[UUID]:
    """The orders among these obligations' whose next attempt would be made at one of the channels."""
    usable = queries.instruments_of(row.person_id for row in rows)
    found = set()
    for row in rows:
        fits = purse.fitting(usable.get(row.person_id, []), row.owed)
        source = purse.source_of(row.plan[0] if row.plan else {}, fits)
        if source is not None and source.channel in channels:
            found.add(row.order_id)
    return found


def _clocks(real: datetime) -> Callable[[int], datetime]:
    """What time it is in a realm when it is `real` outside; each is looked up once."""
    return cache(lambda realm_id: Realm.objects.get(pk=realm_id).now(real))


def _judge(reason: str) -> None:
    if not 0 < len(reason.strip()) <= REASON_MAX:
        words = format_lazy(_("1 to {most} characters."), most=REASON_MAX)
        raise Invalid(errors=[FieldError("/reason", words)])
