from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Count, F, Prefetch, QuerySet, Sum

from kernel.money import Money, totals
from kernel.prepared import Reading
from kernel.refusal import NotFound
from kernel.versions import in_force
from orders.models import Concern, EasePolicy, Obligation, Order, Pause
from orders.rules import Ease, Offer, offers

_ORDER = tuple(f.attname for f in Order._meta.concrete_fields)
_OBLIGATION = tuple(f.attname for f in Obligation._meta.concrete_fields)
#: An order beside each of its obligations, or alone.
_WHOLE = Reading(
    lambda merchant, key: (
        Order.objects.filter(merchant_id=merchant, pk=key)
        .order_by("obligations__sequence")
        .values_list(*_ORDER, *(f"obligations__{name}" for name in _OBLIGATION))
    ),
    ["uuid", "uuid"],
)
_IS_OF = Reading(
    lambda merchant, key: Order.objects.filter(merchant_id=merchant, pk=key).values_list("pk"), ["uuid", "uuid"]
)
#: No key sorts after it.
_LAST_KEY = UUID(int=2**128 - 1)
_OWED = Reading(lambda keys: Obligation.objects.filter(order_id__any=keys).order_by("order_id", "sequence"), ["uuid[]"])
_UNPAID = Sum(F("amount_minor") - F("paid_minor"))


@dataclass(frozen=True, slots=True)
class Sheet:
    """One order as its person sees it: what is owed of it in parts and in sum."""

    order: Order
    obligations: Sequence[Obligation]

    @property
    def paid(self) -> Money:
        return Money(sum(row.paid_minor for row in self.obligations), self.order.currency)

    @property
    def owed(self) -> Money:
        return Money(sum(row.owed.minor for row in self.obligations), self.order.currency)

    @property
    def dues(self) -> list[tuple[datetime, Money]]:
        """What is owed when. A late fee has no date of its own, unless a plan gave it one."""
        sums: dict[datetime, Money] = {}
        for row in self.obligations:
            if row.owed and (row.kind != Obligation.Kind.LATE_FEE or self.order.eased_at):
                sums[row.due_at] = sums.get(row.due_at, Money(0, row.currency)) + row.owed
        return sorted(sums.items())

    @property
    def taken_off(self) -> Money:
        """How much less it comes to than its items once did: lowered, or given back before it was collected."""
        order = self.order
        once = sum(line["amount"] for line in order.items) - sum(line["amount"] for line in order.discounts)
        return Money(max(0, once - order.total.minor) if order.items else 0, order.currency)

    @property
    def in_flight(self) -> bool:
        """Whether money may be on its way right now."""
        return any(row.in_flight for row in self.obligations)


def orders_of(merchant_id: UUID) -> QuerySet[Order]:
    """The merchant's orders with what is owed of them."""
    obligations = Prefetch("obligations", Obligation.objects.order_by("sequence"))
    return Order.objects.filter(merchant_id=merchant_id).prefetch_related(obligations)


def unpaid_of(order_ids: Collection[UUID]) -> dict[UUID, int]:
    """What of what was bought nobody has paid, given up as lost or not (minor units)."""
    rows = Obligation.objects.filter(order_id__in=order_ids, kind=Obligation.Kind.PRINCIPAL)
    rows = rows.exclude(state=Obligation.State.WAIVED).order_by()
    return dict(rows.values_list("order_id").annotate(left=Sum(F("amount_minor") - F("paid_minor"))))


def units_spent(order_ids: Collection[UUID]) -> dict[UUID, int]:
    """What of their caps the parts of orders that are owed no more have cost, in units of late fee."""
    if not order_ids:
        return {}
    rows = Obligation.objects.filter(order_id__in=order_ids, fee_units__gt=0).exclude(state__in=Obligation.OWED)
    return dict(rows.order_by().values_list("order_id").annotate(units=Sum("fee_units")))


