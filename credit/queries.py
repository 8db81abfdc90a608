from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet
from msgspec import convert

from accounts.models import Person
from credit import rules
from credit.models import Agreement, CurrencyLimit, Decision, LimitChange, Limited, LimitPolicy, Profile, ScoreChange
from credit.refusals import MeantForAnother
from credit.rules import CreditRecord, Facts, LimitTerms
from kernel.policy_versions import terms_subquery, version_in_force
from kernel.prepared_statements import PreparedQuery
from kernel.refusal import NotFound


def with_credit_context(at: Any) -> QuerySet[Agreement]:
    """Agreements with everything that an assessment at this time reads."""
    rows = Agreement.objects.select_related("service", "merchant", "person", "person__profile")
    return rows.annotate(limit_policy=terms_subquery(LimitPolicy, at))


_STANDING = PreparedQuery(lambda key, at: with_credit_context(at).filter(pk=key), ["uuid", "timestamptz"])


def has_left(person_id: UUID) -> bool:
    """Whether the person's data was erased."""
    return Profile.objects.filter(pk=person_id, frozen_at__isnull=False).exists()


@dataclass(frozen=True, slots=True)
class Standing:
    """An agreement with the person's profile and the limit policy, read together."""

    agreement: Agreement
    profile: Profile | None
    #: The limit policy in force, and its version.
    limit_terms: LimitTerms
    version: int

    @property
    def policy(self) -> str:
        """The version of the rules, stored with every decision."""
        return f"{rules.POLICY}.{self.version}"

    @property
    def is_foreign_currency(self) -> bool:
        """Whether the service's currency differs from the profile's."""
        return self.profile is not None and self.profile.currency != self.agreement.service.currency

    def facts(self, asked_minor: int) -> Facts:
        """The facts for assessing an additional amount in the service's currency."""
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
            open_orders_max=self.limit_terms.open_orders_max,
        )


def standing_of(agreement_id: UUID, *, at: datetime) -> Standing:
    """The agreement with its service, person and profile, and the limit policy in force, in one query.

    Raises:
        NotFound: there is no such agreement.
    """
    rows = _STANDING.rows(agreement_id, at)
    if not rows:
        raise NotFound
    return standing_from(rows[0])


def standing_from(agreement: Agreement) -> Standing:
    """The standing of an agreement that was read by `with_credit_context`."""
    policy = agreement.limit_policy  # type: ignore[attr-defined]
    profile = getattr(agreement.person, "profile", None) if agreement.person_id else None
    return Standing(agreement, profile, convert(policy["terms"], LimitTerms), policy["version"])


def build_standing(agreement: Agreement, profile: Profile, *, at: datetime) -> Standing:
    """The standing of an agreement and a profile that are loaded already."""
    row = version_in_force(LimitPolicy, at=at)
    return Standing(agreement, profile, convert(row.terms, LimitTerms), row.version)


def limit_terms_at(at: datetime) -> LimitTerms:
    """The limit policy in force at this time."""
    return convert(version_in_force(LimitPolicy, at=at).terms, LimitTerms)


def limit_changes_of(person_id: UUID) -> QuerySet[LimitChange]:
    """Changes of the person's limit amounts, newest first; without changes of pinning alone."""
    return LimitChange.objects.filter(person_id=person_id).exclude(limit_minor=F("before_minor")).order_by("-id")


def latest_limit_changes(person_ids: Iterable[UUID]) -> dict[tuple[UUID, str], LimitChange]:
    """The latest change of each limit, by person and currency."""
    rows = LimitChange.objects.filter(person_id__in=list(person_ids)).order_by("person_id", "currency", "-id")
    return {(row.person_id, row.currency): row for row in rows.distinct("person_id", "currency")}


def pinned_currencies_of(person_id: UUID) -> set[str]:
    """The currencies of the person's limits that are fixed by staff."""
    return {currency for (_, currency), change in latest_limit_changes([person_id]).items() if change.pinned}


def is_pinned(person_id: UUID, currency: str) -> bool:
    """Whether this limit is fixed by staff."""
    return currency in pinned_currencies_of(person_id)


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
    """The person's agreements, newest first."""
    return Agreement.objects.select_related("service", "merchant").filter(person_id=person_id).order_by("-id")


def agreement_visible_to(person: Person, agreement_id: UUID) -> Agreement:
    """An agreement the person may view: their own, or an unsigned one of their realm.

    Raises:
        NotFound: missing, another person's, or of another realm.
        MeantForAnother: the merchant addressed it to another phone number.
    """
    own_or_unsigned = Q(person_id=person.id) | Q(person__isnull=True)
    rows = Agreement.objects.select_related("service", "merchant").filter(own_or_unsigned, realm_id=person.realm_id)
    agreement = rows.filter(pk=agreement_id).first()
    if agreement is None:
        raise NotFound
    if not is_addressed_to(agreement, person):
        raise MeantForAnother
    return agreement


def is_addressed_to(agreement: Agreement, person: Person) -> bool:
    """Whether this person may sign it: it is addressed to nobody in particular, or to their phone number."""
    phone_index = person.user.phone_index if person.user is not None else None
    return agreement.meant_phone is None or bytes(agreement.meant_phone) == bytes(phone_index or b"")


def pending_agreement(agreement_id: UUID) -> Agreement | None:
    """An unsigned agreement, as shown by its link before sign-in; None once it is signed."""
    waiting = Agreement.objects.select_related("service", "merchant", "realm")
    return waiting.filter(pk=agreement_id, person__isnull=True, state=Agreement.State.PENDING).first()


def latest_decision(agreement_id: UUID, person_id: UUID, *, out_order_no: str = "") -> Decision | None:
    """The latest decision on this person under this agreement: on its opening, or on one order."""
    rows = Decision.objects.filter(agreement_id=agreement_id, person_id=person_id, out_order_no=out_order_no)
    return rows.order_by("-id").first()


def profile_of(person_id: UUID) -> Profile | None:
    """The person's profile; None before they opened their first service."""
    return Profile.objects.filter(pk=person_id).first()


def limited_in(profile: Profile, currency: str) -> Limited | None:
    """The person's limit in this currency; None if they never opened a service in it."""
    return (
        profile
        if currency == profile.currency
        else currency_limits_of(profile.person_id).filter(currency=currency).first()
    )


def currency_limits_of(person_id: UUID) -> QuerySet[CurrencyLimit]:
    """The person's limits in other currencies than their profile's, by currency code."""
    return CurrencyLimit.objects.filter(person_id=person_id).order_by("currency")


def score_changes_of(person_id: UUID) -> QuerySet[ScoreChange]:
    """The person's score changes, newest first."""
    return ScoreChange.objects.filter(person_id=person_id).order_by("-id")


def decisions_of(person_id: UUID) -> QuerySet[Decision]:
    """The person's decisions, newest first."""
    rows = Decision.objects.select_related("agreement__service", "merchant")
    return rows.filter(person_id=person_id).order_by("-id")


def credit_record_of(person: Person, profile: Profile, *, overdue_until: datetime | None, at: datetime) -> CreditRecord:
    """The facts that explain the person's score and limit. `overdue_until`: when the last overdue spell ended."""
    return CreditRecord(
        verified=person.verified_at is not None,
        kept=profile.kept_orders,
        breached=profile.breached_orders,
        overdue=profile.overdue_orders,
        days_since_overdue=(at - overdue_until).days if overdue_until else None,
        days_known=(at - profile.created_at).days,
        limit_minor=profile.limit_minor,
        used_minor=profile.used_minor,
    )
