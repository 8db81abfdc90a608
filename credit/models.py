from datetime import datetime
from typing import ClassVar
from uuid import UUID

import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django_fsm import transition

from accounts.models import Person
from credit import rules
from credit.consent import AgreedTerms
from kernel import guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import History, Identified, Realm
from kernel.money import AMOUNT_MINOR_MAX
from kernel.policy_versions import PolicyVersion
from merchants.models import Merchant, Service
from merchants.rules import ServiceTerms

_LIMIT_TRIGGER_SQL = """
    IF NEW.held_minor > OLD.held_minor AND NEW.held_minor + NEW.outstanding_minor > NEW.limit_minor THEN
        RAISE EXCEPTION 'a hold beyond the limit of %', NEW.person_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'a_hold_stays_within_the_limit';
    END IF;
    RETURN NEW;
"""
#: The actor of changes by review.
REVIEW_ACTOR = "system:review"
_AMOUNTS_NOT_NEGATIVE = Q(held_minor__gte=0, outstanding_minor__gte=0, limit_minor__gte=0)


class Limited(models.Model):
    """A credit limit in one currency, and how much of it is held by open orders or owed."""

    currency = models.CharField(max_length=3, default="CNY")
    limit_minor = models.BigIntegerField()
    held_minor = models.BigIntegerField(default=0)
    outstanding_minor = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        abstract = True
        triggers = [
            pgtrigger.Trigger(
                name="a_hold_stays_within_the_limit",
                when=pgtrigger.Before,
                operation=pgtrigger.UpdateOf("held_minor"),  # type: ignore[no-untyped-call]
                func=_LIMIT_TRIGGER_SQL,
            )
        ]

    @property
    def used_minor(self) -> int:
        return self.held_minor + self.outstanding_minor

    @property
    def available_minor(self) -> int:
        return max(0, self.limit_minor - self.used_minor)


