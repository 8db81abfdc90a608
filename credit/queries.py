from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from credit.models import Agreement, Profile
from credit.rules import Facts
from kernel.refusal import NotFound


@dataclass(frozen=True, slots=True)
class Standing:
    """An agreement and its person's profile as they stand now, read together."""

    agreement: Agreement
    profile: Profile | None

    def facts(self, asked_minor: int) -> Facts:
        """What an assessment of this much more would look at."""
        person, profile = self.agreement.person, self.profile
        return Facts(
            verified=person is not None and person.verified_at is not None,
            score=profile.score if profile else 0,
            score_min=self.agreement.service.score_min,
            limit_minor=profile.limit_minor if profile else 0,
            used_minor=profile.used_minor if profile else 0,
            asked_minor=asked_minor,
            overdue_orders=profile.overdue_orders if profile else 0,
            open_orders=profile.open_orders if profile else 0,
            frozen=profile is not None and profile.frozen_at is not None,
        )


def standing_of(agreement_id: UUID) -> Standing:
    """The agreement with its service, person and profile, in one query.

    Raises:
        NotFound: there is no such agreement.
    """
    agreement = Agreement.objects.select_related("service", "person", "person__profile").filter(pk=agreement_id).first()
    if agreement is None:
        raise NotFound
    profile = getattr(agreement.person, "profile", None) if agreement.person_id else None
    return Standing(agreement, profile)


def agreement_of(merchant_id: UUID, agreement_id: UUID) -> Agreement:
    """The merchant's own agreement.

    Raises:
        NotFound: missing, or another merchant's.
    """
    agreement = (
        Agreement.objects.select_related("service", "person").filter(merchant_id=merchant_id, pk=agreement_id).first()
    )
    if agreement is None:
        raise NotFound
    return agreement


def agreements_of(merchant_id: UUID) -> QuerySet[Agreement]:
    """The merchant's agreements, newest first."""
    return Agreement.objects.select_related("service", "person").filter(merchant_id=merchant_id).order_by("-id")
