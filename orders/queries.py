from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Count, F, Max, Prefetch, Q, QuerySet, Sum

from credit.models import Decision
from kernel.models import LIVE
from kernel.money import Money, sum_by_currency
from kernel.policy_versions import version_in_force
from kernel.prepared_statements import PreparedQuery
from kernel.refusal import NotFound
from orders.models import Concern, EasePolicy, Obligation, Order, OrderEvent, Pause
from orders.rules import HardshipTerms, PlanOffer, plan_offers

_ORDER_COLUMNS = tuple(f.attname for f in Order._meta.concrete_fields)
_OBLIGATION_COLUMNS = tuple(f.attname for f in Obligation._meta.concrete_fields)
#: An order joined with each of its obligations, or alone.
_ORDER_WITH_OBLIGATIONS = PreparedQuery(
    lambda merchant, key: (
        Order.objects.filter(merchant_id=merchant, pk=key)
        .order_by("obligations__sequence")
        .values_list(*_ORDER_COLUMNS, *(f"obligations__{name}" for name in _OBLIGATION_COLUMNS))
    ),
    ["uuid", "uuid"],
)
_ORDER_OF_MERCHANT = PreparedQuery(
    lambda merchant, key: Order.objects.filter(merchant_id=merchant, pk=key).values_list("pk"), ["uuid", "uuid"]
)
#: The highest possible key.
_MAX_KEY = UUID(int=2**128 - 1)
_OBLIGATIONS_OF_ORDERS = PreparedQuery(
    lambda keys: Obligation.objects.filter(order_id__any=keys).order_by("order_id", "sequence"), ["uuid[]"]
)
_UNPAID = Sum(F("amount_minor") - F("paid_minor"))


@dataclass(frozen=True, slots=True)
class OrderDetails:
    """An order with its obligations, and sums over them."""

    order: Order
    obligations: Sequence[Obligation]

    @property
    def paid(self) -> Money:
        return Money(sum(row.paid_minor for row in self.obligations), self.order.currency)

    @property
    def owed(self) -> Money:
        return Money(sum(row.owed.minor for row in self.obligations), self.order.currency)

    @property
    def due_amounts(self) -> list[tuple[datetime, Money]]:
        """The unpaid amounts by due date. Late fees have no due date of their own unless a plan gave them one."""
        sums: dict[datetime, Money] = {}
        for row in self.obligations:
            if row.owed and (row.kind != Obligation.Kind.LATE_FEE or self.order.eased_at):
                sums[row.due_at] = sums.get(row.due_at, Money(0, row.currency)) + row.owed
        return sorted(sums.items())

    @property
    def reduction(self) -> Money:
        """How much the total was reduced below the sum of its items."""
        order = self.order
        original_minor = sum(line["amount"] for line in order.items) - sum(line["amount"] for line in order.discounts)
        return Money(max(0, original_minor - order.total.minor) if order.items else 0, order.currency)

    @property
    def in_flight(self) -> bool:
        """Whether a deduction is in progress."""
        return any(row.in_flight for row in self.obligations)


def orders_of(merchant_id: UUID) -> QuerySet[Order]:
    """The merchant's orders with their obligations."""
    obligations = Prefetch("obligations", Obligation.objects.order_by("sequence"))
    return Order.objects.filter(merchant_id=merchant_id).prefetch_related(obligations)


def unpaid_principal_of(order_ids: Collection[UUID]) -> dict[UUID, int]:
    """The unpaid principal of each order, written off or not (minor units)."""
    rows = Obligation.objects.filter(order_id__in=order_ids, kind=Obligation.Kind.PRINCIPAL)
    rows = rows.exclude(state=Obligation.State.WAIVED).order_by()
    return dict(rows.values_list("order_id").annotate(left=Sum(F("amount_minor") - F("paid_minor"))))


def ended_fee_units(order_ids: Collection[UUID]) -> dict[UUID, int]:
    """The late fee units accrued by the parts of each order that are no longer owed; they count against the cap."""
    if not order_ids:
        return {}
    rows = Obligation.objects.filter(order_id__in=order_ids, fee_units__gt=0).exclude(state__in=Obligation.OWED)
    return dict(rows.order_by().values_list("order_id").annotate(units=Sum("fee_units")))