class Profile(Limited):
    """信用档案: a person's score and record, and their limit in the currency of the first service they opened."""

    person = models.OneToOneField(Person, models.PROTECT, primary_key=True, related_name="profile")
    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    score = models.PositiveSmallIntegerField(default=rules.INITIAL_SCORE)
    open_orders = models.PositiveIntegerField(default=0)
    overdue_orders = models.PositiveIntegerField(default=0)
    kept_orders = models.PositiveIntegerField(default=0)
    breached_orders = models.PositiveIntegerField(default=0)
    #: Orders being paid under a hardship plan; there are no new orders until they are paid.
    eased_orders = models.PositiveIntegerField(default=0)
    frozen_at = models.DateTimeField(null=True, blank=True)
    #: When the limits are reviewed next; empty once the person's data was erased.
    review_at = models.DateTimeField(null=True, blank=True)

    class Meta(Limited.Meta):
        indexes = [
            models.Index(fields=["realm", "review_at"], name="limits_to_review", condition=Q(review_at__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(name="what_is_used_is_not_negative", condition=_AMOUNTS_NOT_NEGATIVE),
            models.CheckConstraint(
                name="a_score_has_bounds", condition=Q(score__range=(rules.SCORE_LOWEST, rules.SCORE_HIGHEST))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} {self.score}"

    @property
    def band(self) -> str:
        return rules.band_of(self.score)


class CurrencyLimit(Identified, Limited):
    """The limit in a currency other than the profile's. Counts and score are the profile's."""

    prefix = "cul"

    person = models.ForeignKey(Person, models.PROTECT, related_name="currency_limits", db_index=False)

    class Meta(Limited.Meta):
        constraints = [
            models.CheckConstraint(name="what_is_used_of_a_currency_is_not_negative", condition=_AMOUNTS_NOT_NEGATIVE),
            models.UniqueConstraint(fields=["person", "currency"], name="a_currency_has_one_limit_for_a_person"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} {self.currency}"


class AgreementEvent(History):
    """One event of an agreement's history."""

    subject = models.ForeignKey("Agreement", models.PROTECT, related_name="history", db_index=False)


class Agreement(AgreedTerms, Lifecycle):
    """开通: a person lets a service open credit orders and deduct what they come to."""

    prefix = "agr"
    history_model = AgreementEvent
    initial_states = ("pending",)

    class State(models.TextChoices):
        PENDING = "pending"
        ACTIVE = "active"
        CLOSING = "closing"
        TERMINATED = "terminated"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+", db_index=False)
    service = models.ForeignKey(Service, models.PROTECT, related_name="agreements")
    person = models.ForeignKey(Person, models.PROTECT, null=True, blank=True, related_name="agreements")
    #: The merchant's own ID for the person.
    person_ref = models.CharField(max_length=64)
    #: Blind index of the phone number that the merchant named: nobody else can sign the agreement.
    meant_phone = models.BinaryField(max_length=32, null=True)
    return_url = models.CharField(max_length=500, blank=True)
    state = StateField(default=State.PENDING, choices=State.choices, protected=True)
    #: Orders that have not ended; the authorization lasts until there are none.
    live_orders = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    activated_at = models.DateTimeField(null=True, blank=True)
    closing_at = models.DateTimeField(null=True, blank=True)
    terminated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["service", "person"],
                name="a_person_opens_a_service_once",
                condition=Q(state__in=["active", "closing"]),
            ),
            models.CheckConstraint(
                name="only_a_pending_agreement_has_no_person",
                condition=Q(state__in=["pending", "terminated"]) | Q(person__isnull=False),
            ),
            models.CheckConstraint(
                name="only_what_waits_is_meant_for_a_phone",
                condition=Q(state="pending") | Q(meant_phone__isnull=True),
            ),
            models.CheckConstraint(
                name="whoever_opens_a_service_agrees_to_its_terms",
                condition=Q(person__isnull=True)
                | Q(
                    agreed_ceiling_minor__isnull=False,
                    agreed_confirmation__isnull=False,
                    agreed_grace__isnull=False,
                    agreed_late_fee_daily_bps__isnull=False,
                    agreed_late_fee_cap_bps__isnull=False,
                ),
            ),
        ]
        indexes = [
            models.Index(fields=["merchant", "-id"], name="agreements_of_merchant"),
            models.Index(fields=["merchant", "person_ref"], name="agreements_by_ref"),
            models.Index(fields=["meant_phone"], name="agreements_for_a_phone", condition=Q(meant_phone__isnull=False)),
        ]
        triggers = guards.lifecycle("credit_agreementevent", frozen_columns=["realm_id", "merchant_id", "service_id"])

    @transition(field=state, source=State.PENDING, target=State.ACTIVE)
    def activate(self, person_id: UUID, terms: ServiceTerms, *, at: datetime) -> None:
        self.person_id, self.activated_at, self.meant_phone = person_id, at, None
        self.set_agreed_terms(terms)

    @transition(field=state, source=State.ACTIVE, target=State.CLOSING)
    def close(self, *, at: datetime) -> None:
        self.closing_at = at

    @transition(field=state, source=State.CLOSING, target=State.ACTIVE)
    def reopen(self) -> None:
        self.closing_at = None

    @transition(field=state, source=[State.PENDING, State.ACTIVE, State.CLOSING], target=State.TERMINATED)
    def terminate(self, *, at: datetime) -> None:
        self.terminated_at, self.meant_phone = at, None


class Decision(Identified):
    """风控决策: one assessment with everything it was based on. Append-only."""

    prefix = "dec"
    append_only: ClassVar[bool] = True

    class Occasion(models.TextChoices):
        OPENING = "opening"
        ORDER = "order"
        REVIEW = "review"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, models.PROTECT, related_name="decisions")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    agreement = models.ForeignKey(Agreement, models.PROTECT, related_name="decisions")
    occasion = models.CharField(max_length=7, choices=Occasion.choices)
    out_order_no = models.CharField(max_length=32, blank=True)
    policy = models.CharField(max_length=20)
    inputs = models.JSONField()
    approved = models.BooleanField()
    reasons = models.JSONField(default=list, blank=True)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        triggers = guards.append_only()

    @property
    def missing_minor(self) -> int:
        """How much would have to be paid back for this amount to fit the limit."""
        return rules.missing_minor(self.inputs)

    @property
    def missing_promises(self) -> int:
        """How many promises kept would raise the score far enough."""
        return rules.missing_promises(self.inputs)


class ScoreChange(Identified):
    """A change of the score and its reason. Append-only."""

    prefix = "scr"
    append_only: ClassVar[bool] = True

    person = models.ForeignKey(Person, models.PROTECT, related_name="score_changes")
    reason = models.CharField(max_length=10)
    order_id = models.UUIDField(null=True, blank=True)
    score = models.PositiveSmallIntegerField()
    delta = models.SmallIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        triggers = guards.append_only()


class LimitPolicy(PolicyVersion):
    """The credit limit of each score band and the review interval; `terms` holds the fields of `rules.LimitTerms`."""

    prefix = "lmp"


class LimitChange(Identified):
    """A change of a person's limit, with author and reason. Append-only; the latest one is the current limit."""

    prefix = "lmc"
    append_only: ClassVar[bool] = True
    erasable: ClassVar[tuple[str, ...]] = ("reason",)  # emptied when the person's data is erased

    person = models.ForeignKey(Person, models.PROTECT, related_name="limit_changes")
    currency = models.CharField(max_length=3, default="CNY")
    before_minor = models.BigIntegerField()
    limit_minor = models.BigIntegerField()
    #: Fixed by staff: reviews do not change it.
    pinned = models.BooleanField(default=True)
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="a_limit_has_bounds",
                condition=Q(limit_minor__range=(0, rules.LIMIT_MAX_MINOR))
                | Q(limit_minor__range=(0, AMOUNT_MINOR_MAX)) & ~Q(currency="CNY"),
            )
        ]
        triggers = guards.append_only_but_erasable(
            "reason", protected=["id", "person_id", "currency", "before_minor", "limit_minor", "pinned", "by", "at"]
        )

    @property
    def is_by_review(self) -> bool:
        """Whether a review made the change, not staff."""
        return self.by == REVIEW_ACTOR
