"""The merchant itself, its services and API keys, and the log of changes to them."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django_fsm import transition

from kernel import guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import History, Identified, Realm
from kernel.money import AMOUNT_MINOR_MAX, BPS
from merchants import rules
from merchants.rules.cutoff import CUTOFF_ZONE, RESERVE_DAYS_MAX
from merchants.rules.late_terms import STANDARD_GRACE, LateTerms


class MerchantEvent(History):
    """One line of a merchant's history."""

    subject = models.ForeignKey("Merchant", models.PROTECT, related_name="history", db_index=False)


class Merchant(Lifecycle):
    """A tenant. A sandbox merchant has its own realm, and so its own clock; live merchants share the live realm.

    A sandbox merchant is active at once. A live merchant applies, is checked, approved by two colleagues, then opened.
    """

    prefix = "mch"
    history_model = MerchantEvent
    initial_states = ("applied", "active")

    class State(models.TextChoices):
        APPLIED = "applied"
        CHECKED = "checked"
        APPROVED = "approved"
        ACTIVE = "active"
        SUSPENDED = "suspended"
        REFUSED = "refused"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="merchants", db_index=False)
    name = models.CharField(max_length=80)
    contact = models.CharField(max_length=200, blank=True)
    #: The same business in the other mode.
    twin = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="+")
    state = StateField(default=State.ACTIVE, choices=State.choices, protected=True)
    #: As in the company register.
    legal_name = models.CharField(max_length=120, blank=True)
    registration = models.CharField(max_length=40, blank=True)
    website = models.CharField(max_length=200, blank=True)
    #: Maximum amount of one order of the merchant, above any ceiling of a service; NULL if not set.
    order_most_minor = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    #: The account is cut off and settled each day at this hour in this zone.
    cutoff_zone = models.CharField(max_length=40, default=CUTOFF_ZONE)
    cutoff_hour = models.PositiveSmallIntegerField(default=0)
    #: Share of what is credited that is held as a reserve, and for how many days.
    reserve_bps = models.PositiveSmallIntegerField(default=0)
    reserve_days = models.PositiveSmallIntegerField(default=0)
    #: The next cut-off.
    settles_at = models.DateTimeField()
    #: The next end of a month, when the month's fees are invoiced.
    invoices_at = models.DateTimeField()
    #: Every posting of the account with a smaller id is in a settlement.
    settled_below = models.UUIDField(null=True, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(name="a_cut_off_is_at_an_hour", condition=Q(cutoff_hour__lte=23)),
            models.CheckConstraint(name="a_reserve_is_at_most_the_whole", condition=Q(reserve_bps__lte=BPS)),
            models.CheckConstraint(
                name="a_reserve_is_held_for_days",
                condition=Q(reserve_bps=0) | Q(reserve_days__gte=1, reserve_days__lte=RESERVE_DAYS_MAX),
            ),
            models.CheckConstraint(
                name="an_order_may_come_to_something",
                condition=Q(order_most_minor__isnull=True)
                | Q(order_most_minor__gt=0, order_most_minor__lte=AMOUNT_MINOR_MAX),
            ),
        ]
        indexes = [
            models.Index(fields=["realm", "settles_at", "id"], name="merchants_to_settle"),
            models.Index(fields=["state", "id"], name="merchants_not_active", condition=~Q(state="active")),
            models.Index(fields=["realm", "invoices_at", "id"], name="merchants_to_invoice"),
        ]
        triggers = guards.lifecycle("merchants_merchantevent", frozen_columns=["realm_id", "created_at"])

    @property
    def mode(self) -> str:
        return self.realm.mode

    @property
    def accepts_orders(self) -> bool:
        """Whether new orders and agreements may be opened."""
        return bool(self.state == self.State.ACTIVE)

    @property
    def is_onboarded(self) -> bool:
        """Whether the merchant was ever opened, so that orders may be in progress; also true while suspended."""
        return self.state in {self.State.ACTIVE, self.State.SUSPENDED}

    @transition(field=state, source=State.APPLIED, target=State.CHECKED)
    def pass_checks(self) -> None:
        """Every check passed."""

    @transition(field=state, source=[State.CHECKED, State.APPROVED], target=State.APPLIED)
    def fail_checks(self) -> None:
        """A check that had passed was repeated and failed."""

    @transition(field=state, source=State.CHECKED, target=State.APPROVED)
    def approve(self) -> None:
        """Two colleagues approved it."""

    @transition(field=state, source=State.APPROVED, target=State.ACTIVE)
    def open(self) -> None:
        """New orders are accepted from now on."""

    @transition(field=state, source=[State.APPLIED, State.CHECKED, State.APPROVED], target=State.REFUSED)
    def refuse(self) -> None:
        """The application is refused."""

    @transition(field=state, source=State.ACTIVE, target=State.SUSPENDED)
    def suspend(self) -> None:
        """No new orders or agreements; those in progress end as they would have."""

    @transition(field=state, source=State.SUSPENDED, target=State.ACTIVE)
    def resume(self) -> None:
        """New orders are accepted again."""