def merchant_order_details(merchant_id: UUID, order_id: UUID) -> OrderDetails:
    """The merchant's own order with its obligations.

    Raises:
        NotFound: missing, or another merchant's.
    """
    rows = _ORDER_WITH_OBLIGATIONS.rows(merchant_id, order_id)
    if not rows:
        raise NotFound
    order = Order.from_db(DEFAULT_DB_ALIAS, _ORDER_COLUMNS, rows[0][: len(_ORDER_COLUMNS)])
    owed = (row[len(_ORDER_COLUMNS) :] for row in rows if row[len(_ORDER_COLUMNS)] is not None)
    return OrderDetails(order, [Obligation.from_db(DEFAULT_DB_ALIAS, _OBLIGATION_COLUMNS, row) for row in owed])


def details_of_orders(orders: Sequence[Order]) -> list[OrderDetails]:
    """Each order with its obligations."""
    owed: dict[UUID, list[Obligation]] = {order.id: [] for order in orders}
    for row in _OBLIGATIONS_OF_ORDERS.rows(list(owed)) if owed else ():
        owed[row.order_id].append(row)
    return [OrderDetails(order, owed[order.id]) for order in orders]


def latest_orders_of(merchant_id: UUID, *, before: UUID | None, limit: int) -> list[Order]:
    """The merchant's orders, newest first, optionally before a key."""
    return _latest_orders(limit).rows(merchant_id, before or _MAX_KEY)


@cache
def _latest_orders(limit: int) -> PreparedQuery[Order]:
    return PreparedQuery(
        lambda merchant, before: Order.objects.filter(merchant_id=merchant, pk__lt=before).order_by("-pk")[:limit],
        ["uuid", "uuid"],
        generic=False,
    )


def is_order_of(merchant_id: UUID, order_id: UUID) -> bool:
    """Whether the order is the merchant's."""
    return bool(_ORDER_OF_MERCHANT.rows(merchant_id, order_id))


def order_of(merchant_id: UUID, order_id: UUID) -> Order:
    """The merchant's own order.

    Raises:
        NotFound: missing, or another merchant's.
    """
    order = orders_of(merchant_id).filter(pk=order_id).first()
    if order is None:
        raise NotFound
    return order


def person_order_details(person_id: UUID, order_id: UUID) -> OrderDetails:
    """The person's own order.

    Raises:
        NotFound: missing, or another person's.
    """
    rows = Order.objects.select_related("merchant", "service").filter(person_id=person_id, pk=order_id)
    order = rows.first()
    if order is None:
        raise NotFound
    return OrderDetails(order, list(order.obligations.order_by("sequence")))


def last_overdue_end(person_id: UUID) -> datetime | None:
    """When an order of the person was last no longer overdue: paid, cancelled, or given new dates. None if there was
    no such order, not counting those that turned out not to have been overdue.
    """
    overdue = Order.State.OVERDUE
    ends = OrderEvent.objects.filter(subject__person_id=person_id, subject__overdue_at__isnull=False, source=overdue)
    ended_at: datetime | None = ends.exclude(target=overdue).aggregate(last=Max("at"))["last"]
    return ended_at


def owed_obligations(person_id: UUID, order_id: UUID | None) -> QuerySet[Obligation]:
    """What a person owes, of one order or of all."""
    order_filter = {"order_id": order_id} if order_id else {}
    return Obligation.objects.filter(person_id=person_id, state__in=Obligation.OWED, **order_filter)


def plannable_obligations(rows: Sequence[Obligation]) -> list[Obligation]:
    """The obligations that can be put on a plan, oldest debt first.

    Excludes orders with anything in flight, paused or written off.
    """
    blocked_orders = {
        row.order_id for row in rows if row.in_flight or row.paused_at or row.state == Obligation.State.WRITTEN_OFF
    }
    plannable = [row for row in rows if row.state in Obligation.OWED and row.order_id not in blocked_orders]
    return sorted(plannable, key=lambda row: (row.due_at, row.id))


def hardship_terms_at(at: datetime) -> HardshipTerms:
    """The terms for plans granted without review, in force at this time."""
    terms = version_in_force(EasePolicy, at=at).terms
    return HardshipTerms(**terms | {"parts": tuple(terms["parts"]), "every_days": tuple(terms["every_days"])})


