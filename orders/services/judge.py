"""How a colleague decides what a person asked help with."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from credit import review
from credit.models import Decision
from kernel.actor import Actor
from orders.models import Concern, Pause
from orders.refusals import TotalInvalid
from orders.services.concerns import close_concern, lock_open
from orders.services.finish import cancel_order, lower_total
from orders.services.pause import resume_order


@transaction.atomic
def decide_report(
    concern_id: UUID, outcome: str, answer: str, *, total_minor: int | None = None, by: Actor, at: datetime
) -> Concern:
    """A reported problem is decided: the order goes on, comes to less, or is called off. Its clock goes on.

    Raises:
        NotFound: there is no such report.
        ConcernClosed: it is over.
        Invalid: no answer is given to the person, or too much of one.
        DeductionInFlight, AlreadyCollected, OrderState …: the order cannot be changed like that; nothing is decided.
    """
    concern = lock_open(concern_id, Concern.Kind.PROBLEM)
    order_id = concern.order_id
    if order_id is None:
        raise AssertionError  # the database holds a report to its order
    if outcome == Concern.Outcome.CANCELLED:
        cancel_order(order_id, _short(answer), by=by, at=at)
    elif outcome == Concern.Outcome.LOWERED:
        if total_minor is None:
            raise TotalInvalid
        lower_total(order_id, total_minor, _short(answer), by=by, at=at)
    resume_order(order_id, Pause.Reason.PROBLEM, by=by, at=at)
    close_concern(concern, outcome, answer, by=by, at=at)
    return concern


@transaction.atomic
def decide_objection(
    concern_id: UUID, answer: str, *, again: bool, points: int = 0, by: Actor, at: datetime
) -> Decision | None:
    """A refusal stands, or is judged `again` on what is true now, after `points` taken wrongly were given back.

    Returns the new decision, if there is one.

    Raises:
        NotFound: there is no such objection.
        ConcernClosed: it is over.
        Invalid: no answer is given to the person, or too much of one.
    """
    concern = lock_open(concern_id, Concern.Kind.OBJECTION)
    decision = concern.decision
    if decision is None:
        raise AssertionError  # the database holds an objection to its decision
    made = review.decide_again(decision.id, points=points, at=at) if again else None
    outcome = Concern.Outcome.REASSESSED if again else Concern.Outcome.UPHELD
    close_concern(concern, outcome, answer, by=by, at=at, decision=made.id if made else None, points=points)
    return made


def _short(answer: str) -> str:
    """As much of an answer as an order keeps of a reason."""
    return answer.strip()[:100]
