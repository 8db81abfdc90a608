"""The person's first page: what is wrong, what they owe and when, and what is deducted next."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from accounts.visitor import Visitor, for_person
from billing import purse, queries
from billing.models import Instrument
from billing.outlook import by_then
from billing.queries import Coming
from credit.queries import profile_of
from kernel.money import Money
from orders import queries as orders
from orders import record
from orders.models import Obligation

#: So many of each are shown; the rest is one click away.
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Next:
    """A deduction to come, what it is for, and how much it takes of that order."""

    debt: Obligation
    coming: Coming
    takes: Money


@require_safe
@for_person
def home(visitor: Visitor) -> HttpResponse:
    """A handful of questions, however much there is."""
    person = visitor.person
    every = queries.debts_of(person.id)
    debts = [row for row in every if row.state in Obligation.OWED]
    due = [row for row in debts if row.kind != Obligation.Kind.LATE_FEE]
    usable = queries.instruments_of([person.id]).get(person.id, [])
    late = [row for row in debts if row.state == Obligation.State.OVERDUE]
    coming = _next(debts, usable, person.zone)
    concerns = list(orders.concerns_of(person.id).filter(state="open")[:SHOWN])
    standing, using = profile_of(person.id), record.in_use(person.id, SHOWN)
    return visitor.show(
        "billing/home.html",
        owed=_sums(debts),
        given_up=_sums([row for row in every if row.state == Obligation.State.WRITTEN_OFF]),
        debts=due[:SHOWN],
        more=max(0, len(due) - SHOWN),
        late=_sums(late),
        late_orders=len({row.order_id for row in late}),
        unknown=sum(row.in_flight is not None for row in debts),
        closed=purse.closed_to(person.id),
        nothing_to_pay_from=not usable and any(row.paused_at is None for row in debts),
        can_pay=bool(usable),
        first_way=next(iter(usable), None),
        eased=_sums([row for row in debts if row.order.eased_at]),
        standing=standing,
        new=standing is None or not (using.count or record.first_of(person.id)),
        waiting=record.waiting_for(person.id, at=visitor.at),
        using=using.orders,
        in_use=using.count,
        coming=coming[:SHOWN],
        later=max(0, len(coming) - SHOWN),
        concerns=concerns,
    )


def _sums(debts: list[Obligation]) -> list[Money]:
    """What these come to, in each currency."""
    sums: dict[str, int] = {}
    for row in debts:
        sums[row.currency] = sums.get(row.currency, 0) + row.owed.minor
    return [Money(minor, currency) for currency, minor in sorted(sums.items())]


def _next(debts: list[Obligation], usable: list[Instrument], zone: str) -> list[Next]:
    """The next deductions, the soonest first: what is taken of an order at one time is one. What stands still waits."""
    found: dict[tuple[UUID, datetime], Next] = {}
    spent = orders.units_spent({row.order_id for row in debts if row.order.late_fee_daily_bps})
    for row in debts:
        planned = queries.coming_of([row], usable)
        if planned and row.in_flight is None:
            key, first = (row.order_id, planned[0].at), Next(row, planned[0], Money(0, row.currency))
            known = found.get(key, first)
            takes = by_then(row, debts, planned[0].at, zone, spent=spent.get(row.order_id, 0))
            found[key] = replace(known, takes=known.takes + takes)
    return sorted((item for item in found.values() if item.takes), key=lambda item: item.coming.at)
