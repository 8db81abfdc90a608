"""Staff decisions on reported problems and objections."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from credit import reassessments
from credit.models import Decision
from kernel.actor import Actor
from orders.models import Concern, Pause
from orders.refusals import TotalInvalid
from orders.services.completion import cancel_order, reduce_total
from orders.services.concerns import close_concern, lock_open_concern
from orders.services.pauses import resume_order


@transaction.atomic
def decide_report(
    concern_id: UUID, outcome: str, answer: str, *, total_minor: int | None = None, by: Actor, at: datetime
) -> Concern:
    """Decide a reported problem: resume the order, reduce its total, or cancel it. Its pause ends.

    Raises:
        NotFound: there is no such report.
        ConcernClosed: it is closed.
        Invalid: the answer is empty or too long.
        DeductionInFlight, AlreadyCollected, OrderState …: the order cannot be changed like that; nothing is
            decided.
    """
    concern = lock_open_concern(concern_id, Concern.Kind.PROBLEM)
    order_id = concern.order_id
    if order_id is None:
        raise AssertionError  # a database constraint requires the order
    if outcome == Concern.Outcome.CANCELLED:
        cancel_order(order_id, _shorten(answer), by=by, at=at)
    elif outcome == Concern.Outcome.LOWERED:
        if total_minor is None:
            raise TotalInvalid
        reduce_total(order_id, total_minor, _shorten(answer), by=by, at=at)
    resume_order(order_id, Pause.Reason.PROBLEM, by=by, at=at)
    close_concern(concern, outcome, answer, by=by, at=at)
    return concern


@transaction.atomic
def decide_objection(
    concern_id: UUID, answer: str, *, reassess: bool, points: int = 0, by: Actor, at: datetime
) -> Decision | None:
    """Uphold the refusal, or `reassess` it on current data after giving back `points` that were taken wrongly.

    Returns the new decision, if there is one.

    Raises:
        NotFound: there is no such objection.
        ConcernClosed: it is closed.
        Invalid: the answer is empty or too long.
    """
    concern = lock_open_concern(concern_id, Concern.Kind.OBJECTION)
    decision = concern.decision
    if decision is None:
        raise AssertionError  # a database constraint requires the decision
    new_decision = reassessments.reassess(decision.id, points=points, at=at) if reassess else None
    outcome = Concern.Outcome.REASSESSED if reassess else Concern.Outcome.UPHELD
    close_concern(
        concern, outcome, answer, by=by, at=at, decision=new_decision.id if new_decision else None, points=points
    )
    return new_decision


def _shorten(answer: str) -> str:
    """The answer, cut to the length of an order's reason."""
    return answer.strip()[:100]