def sheet_for(merchant_id: UUID, order_id: UUID) -> Sheet:
    """The merchant's own order, whole.

    Raises:
        NotFound: missing, or another merchant's.
    """
    found = _WHOLE.rows(merchant_id, order_id)
    if not found:
        raise NotFound
    order = Order.from_db(DEFAULT_DB_ALIAS, _ORDER, found[0][: len(_ORDER)])
    owed = (row[len(_ORDER) :] for row in found if row[len(_ORDER)] is not None)
    return Sheet(order, [Obligation.from_db(DEFAULT_DB_ALIAS, _OBLIGATION, row) for row in owed])


def sheets(orders: Sequence[Order]) -> list[Sheet]:
    """What is owed of each."""
    owed: dict[UUID, list[Obligation]] = {order.id: [] for order in orders}
    for row in _OWED.rows(list(owed)) if owed else ():
        owed[row.order_id].append(row)
    return [Sheet(order, owed[order.id]) for order in orders]


def newest_of(merchant_id: UUID, *, before: UUID | None, limit: int) -> list[Order]:
    """The merchant's orders, newest first, those before a key."""
    return _newest(limit).rows(merchant_id, before or _LAST_KEY)


@cache
def _newest(limit: int) -> Reading[Order]:
    return Reading(
        lambda merchant, before: Order.objects.filter(merchant_id=merchant, pk__lt=before).order_by("-pk")[:limit],
        ["uuid", "uuid"],
        generic=False,
    )


def is_of(merchant_id: UUID, order_id: UUID) -> bool:
    """Whether it is the merchant's own order."""
    return bool(_IS_OF.rows(merchant_id, order_id))


def order_of(merchant_id: UUID, order_id: UUID) -> Order:
    """The merchant's own order.

    Raises:
        NotFound: missing, or another merchant's.
    """
    order = orders_of(merchant_id).filter(pk=order_id).first()
    if order is None:
        raise NotFound
    return order


def sheet_of(person_id: UUID, order_id: UUID) -> Sheet:
    """The person's own order.

    Raises:
        NotFound: missing, or another person's.
    """
    rows = Order.objects.select_related("merchant", "service").filter(person_id=person_id, pk=order_id)
    order = rows.first()
    if order is None:
        raise NotFound
    return Sheet(order, list(order.obligations.order_by("sequence")))


def easeable(person_id: UUID, order_id: UUID | None) -> QuerySet[Obligation]:
    """What a person owes, of one order or of all of them."""
    here = {"order_id": order_id} if order_id else {}
    return Obligation.objects.filter(person_id=person_id, state__in=Obligation.OWED, **here)


def free_of(rows: Sequence[Obligation]) -> list[Obligation]:
    """What a plan can be made for among all the obligations of some orders, the oldest debt first.

    Not of orders of which anything is in flight, stands still or was given up.
    """
    bound = {
        row.order_id for row in rows if row.in_flight or row.paused_at or row.state == Obligation.State.WRITTEN_OFF
    }
    free = [row for row in rows if row.state in Obligation.OWED and row.order_id not in bound]
    return sorted(free, key=lambda row: (row.due_at, row.id))


def ease_policy(at: datetime) -> Ease:
    """Which plans are granted at once at this moment."""
    terms = in_force(EasePolicy, at=at).terms
    return Ease(**terms | {"parts": tuple(terms["parts"]), "every_days": tuple(terms["every_days"])})


def eased_lately(person_id: UUID, policy: Ease, *, at: datetime) -> bool:
    """Whether the person was granted a plan so lately that a colleague looks at the next one."""
    since = at - timedelta(days=policy.apart_days)
    granted = Concern.objects.filter(person_id=person_id, kind=Concern.Kind.HARDSHIP, outcome=Concern.Outcome.GRANTED)
    return granted.filter(closed_at__gt=since).exists()


