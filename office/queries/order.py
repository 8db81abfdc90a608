"""One order with everything that belongs to it, in a fixed number of queries; and lifecycles of any row."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from django.db.models import Q

from accounts.models import Notice
from billing.models import Case, ChannelReport, DeductionLine, Refund, Return
from credit.models import Decision
from kernel.lifecycle import Lifecycle
from kernel.models import History, LegalMove
from ledger.models import Posting
from merchants.models import Event
from orders.models import Concern, Obligation, Order, OrderEvent, Pause

#: At most this many rows of a kind are shown; the admin lists have them all.
SHOWN_MAX = 100


@dataclass(frozen=True, slots=True)
class LifecycleStep:
    """A state of a lifecycle: passed (with its event), current, or possible next (without an event)."""

    state: str
    event: History | None
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class OrderDetail:
    """An order and all that belongs to it, in chronological order."""

    order: Order
    lifecycle: tuple[LifecycleStep, ...]
    history: Sequence[OrderEvent]
    obligations: Sequence[Obligation]
    attempts: Sequence[tuple[DeductionLine, list[ChannelReport]]]
    postings: Sequence[Posting]
    decisions: Sequence[Decision]
    notices: Sequence[Notice]
    events: Sequence[Event]
    concerns: Sequence[Concern]
    cases: Sequence[Case]
    pauses: Sequence[Pause]
    refunds: Sequence[Refund]
    returns: Sequence[Return]


def order_detail(order_id: UUID) -> OrderDetail | None:
    """The order's detail; None if there is no such order."""
    rows = Order.objects.select_related("realm", "merchant", "service", "person", "agreement")
    order = rows.filter(pk=order_id).first()
    if order is None:
        return None
    history = list(order.history.order_by("seq")[:SHOWN_MAX])
    obligations = list(order.obligations.order_by("sequence"))
    lines = list(
        DeductionLine.objects.filter(order=order).select_related("deduction__instrument").order_by("id")[:SHOWN_MAX]
    )
    deductions = [line.deduction_id for line in lines]
    return OrderDetail(
        order=order,
        lifecycle=lifecycle_of(order, history),
        history=history,
        obligations=obligations,
        attempts=_with_reports(lines, deductions),
        postings=list(Posting.objects.filter(order_id=order.id).order_by("id")[:SHOWN_MAX]),
        decisions=_decisions(history),
        notices=_notices(order, [row.id for row in obligations], deductions),
        events=list(
            Event.objects.filter(subject_id=order.id)
            .prefetch_related("deliveries__endpoint")
            .order_by("id")[:SHOWN_MAX]
        ),
        concerns=list(order.concerns.order_by("id")[:SHOWN_MAX]),
        cases=list(Case.objects.filter(deduction__in=deductions).order_by("id")[:SHOWN_MAX]),
        pauses=list(order.pauses.order_by("id")[:SHOWN_MAX]),
        returns=list(order.returns.order_by("id")[:SHOWN_MAX]),
        refunds=list(order.refunds.order_by("id")[:SHOWN_MAX]),
    )


def lifecycle_of(row: Lifecycle, history: Sequence[History]) -> tuple[LifecycleStep, ...]:
    """The states the row has been in, and those it may enter next."""
    moves = [line for line in history if line.source != line.target]
    last = len(moves) - 1
    passed = [LifecycleStep(line.target, line, is_current=place == last) for place, line in enumerate(moves)]
    possible = LegalMove.objects.filter(lifecycle=row._meta.db_table, source=row.state).order_by("id")
    return (*passed, *(LifecycleStep(move.target, None) for move in possible))


def _with_reports(
    lines: Sequence[DeductionLine], deductions: Sequence[UUID]
) -> list[tuple[DeductionLine, list[ChannelReport]]]:
    """Each deduction attempt with its channel reports."""
    reports = ChannelReport.objects.filter(deduction__in=deductions).order_by("deduction_id", "id")
    by_deduction = {key: list(rows) for key, rows in groupby(reports, key=lambda row: row.deduction_id)}
    return [(line, by_deduction.get(line.deduction_id, [])) for line in lines]


def _decisions(history: Sequence[OrderEvent]) -> list[Decision]:
    """The credit decisions named in the order's history."""
    decision_ids = {UUID(line.data["decision"]) for line in history if line.data.get("decision")}
    return list(Decision.objects.filter(pk__in=decision_ids).order_by("id"))


def _notices(order: Order, obligations: Sequence[UUID], deductions: Sequence[UUID]) -> list[Notice]:
    """Notices to the customer about the order, with their deliveries."""
    about = Q(order_id=order.id) | Q(about__in=[*obligations, *deductions])
    rows = Notice.objects.filter(about, person_id=order.person_id).prefetch_related("deliveries")
    return list(rows.order_by("id")[:SHOWN_MAX])
