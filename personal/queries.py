"""What stands in somebody's way when they want to leave."""

from uuid import UUID

from accounts.models import Person
from billing.models import Case, Deduction, Refund, Wallet
from orders.models import Concern, Obligation, Order
from personal.models import Erasure, Proof
from portal.models import Member

_LIVE = (Order.State.CREATED, Order.State.OPEN, Order.State.COMPLETED, Order.State.OVERDUE)


def hindrances(person: Person) -> list[str]:
    """Names of `rules.HINDRANCES`, in their order: what must be over before this person can be forgotten."""
    case = Case.objects.filter(closed_at__isnull=True)
    found = {
        "orders": Order.objects.filter(person=person, state__in=_LIVE),
        "owed": Obligation.objects.filter(person=person, state__in=Obligation.PAYABLE),
        "under_way": Deduction.objects.filter(person=person, state__in=Deduction.LIVE),
        "refunds": Refund.objects.filter(person=person, state=Refund.State.PENDING),
        "concerns": Concern.objects.filter(person=person, state=Concern.State.OPEN),
        "cases": case.filter(deduction__person=person) | case.filter(refund_part__refund__person=person),
        "wallet": Wallet.objects.filter(person=person, balance_minor__gt=0),
        "team": Member.objects.filter(user__isnull=False, user_id=person.user_id, removed_at__isnull=True),
    }
    return [name for name, rows in found.items() if rows.exists()]


def erasure_of(person_id: UUID) -> Erasure | None:
    """The request of this person that still stands."""
    return Erasure.objects.filter(person_id=person_id, withdrawn_at__isnull=True).first()


def proofs_of(person_id: UUID) -> list[Proof]:
    """The latest proofs of this person, the newest first."""
    return list(Proof.objects.filter(person_id=person_id).order_by("-id")[:50])
