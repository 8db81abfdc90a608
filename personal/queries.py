"""What stands in somebody's way when they want to leave; what a proof can say of them, and whether one is good."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from accounts.models import Person
from billing.models import Case, Deduction, Dispute, Refund, Return, Wallet
from credit.models import Profile
from credit.queries import last_broken
from kernel.refusal import NotFound
from orders.models import Concern, Obligation, Order
from personal.models import Erasure, Proof
from personal.signing import opened
from portal.models import Member

_LIVE = (Order.State.CREATED, Order.State.OPEN, Order.State.COMPLETED, Order.State.OVERDUE)


def hindrances(person: Person) -> list[str]:
    """Names of `rules.HINDRANCES`, in their order: what must be over before this person can be forgotten."""
    case = Case.objects.filter(closed_at__isnull=True)
    found: dict[str, QuerySet[Any]] = {
        "orders": Order.objects.filter(person=person, state__in=_LIVE),
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


def erasure_of(person_id: UUID) -> Erasure | None:
    """The request of this person that still stands."""
    return Erasure.objects.filter(person_id=person_id, withdrawn_at__isnull=True).first()


def proofs_of(person_id: UUID) -> list[Proof]:
    """The latest proofs of this person, the newest first."""
    return list(Proof.objects.filter(person_id=person_id).order_by("-id")[:50])


def provable(person: Person) -> dict[str, Any]:
    """The facts of `rules.FACTS` that are true of this person now, and what each would say. Days, not moments."""
    zone = ZoneInfo(person.zone)
    profile = Profile.objects.filter(person=person).first()
    facts: dict[str, Any] = {}
    if profile is not None:
        broken = last_broken(person.id)
        facts["band"] = profile.band
        facts["member_since"] = f"{person.created_at.astimezone(zone):%Y-%m}"
        facts["promises_kept"] = profile.kept_orders
        if not profile.overdue_orders:
            kept_since = broken.at if broken else profile.created_at
            facts["kept_since"] = kept_since.astimezone(zone).date().isoformat()
            facts["nothing_overdue"] = True
    if person.verified_at is not None:
        facts |= {"verified": True, "name": person.reveal_name()}
    return facts


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a statement counts: `valid`, `expired`, `revoked`, or `foreign` when it is none of ours."""

    state: str
    claims: dict[str, Any]

    @property
    def expires_at(self) -> datetime | None:
        return datetime.fromtimestamp(self.claims["exp"], tz=UTC) if self.claims else None

    @property
    def issued_at(self) -> datetime | None:
        return datetime.fromtimestamp(self.claims["iat"], tz=UTC) if self.claims else None


def judged(statement: str, *, at: datetime) -> Judgement:
    """What became of a statement. What no key of ours signed costs no question to the database."""
    claims = opened(statement)
    if claims is None:
        return Judgement("foreign", {})
    row = Proof.objects.filter(number=claims["jti"]).first()
    if row is None or row.revoked_at is not None:
        return Judgement("revoked", claims)
    return Judgement("valid" if at.timestamp() < claims["exp"] else "expired", claims)


def proof_of(person_id: UUID, proof_id: UUID) -> Proof:
    """The person's own.

    Raises:
        NotFound: missing, or another person's.
    """
    proof = Proof.objects.filter(person_id=person_id, pk=proof_id).first()
    if proof is None:
        raise NotFound
    return proof
