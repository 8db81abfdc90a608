"""What blocks an erasure; what a proof can state, and whether a proof is valid."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from accounts.models import Person
from billing.models import Case, Deduction, Dispute, Refund, Return, Wallet
from credit.models import Profile
from kernel.refusal import NotFound
from orders.models import Concern, Obligation, Order
from orders.queries import last_overdue_end
from personal.models import Erasure, Proof
from personal.signing import verify
from portal.models import Member

_UNFINISHED = (Order.State.CREATED, Order.State.OPEN, Order.State.COMPLETED, Order.State.OVERDUE)


def erasure_blockers(person: Person) -> list[str]:
    """What has to be resolved before the person's data can be erased: names of `rules.ERASURE_BLOCKERS`, in their
    order.
    """
    case = Case.objects.filter(closed_at__isnull=True)
    found: dict[str, QuerySet[Any]] = {
        "orders": Order.objects.filter(person=person, state__in=_UNFINISHED),
        "owed": Obligation.objects.filter(person=person, state__in=Obligation.PAYABLE),
        "under_way": Deduction.objects.filter(person=person, state__in=Deduction.LIVE),
        "refunds": Refund.objects.filter(person=person, state=Refund.State.PENDING),
        "returns": Return.objects.filter(person=person, state__in=Return.LIVE),
        "disputes": Dispute.objects.filter(person=person, state__in=Dispute.LIVE),
        "concerns": Concern.objects.filter(person=person, state=Concern.State.OPEN),
        "cases": case.filter(deduction__person=person) | case.filter(refund_part__refund__person=person),
        "wallet": Wallet.objects.filter(person=person, balance_minor__gt=0),
        "team": Member.objects.filter(user__person=person, removed_at__isnull=True),
    }
    return [name for name, rows in found.items() if rows.exists()]


def active_erasure_of(person_id: UUID) -> Erasure | None:
    """The person's erasure request that was not withdrawn."""
    return Erasure.objects.filter(person_id=person_id, withdrawn_at__isnull=True).first()


def proofs_of(person_id: UUID) -> list[Proof]:
    """The person's latest proofs, newest first."""
    return list(Proof.objects.filter(person_id=person_id).order_by("-id")[:50])


def provable_facts(person: Person) -> dict[str, Any]:
    """Those of `rules.FACTS` that are true for the person now, with their values. Dates without times."""
    zone = ZoneInfo(person.zone)
    profile = Profile.objects.filter(person=person).first()
    facts: dict[str, Any] = {}
    if profile is not None:
        facts["band"] = profile.band
        facts["member_since"] = f"{person.created_at.astimezone(zone):%Y-%m}"
        facts["promises_kept"] = profile.kept_orders
        if not profile.overdue_orders:
            kept_since = last_overdue_end(person.id) or profile.created_at
            facts["kept_since"] = kept_since.astimezone(zone).date().isoformat()
            facts["nothing_overdue"] = True
    if person.verified_at is not None:
        facts |= {"verified": True, "name": person.reveal_name()}
    return facts


@dataclass(frozen=True, slots=True)
class StatementStatus:
    """The status of a statement: `valid`, `expired`, `revoked`, or `foreign` if it was not signed by us."""

    state: str
    claims: dict[str, Any]

    @property
    def expires_at(self) -> datetime | None:
        return datetime.fromtimestamp(self.claims["exp"], tz=UTC) if self.claims else None

    @property
    def issued_at(self) -> datetime | None:
        return datetime.fromtimestamp(self.claims["iat"], tz=UTC) if self.claims else None


def check_statement(statement: str, *, at: datetime) -> StatementStatus:
    """The status of a statement. Statements we did not sign are rejected without a query."""
    claims = verify(statement)
    if claims is None:
        return StatementStatus("foreign", {})
    row = Proof.objects.filter(number=claims["jti"]).first()
    if row is None or row.revoked_at is not None:
        return StatementStatus("revoked", claims)
    return StatementStatus("valid" if at.timestamp() < claims["exp"] else "expired", claims)


def proof_of(person_id: UUID, proof_id: UUID) -> Proof:
    """The person's own proof.

    Raises:
        NotFound: missing, or another person's.
    """
    proof = Proof.objects.filter(person_id=person_id, pk=proof_id).first()
    if proof is None:
        raise NotFound
    return proof
