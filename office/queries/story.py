"""One order with everything that belongs to it, in a fixed number of questions however long its life was."""

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

#: Of each kind no more are shown than this; the lists of the console have them all.
SHOWN_MAX = 100


@dataclass(frozen=True, slots=True)
class Step:
    """A state of a life: one it was in, the one it is in, or one it may come to."""

    state: str
    line: History | None
    now: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """An order and all that belongs to it, each in the order in which it happened."""

    order: Order
    life: tuple[Step, ...]
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


def story_of(order_id: UUID) -> Story | None:
    """The order's story; None where there is no such order."""
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
    return Story(
        order=order,
        life=life_of(order, history),
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


def life_of(row: Lifecycle, history: Sequence[History]) -> tuple[Step, ...]:
    """The states it went through, and those it may come to next."""
    moves = [line for line in history if line.source != line.target]
    last = len(moves) - 1
    been = [Step(line.target, line, now=place == last) for place, line in enumerate(moves)]
    ahead = LegalMove.objects.filter(lifecycle=row._meta.db_table, source=row.state).order_by("id")
    return (*been, *(Step(move.target, None) for move in ahead))


def _with_reports(
    lines: Sequence[DeductionLine], deductions: Sequence[UUID]
) -> list[tuple[DeductionLine, list[ChannelReport]]]:
    """Each attempt with what its channel said of it."""
    reports = ChannelReport.objects.filter(deduction__in=deductions).order_by("deduction_id", "id")
    said = {key: list(rows) for key, rows in groupby(reports, key=lambda row: row.deduction_id)}
    return [(line, said.get(line.deduction_id, [])) for line in lines]


def _decisions(history: Sequence[OrderEvent]) -> list[Decision]:
    """The assessments that its history names."""
    named = {UUID(line.data["decision"]) for line in history if line.data.get("decision")}
    return list(Decision.objects.filter(pk__in=named).order_by("id"))


def _notices(order: Order, obligations: Sequence[UUID], deductions: Sequence[UUID]) -> list[Notice]:
    """What its person was told about it, with how each copy got on."""
    about = Q(order_id=order.id) | Q(about__in=[*obligations, *deductions])
    rows = Notice.objects.filter(about, person_id=order.person_id).prefetch_related("deliveries")
    return list(rows.order_by("id")[:SHOWN_MAX])
