from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet

from billing.models import Deduction, Instrument


def instruments_of(person_ids: Iterable[UUID]) -> dict[UUID, list[Instrument]]:
    """What may be charged for each person, the first to try first."""
    found: dict[UUID, list[Instrument]] = {}
    rows = Instrument.objects.filter(person_id__in=set(person_ids), state=Instrument.State.ACTIVE)
    for row in rows.order_by("priority", "id"):
        found.setdefault(row.person_id, []).append(row)
    return found


def deductions_of_order(order_id: UUID) -> QuerySet[Deduction]:
    """Every attempt at the order, oldest first."""
    return Deduction.objects.filter(lines__order_id=order_id).select_related("instrument").order_by("id")