@dataclass(frozen=True, slots=True)
class Easing:
    """What a person who finds paying hard can choose from."""

    rows: Sequence[Obligation]
    sums: Sequence[Money]
    offers: Sequence[Offer]
    lately: bool


def easing_of(person_id: UUID, order_id: UUID | None, *, at: datetime) -> Easing:
    """Which debts a plan can be made for, and which plans are granted at once."""
    orders = easeable(person_id, order_id).values("order_id")
    rows = free_of(list(Obligation.objects.filter(order_id__in=orders).select_related("order__merchant")))
    fresh = [row for row in rows if row.order.eased_at is None]
    policy, sums = ease_policy(at), totals(row.owed for row in fresh)
    lately = eased_lately(person_id, policy, at=at)
    return Easing(fresh, sums, [] if lately else offers(policy, sums), lately)


def concerns_of(person_id: UUID) -> QuerySet[Concern]:
    """What a person asked help with, newest first."""
    rows = Concern.objects.select_related("order__merchant", "merchant", "decision__agreement__service")
    return rows.filter(person_id=person_id).order_by("-id")


def concern_of(person_id: UUID, concern_id: UUID) -> Concern:
    """The person's own.

    Raises:
        NotFound: missing, or another person's.
    """
    concern = concerns_of(person_id).filter(pk=concern_id).first()
    if concern is None:
        raise NotFound
    return concern


def reports_of(order_id: UUID) -> list[Concern]:
    """The problems that were reported with an order, newest first."""
    rows = Concern.objects.filter(order_id=order_id, kind=Concern.Kind.PROBLEM).order_by("-id")
    return list(rows.prefetch_related("messages"))


def open_report(order_id: UUID) -> Concern | None:
    """The problem with an order that is being looked into."""
    return Concern.objects.filter(order_id=order_id, kind=Concern.Kind.PROBLEM, state=Concern.State.OPEN).first()


def stands_still(concern: Concern) -> bool:
    """Whether the clock of its order stands still because of the problem it reports."""
    held = Pause.objects.filter(order=concern.order, reason=Pause.Reason.PROBLEM, ended_at__isnull=True)
    return concern.kind == Concern.Kind.PROBLEM and held.exists()


def asked_for_ease(person_id: UUID) -> Concern | None:
    """What the person has asked a colleague for and is not decided yet."""
    waiting = Concern.objects.filter(person_id=person_id, kind=Concern.Kind.HARDSHIP, state=Concern.State.OPEN)
    return waiting.first()


@dataclass(frozen=True, slots=True)
class Used:
    """What is left under one agreement: orders that still run, and what is owed."""

    running: int
    owed: Sequence[Money]


def used_under(agreement_ids: Sequence[UUID]) -> dict[UUID, Used]:
    """What still runs and is owed under these agreements, in two questions."""
    rows = Order.objects.filter(agreement_id__in=agreement_ids, state__in=(Order.State.CREATED, Order.State.OPEN))
    running = dict(rows.order_by().values_list("agreement_id").annotate(n=Count("id")))
    debts = Obligation.objects.filter(order__agreement_id__in=agreement_ids, state__in=Obligation.PAYABLE)
    owed: dict[UUID, list[Money]] = {}
    for key, currency, unpaid in (
        debts.order_by("currency").values_list("order__agreement_id", "currency").annotate(unpaid=_UNPAID)
    ):
        owed.setdefault(key, []).append(Money(unpaid, currency))
    return {key: Used(running.get(key, 0), owed.get(key, [])) for key in agreement_ids}


def concerns_open(*, closed: bool = False) -> QuerySet[Concern]:
    """What people asked help with and is not decided, what has waited for us longest first; or all of it."""
    rows = Concern.objects.select_related("order", "merchant", "person", "decision__agreement__service", "realm")
    rows = rows if closed else rows.filter(state=Concern.State.OPEN)
    return rows.order_by("-waits_for", "heard_at", "id")