def has_recent_plan(person_id: UUID, policy: HardshipTerms, *, at: datetime) -> bool:
    """Whether the person was granted a plan so recently that staff review the next one."""
    since = at - timedelta(days=policy.apart_days)
    granted = Concern.objects.filter(person_id=person_id, kind=Concern.Kind.HARDSHIP, outcome=Concern.Outcome.GRANTED)
    return granted.filter(closed_at__gt=since).exists()


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The debts that can be put on a plan, and the plans on offer."""

    rows: Sequence[Obligation]
    sums: Sequence[Money]
    offers: Sequence[PlanOffer]
    has_recent_plan: bool


def plan_options_for(person_id: UUID, order_id: UUID | None, *, at: datetime) -> PlanOptions:
    """The person's debts that can be put on a plan, and the plans granted without review."""
    orders = owed_obligations(person_id, order_id).values("order_id")
    rows = plannable_obligations(list(Obligation.objects.filter(order_id__in=orders).select_related("order__merchant")))
    without_plan = [row for row in rows if row.order.eased_at is None]
    policy, sums = hardship_terms_at(at), sum_by_currency(row.owed for row in without_plan)
    has_recent = has_recent_plan(person_id, policy, at=at)
    return PlanOptions(without_plan, sums, [] if has_recent else plan_offers(policy, sums), has_recent)


def concerns_of(person_id: UUID) -> QuerySet[Concern]:
    """A person's concerns, newest first."""
    rows = Concern.objects.select_related("order__merchant", "merchant", "decision__agreement__service")
    return rows.filter(person_id=person_id).order_by("-id")


def concern_of(person_id: UUID, concern_id: UUID) -> Concern:
    """The person's own concern.

    Raises:
        NotFound: missing, or another person's.
    """
    concern = concerns_of(person_id).filter(pk=concern_id).first()
    if concern is None:
        raise NotFound
    return concern


def reports_of(order_id: UUID) -> list[Concern]:
    """The problems reported with an order, newest first."""
    rows = Concern.objects.filter(order_id=order_id, kind=Concern.Kind.PROBLEM).order_by("-id")
    return list(rows.prefetch_related("messages"))


def open_report_of(order_id: UUID) -> Concern | None:
    """The open problem report of an order."""
    return Concern.objects.filter(order_id=order_id, kind=Concern.Kind.PROBLEM, state=Concern.State.OPEN).first()


def objection_to(decision: Decision) -> Concern | None:
    """The objection to a decision, unless it was withdrawn."""
    return decision.objections.exclude(state=Concern.State.WITHDRAWN).first()


def is_order_paused(concern: Concern) -> bool:
    """Whether the order is paused because of the problem reported in this concern."""
    pauses = Pause.objects.filter(order=concern.order, reason=Pause.Reason.PROBLEM, ended_at__isnull=True)
    return concern.kind == Concern.Kind.PROBLEM and pauses.exists()


def open_plan_request(person_id: UUID) -> Concern | None:
    """The person's open request for a plan."""
    waiting = Concern.objects.filter(person_id=person_id, kind=Concern.Kind.HARDSHIP, state=Concern.State.OPEN)
    return waiting.first()


@dataclass(frozen=True, slots=True)
class AgreementUsage:
    """What is still open under one agreement: the number of running orders, and what is owed."""

    open_orders: int
    owed: Sequence[Money]


def usage_of_agreements(agreement_ids: Sequence[UUID]) -> dict[UUID, AgreementUsage]:
    """Open orders and unpaid amounts of these agreements, in two queries."""
    rows = Order.objects.filter(agreement_id__in=agreement_ids, state__in=(Order.State.CREATED, Order.State.OPEN))
    running = dict(rows.order_by().values_list("agreement_id").annotate(n=Count("id")))
    debts = Obligation.objects.filter(order__agreement_id__in=agreement_ids, state__in=Obligation.PAYABLE)
    owed: dict[UUID, list[Money]] = {}
    for key, currency, unpaid in (
        debts.order_by("currency").values_list("order__agreement_id", "currency").annotate(unpaid=_UNPAID)
    ):
        owed.setdefault(key, []).append(Money(unpaid, currency))
    return {key: AgreementUsage(running.get(key, 0), owed.get(key, [])) for key in agreement_ids}


def concern_queue(*, include_closed: bool = False, mode: str = "") -> QuerySet[Concern]:
    """Open concerns, those waiting for staff longest first; or all of them. `mode` limits them to live or sandboxes."""
    rows = Concern.objects.select_related("order", "merchant", "person", "decision__agreement__service", "realm")
    rows = rows if include_closed else rows.filter(state=Concern.State.OPEN)
    rows = rows.filter(Q(realm_id=LIVE) if mode == "live" else ~Q(realm_id=LIVE)) if mode else rows
    return rows.order_by("-waits_for", "heard_at", "id")
