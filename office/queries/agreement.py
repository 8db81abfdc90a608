"""One agreement with what was assessed for it and ordered under it, in a number of questions that does not grow."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from credit.models import Agreement, AgreementEvent, Decision
from office.queries.story import SHOWN_MAX, Step, life_of
from orders.models import Order

#: So many of its orders and assessments are shown, the newest first.
NEWEST_MAX = 20


@dataclass(frozen=True, slots=True)
class AgreementStory:
    """An agreement and what belongs to it; its orders and assessments the newest first."""

    agreement: Agreement
    life: tuple[Step, ...]
    orders: Sequence[Order]
    decisions: Sequence[Decision]
    history: Sequence[AgreementEvent]
    #: Other agreements of the same person with the same service.
    others: Sequence[Agreement]


def story_of(agreement_id: UUID) -> AgreementStory | None:
    """The agreement's story; None where there is no such agreement."""
    rows = Agreement.objects.select_related("realm", "merchant", "service", "person__user")
    agreement = rows.filter(pk=agreement_id).first()
    if agreement is None:
        return None
    history = list(agreement.history.order_by("seq")[:SHOWN_MAX])
    theirs = Order.objects.filter(person=agreement.person, agreement=agreement)
    beside = Agreement.objects.filter(service=agreement.service, person=agreement.person)
    return AgreementStory(
        agreement=agreement,
        life=life_of(agreement, history),
        orders=list(theirs.order_by("-id")[:NEWEST_MAX]) if agreement.person_id else [],
        decisions=list(agreement.decisions.order_by("-id")[:NEWEST_MAX]),
        history=history,
        others=list(beside.exclude(pk=agreement.pk).order_by("-id")[:NEWEST_MAX]) if agreement.person_id else [],
    )
