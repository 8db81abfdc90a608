from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from msgspec import convert

from accounts.models import Person
from credit import rules
from credit.models import Agreement, CurrencyLimit, Decision, LimitChange, Limited, LimitPolicy, Profile, ScoreChange
from credit.refusals import MeantForAnother
from credit.rules import Facts, Grades, Known
from kernel.prepared import Reading
from kernel.refusal import NotFound
from kernel.versions import in_force, said_at


def with_standing(at: Any) -> QuerySet[Agreement]:
    """Agreements with everything that an assessment of their people at this moment looks at."""
    rows = Agreement.objects.select_related("service", "merchant", "person", "person__profile")
    return rows.annotate(limit_policy=said_at(LimitPolicy, at))


_STANDING = Reading(lambda key, at: with_standing(at).filter(pk=key), ["uuid", "timestamptz"])


def has_left(person_id: UUID) -> bool:
    """Whether somebody is gone for good, so that nothing can be asked of them any more."""
    return Profile.objects.filter(pk=person_id, frozen_at__isnull=False).exists()


@dataclass(frozen=True, slots=True)
class Standing:
    """An agreement and its person's profile as they stand now, read together."""

    agreement: Agreement
    profile: Profile | None
    #: What the policy of limits says, and which version of it.
    grades: Grades
    version: int

    @property
    def policy(self) -> str:
        """Which rules judge: written beside every decision."""
        return f"{rules.POLICY}.{self.version}"

    @property
    def abroad(self) -> bool:
        """Whether the service is in another currency than the person's own."""
        return self.profile is not None and self.profile.currency != self.agreement.service.currency

    def facts(self, asked_minor: int) -> Facts:
        """What an assessment of this much more, in the service's currency, would look at."""
        person, profile = self.agreement.person, self.profile
        limited = profile and limited_in(profile, self.agreement.service.currency)
        return Facts(
            verified=person is not None and person.verified_at is not None,
            score=profile.score if profile else 0,
            score_min=self.agreement.service.score_min,
            limit_minor=limited.limit_minor if limited else 0,
            used_minor=limited.used_minor if limited else 0,
            asked_minor=asked_minor,
            overdue_orders=profile.overdue_orders if profile else 0,
            open_orders=profile.open_orders if profile else 0,
            frozen=profile is not None and profile.frozen_at is not None,
            eased_orders=profile.eased_orders if profile else 0,
            open_orders_max=self.grades.open_orders_max,
        )


def standing_of(agreement_id: UUID, *, at: datetime) -> Standing:
    """The agreement with its service, person and profile, and the policy of limits of this moment, in one query.

    Raises:
        NotFound: there is no such agreement.
    """
    found = _STANDING.rows(agreement_id, at)
    if not found:
        raise NotFound
    return standing_under(found[0])


def standing_under(agreement: Agreement) -> Standing:
    """Of an agreement that was read `with_standing`."""
    said = agreement.limit_policy  # type: ignore[attr-defined]
    profile = getattr(agreement.person, "profile", None) if agreement.person_id else None
    return Standing(agreement, profile, convert(said["terms"], Grades), said["version"])


def standing_now(agreement: Agreement, profile: Profile, *, at: datetime) -> Standing:
    """Of an agreement and a profile that are held already."""
    row = in_force(LimitPolicy, at=at)
    return Standing(agreement, profile, convert(row.terms, Grades), row.version)


def grades_at(at: datetime) -> Grades:
    """What the policy of limits says at this moment."""
    return convert(in_force(LimitPolicy, at=at).terms, Grades)


def limit_changes_of(person_id: UUID) -> QuerySet[LimitChange]:
    """What the person's limits were set to, newest first; not that one merely stays or follows their score again."""
    return LimitChange.objects.filter(person_id=person_id).exclude(limit_minor=F("before_minor")).order_by("-id")


def last_changes(person_ids: Iterable[UUID]) -> dict[tuple[UUID, str], LimitChange]:
    """What these people's limits were set to last, by person and currency."""
    rows = LimitChange.objects.filter(person_id__in=list(person_ids)).order_by("person_id", "currency", "-id")
    return {(row.person_id, row.currency): row for row in rows.distinct("person_id", "currency")}


