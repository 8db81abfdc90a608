"""One agreement with its assessments and orders, in a fixed number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from credit.models import Agreement, AgreementEvent, Decision
from office.queries.order import SHOWN_MAX, LifecycleStep, lifecycle_of
from orders.models import Order

#: How many of its orders and assessments are shown, the newest first.
LATEST_MAX = 20


@dataclass(frozen=True, slots=True)
class AgreementDetail:
    """An agreement and what belongs to it; orders and assessments newest first."""

    agreement: Agreement
    lifecycle: tuple[LifecycleStep, ...]
    orders: Sequence[Order]
    decisions: Sequence[Decision]
    history: Sequence[AgreementEvent]
    #: Other agreements of the same person with the same service.
    other_agreements: Sequence[Agreement]


def agreement_detail(agreement_id: UUID) -> AgreementDetail | None:
    """The agreement's detail; None if there is no such agreement."""
    rows = Agreement.objects.select_related("realm", "merchant", "service", "person__user")
    agreement = rows.filter(pk=agreement_id).first()
    if agreement is None:
        return None
    history = list(agreement.history.order_by("seq")[:SHOWN_MAX])
    orders = Order.objects.filter(person=agreement.person, agreement=agreement)
    others = Agreement.objects.filter(service=agreement.service, person=agreement.person)
    return AgreementDetail(
        agreement=agreement,
        lifecycle=lifecycle_of(agreement, history),
        orders=list(orders.order_by("-id")[:LATEST_MAX]) if agreement.person_id else [],
        decisions=list(agreement.decisions.order_by("-id")[:LATEST_MAX]),
        history=history,
        other_agreements=list(others.exclude(pk=agreement.pk).order_by("-id")[:LATEST_MAX])
        if agreement.person_id
        else [],
    )
