"""The customer's home page: problems, debts, and upcoming deductions."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.visitor import Visitor, person_page
from billing import instrument_queries, queries
from billing.forecast import amount_at
from billing.models import Instrument
from billing.queries import UpcomingAttempt
from credit.queries import profile_of
from kernel.money import Money
from orders import order_history
from orders import queries as orders
from orders.models import Obligation

#: Items shown per section; the rest is on other pages.
SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class UpcomingDeduction:
    """An upcoming deduction of an order: the obligation, the attempt, and the amount."""

    debt: Obligation
    attempt: UpcomingAttempt
    amount: Money


@require_safe
@person_page
def home(visitor: Visitor) -> HttpResponse:
    """The home page. The number of queries does not depend on the amount of data."""
    person = visitor.person
    all_debts = queries.debts_of(person.id)
    debts = [row for row in all_debts if row.state in Obligation.OWED]
    due = [row for row in debts if row.kind != Obligation.Kind.LATE_FEE]
    usable = queries.instruments_of([person.id]).get(person.id, [])
    overdue = [row for row in debts if row.state == Obligation.State.OVERDUE]
    upcoming = _upcoming_deductions(debts, usable, person.zone)
    concerns = list(orders.concerns_of(person.id).filter(state="open")[:SHOWN_MAX])
    standing, using = profile_of(person.id), order_history.orders_in_use(person.id, SHOWN_MAX)
    return visitor.render(
        "billing/home.html",
        owed=_totals_by_currency(debts),
        written_off=_totals_by_currency([row for row in all_debts if row.state == Obligation.State.WRITTEN_OFF]),
        debts=due[:SHOWN_MAX],
        more=max(0, len(due) - SHOWN_MAX),
        overdue=_totals_by_currency(overdue),
        overdue_orders=len({row.order_id for row in overdue}),
        unknown=sum(row.in_flight is not None for row in debts),
        closed=instrument_queries.closed_instruments(person.id),
        nothing_to_pay_from=not usable and any(row.paused_at is None for row in debts),
        can_pay=bool(usable),
        first_instrument=next(iter(usable), None),
        on_plan=_totals_by_currency([row for row in debts if row.order.eased_at]),
        standing=standing,
        is_new=standing is None or not (using.count or order_history.first_order_at(person.id)),
        awaiting_confirmation=order_history.awaiting_confirmation(person.id, at=visitor.at),
        orders_in_use=using.orders,
        in_use_count=using.count,
        upcoming=upcoming[:SHOWN_MAX],
        upcoming_more=max(0, len(upcoming) - SHOWN_MAX),
        concerns=concerns,
    )


def _totals_by_currency(debts: list[Obligation]) -> list[Money]:
    """The totals of these debts per currency."""
    sums: dict[str, int] = {}
    for row in debts:
        sums[row.currency] = sums.get(row.currency, 0) + row.owed.minor
    return [Money(minor, currency) for currency, minor in sorted(sums.items())]


def _upcoming_deductions(debts: list[Obligation], usable: list[Instrument], zone: str) -> list[UpcomingDeduction]:
    """Upcoming deductions, soonest first, one per order and time. Paused debts have none."""
    upcoming: dict[tuple[UUID, datetime], UpcomingDeduction] = {}
    ended_fees = orders.ended_fee_units({row.order_id for row in debts if row.order.late_fee_daily_bps})
    for row in debts:
        planned = queries.upcoming_attempts([row], usable)
        if planned and row.in_flight is None:
            key, first = (row.order_id, planned[0].at), UpcomingDeduction(row, planned[0], Money(0, row.currency))
            previous = upcoming.get(key, first)
            amount = amount_at(row, debts, planned[0].at, zone, spent=ended_fees.get(row.order_id, 0))
            upcoming[key] = replace(previous, amount=previous.amount + amount)
    return sorted((item for item in upcoming.values() if item.amount), key=lambda item: item.attempt.at)