def pinned_of(person_id: UUID) -> set[str]:
    """The currencies of the person's limits that colleagues want to stay, whatever the score."""
    return {currency for (_, currency), last in last_changes([person_id]).items() if last.pinned}


def is_pinned(person_id: UUID, currency: str) -> bool:
    """Whether colleagues want a limit of this person's to stay, whatever the score."""
    return currency in pinned_of(person_id)


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


def services_opened_by(person_id: UUID) -> QuerySet[Agreement]:
    """What the person has opened, newest first."""
    return Agreement.objects.select_related("service", "merchant").filter(person_id=person_id).order_by("-id")


def agreement_before(person: Person, agreement_id: UUID) -> Agreement:
    """An agreement this person may look at: their own, or one of their realm that nobody has signed yet.

    Raises:
        NotFound: missing, another person's, or of another realm.
        MeantForAnother: its merchant asks somebody else.
    """
    theirs = Q(person_id=person.id) | Q(person__isnull=True)
    rows = Agreement.objects.select_related("service", "merchant").filter(theirs, realm_id=person.realm_id)
    agreement = rows.filter(pk=agreement_id).first()
    if agreement is None:
        raise NotFound
    if not is_meant(agreement, person):
        raise MeantForAnother
    return agreement


def is_meant(agreement: Agreement, person: Person) -> bool:
    """Whether this person may sign it: whoever comes by its link, or the one whom the merchant means."""
    theirs = person.user.phone_index if person.user is not None else None
    return agreement.meant_phone is None or bytes(agreement.meant_phone) == bytes(theirs or b"")


def asked_for(agreement_id: UUID) -> Agreement | None:
    """What whoever holds this link is asked for, before they say who they are; None once it is somebody's."""
    waiting = Agreement.objects.select_related("service", "merchant", "realm")
    return waiting.filter(pk=agreement_id, person__isnull=True, state=Agreement.State.PENDING).first()


def last_decision(agreement_id: UUID, person_id: UUID, *, out_order_no: str = "") -> Decision | None:
    """The latest assessment of this person under this agreement: of its opening, or of one order."""
    rows = Decision.objects.filter(agreement_id=agreement_id, person_id=person_id, out_order_no=out_order_no)
    return rows.order_by("-id").first()


def profile_of(person_id: UUID) -> Profile | None:
    """The person's profile; none before they opened their first service."""
    return Profile.objects.filter(pk=person_id).first()


def limited_in(profile: Profile, currency: str) -> Limited | None:
    """What the person may owe of a currency; nothing of one in which they have never opened anything."""
    return (
        profile
        if currency == profile.currency
        else currency_limits_of(profile.person_id).filter(currency=currency).first()
    )


def currency_limits_of(person_id: UUID) -> QuerySet[CurrencyLimit]:
    """What the person may owe of currencies other than their profile's, by their codes."""
    return CurrencyLimit.objects.filter(person_id=person_id).order_by("currency")


def score_changes_of(person_id: UUID) -> QuerySet[ScoreChange]:
    """What raised and lowered the person's score, newest first."""
    return ScoreChange.objects.filter(person_id=person_id).order_by("-id")


def last_broken(person_id: UUID) -> ScoreChange | None:
    """The latest promise the person broke, but for those of which it turned out later that they were not broken."""
    righted = ScoreChange.objects.filter(order_id=OuterRef("order_id"), reason="righted", id__gt=OuterRef("id"))
    return score_changes_of(person_id).filter(~Exists(righted), reason="breached").first()


def decisions_of(person_id: UUID) -> QuerySet[Decision]:
    """Every assessment of the person, newest first."""
    rows = Decision.objects.select_related("agreement__service", "merchant")
    return rows.filter(person_id=person_id).order_by("-id")


def known_of(person: Person, profile: Profile, *, at: datetime) -> Known:
    """What is stored of a person that their score and limit can be explained by."""
    broken = last_broken(person.id)
    return Known(
        verified=person.verified_at is not None,
        kept=profile.kept_orders,
        breached=profile.breached_orders,
        overdue=profile.overdue_orders,
        days_since_breach=(at - broken.at).days if broken else None,
        days_known=(at - profile.created_at).days,
        limit_minor=profile.limit_minor,
        used_minor=profile.used_minor,
    )