class MerchantCheck(Identified):
    """The result of one onboarding check of a merchant, with a reference to its evidence."""

    prefix = "chk"
    append_only: ClassVar[bool] = True

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="checks")
    name = models.CharField(max_length=20)
    passed = models.BooleanField()
    evidence = models.CharField(max_length=200)
    by = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="a_check_has_a_known_name", condition=Q(name__in=rules.CHECKS)),
        ]
        triggers = guards.append_only()


class Service(Identified):
    """What a merchant offers to use now and pay later, and on which terms."""

    prefix = "svc"

    class Mode(models.TextChoices):
        FIXED = "fixed"
        DYNAMIC = "dynamic"

    class Funding(models.TextChoices):
        ON_COLLECTION = "on_collection"
        ADVANCE = "advance"

    class State(models.TextChoices):
        ACTIVE = "active"
        PAUSED = "paused"

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="services")
    name = models.CharField(max_length=40)
    description = models.CharField(max_length=200, blank=True)
    industry = models.CharField(max_length=40, default="general")
    mode = models.CharField(max_length=7, choices=Mode.choices)
    currency = models.CharField(max_length=3, default="CNY")
    #: 风险金: the maximum amount of one order.
    ceiling_minor = models.BigIntegerField()
    confirmation = models.BooleanField(default=False)
    score_min = models.PositiveSmallIntegerField(default=0)
    funding = models.CharField(max_length=13, choices=Funding.choices, default=Funding.ON_COLLECTION)
    fee_bps = models.PositiveSmallIntegerField(default=60)
    #: The fee for orders opened from `next_fee_from` on, approved by two colleagues; NULL if no change is planned.
    next_fee_bps = models.PositiveSmallIntegerField(null=True, blank=True)
    next_fee_from = models.DateTimeField(null=True, blank=True)
    #: Late terms as the service asks for them. Orders get the more lenient of these and the platform's policy.
    grace = models.DurationField(default=STANDARD_GRACE)
    retry_policy = models.CharField(max_length=20, default="standard")
    late_fee_daily_bps = models.PositiveSmallIntegerField(default=0)
    late_fee_cap_bps = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=6, choices=State.choices, default=State.ACTIVE)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                name="a_service_has_a_ceiling", condition=Q(ceiling_minor__gt=0, ceiling_minor__lte=AMOUNT_MINOR_MAX)
            ),
            models.CheckConstraint(name="a_fee_is_less_than_the_whole", condition=Q(fee_bps__lt=10_000)),
            models.CheckConstraint(
                name="a_coming_fee_has_its_moment",
                condition=Q(next_fee_bps__isnull=True, next_fee_from__isnull=True)
                | Q(next_fee_bps__lt=BPS, next_fee_from__isnull=False),
            ),
            models.CheckConstraint(name="a_grace_is_not_negative", condition=Q(grace__gte=timedelta())),
            models.CheckConstraint(name="service_currency_is_iso", condition=Q(currency__regex="^[A-Z]{3}$")),
        ]

    @property
    def realm(self) -> Realm:
        """The realm whose clock applies to the terms."""
        return self.merchant.realm

    @property
    def late_terms(self) -> LateTerms:
        """The late terms that the service asks for."""
        return LateTerms(self.grace, self.late_fee_daily_bps, self.late_fee_cap_bps)

    def fee_bps_at(self, at: datetime) -> int:
        """The platform's fee for an order opened at this moment, in basis points."""
        if self.next_fee_bps is not None and self.next_fee_from is not None and at >= self.next_fee_from:
            return self.next_fee_bps
        return self.fee_bps

    def upcoming_fee(self, at: datetime) -> tuple[int, datetime] | None:
        """The scheduled fee in basis points and its start, if that is still to come."""
        if self.next_fee_bps is not None and self.next_fee_from is not None and at < self.next_fee_from:
            return self.next_fee_bps, self.next_fee_from
        return None


class ApiKey(Identified):
    """An API key of a merchant; only the digest of its secret is stored."""

    prefix = "key"

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=60, blank=True)
    digest = models.BinaryField(max_length=32, unique=True)
    hint = models.CharField(max_length=20)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    #: Last use in real time, accurate to the hour.
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]

    def has_scope(self, scope: rules.Scope) -> bool:
        return scope.value in self.scopes


class Change(Identified):
    """The change log of a merchant: who changed its keys, services, endpoints or itself. Append-only."""

    prefix = "chg"
    append_only: ClassVar[bool] = True

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="changes")
    verb = models.CharField(max_length=40)
    subject_id = models.UUIDField()
    by = models.CharField(max_length=80)
    at = models.DateTimeField()
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]
        triggers = guards.append_only()
