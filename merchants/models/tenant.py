"""The merchant itself: what it offers, the keys it holds, and who changed what of it."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django_fsm import transition

from kernel import guards
from kernel.lifecycle import Lifecycle, StateField
from kernel.models import History, Identified, Realm
from kernel.money import BPS, MOST_MINOR
from merchants import rules
from merchants.rules.cutoff import CUTOFF_ZONE, RESERVE_DAYS_MAX
from merchants.rules.late import STANDARD_GRACE, LateTerms


class MerchantEvent(History):
    """A line of a merchant's history."""

    subject = models.ForeignKey("Merchant", models.PROTECT, related_name="history", db_index=False)


class Merchant(Lifecycle):
    """A tenant. A sandbox merchant has a realm, and so a clock, of its own; live ones share the live realm.

    A sandbox is in use from its first day. A live merchant applies, is looked into, agreed to by two, and then opened.
    """

    prefix = "mch"
    history_model = MerchantEvent
    begins = ("applied", "active")

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
    #: As it stands in the register of companies.
    legal_name = models.CharField(max_length=120, blank=True)
    registration = models.CharField(max_length=40, blank=True)
    website = models.CharField(max_length=200, blank=True)
    #: The most one order of theirs may come to, whatever a service says; none where nobody has set one.
    order_most_minor = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    #: Each day at this hour of this zone its account is cut off and settled.
    cutoff_zone = models.CharField(max_length=40, default=CUTOFF_ZONE)
    cutoff_hour = models.PositiveSmallIntegerField(default=0)
    #: How much of what came in is held back, and for how many days.
    reserve_bps = models.PositiveSmallIntegerField(default=0)
    reserve_days = models.PositiveSmallIntegerField(default=0)
    #: The next cut-off.
    settles_at = models.DateTimeField()
    #: The next end of a month, whose fees are invoiced then.
    invoices_at = models.DateTimeField()
    #: Every posting of its account with a smaller key is in a settlement.
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
                | Q(order_most_minor__gt=0, order_most_minor__lte=MOST_MINOR),
            ),
        ]
        indexes = [
            models.Index(fields=["realm", "settles_at", "id"], name="merchants_to_settle"),
            models.Index(fields=["state", "id"], name="merchants_not_active", condition=~Q(state="active")),
            models.Index(fields=["realm", "invoices_at", "id"], name="merchants_to_invoice"),
        ]
        triggers = guards.lifecycle("merchants_merchantevent", frozen=["realm_id", "created_at"])

    @property
    def mode(self) -> str:
        return self.realm.mode

    @property
    def takes_orders(self) -> bool:
        """Whether anybody may begin to owe them something new."""
        return bool(self.state == self.State.ACTIVE)

    @property
    def joined(self) -> bool:
        """Whether they were let in: orders of theirs may be under way."""
        return self.state in {self.State.ACTIVE, self.State.SUSPENDED}

    @transition(field=state, source=State.APPLIED, target=State.CHECKED)
    def be_checked(self) -> None:
        """Every check came out well."""

    @transition(field=state, source=[State.CHECKED, State.APPROVED], target=State.APPLIED)
    def fail_check(self) -> None:
        """One of them did not, looked at again."""

    @transition(field=state, source=State.CHECKED, target=State.APPROVED)
    def approve(self) -> None:
        """Two colleagues agree to it."""

    @transition(field=state, source=State.APPROVED, target=State.ACTIVE)
    def open(self) -> None:
        """Orders may be opened from now on."""

    @transition(field=state, source=[State.APPLIED, State.CHECKED, State.APPROVED], target=State.REFUSED)
    def refuse(self) -> None:
        """It comes to nothing."""

    @transition(field=state, source=State.ACTIVE, target=State.SUSPENDED)
    def suspend(self) -> None:
        """Nothing new begins; what is under way ends as it would have."""

    @transition(field=state, source=State.SUSPENDED, target=State.ACTIVE)
    def resume(self) -> None:
        """New orders begin again."""


class MerchantCheck(Identified):
    """One thing that was looked into before a merchant is let in: what came out, and where that can be seen."""

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
    """What a merchant offers to use first and pay for later, and on which terms."""

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
    #: 风险金: the most one order of it may come to.
    ceiling_minor = models.BigIntegerField()
    confirmation = models.BooleanField(default=False)
    score_min = models.PositiveSmallIntegerField(default=0)
    funding = models.CharField(max_length=13, choices=Funding.choices, default=Funding.ON_COLLECTION)
    fee_bps = models.PositiveSmallIntegerField(default=60)
    #: Another fee for orders opened from that moment on, as two colleagues agreed; none where nothing is to change.
    next_fee_bps = models.PositiveSmallIntegerField(null=True, blank=True)
    next_fee_from = models.DateTimeField(null=True, blank=True)
    #: What is late and what that costs as the service asks for it. Its orders have what is kinder: this, or the policy.
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
                name="a_service_has_a_ceiling", condition=Q(ceiling_minor__gt=0, ceiling_minor__lte=MOST_MINOR)
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
        """By whose clock its terms count."""
        return self.merchant.realm

    @property
    def late_terms(self) -> LateTerms:
        """As it asks for them."""
        return LateTerms(self.grace, self.late_fee_daily_bps, self.late_fee_cap_bps)

    def fee_at(self, at: datetime) -> int:
        """What of an order opened at this moment is the platform's, in hundredths of a percent."""
        if self.next_fee_bps is not None and self.next_fee_from is not None and at >= self.next_fee_from:
            return self.next_fee_bps
        return self.fee_bps


class ApiKey(Identified):
    """A merchant's secret, of which only the digest is kept."""

    prefix = "key"

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=60, blank=True)
    digest = models.BinaryField(max_length=32, unique=True)
    hint = models.CharField(max_length=20)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    #: About when it opened a door last, in real time; kept to the hour.
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]

    def may(self, scope: rules.Scope) -> bool:
        return scope.value in self.scopes


class Change(Identified):
    """Who changed what of a merchant's own affairs: keys, services, the merchant itself. Append-only."""

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
