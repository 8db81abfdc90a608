"""The merchant itself: what it offers, the keys it holds, and who changed what of it."""

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q

from kernel import guards
from kernel.models import Identified, Realm
from kernel.money import BPS, MOST_MINOR
from merchants import rules
from merchants.rules.cutoff import CUTOFF_ZONE, RESERVE_DAYS_MAX


class Merchant(Identified):
    """A tenant. A sandbox merchant has a realm, and so a clock, of its own; live ones share the live realm."""

    prefix = "mch"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="merchants")
    name = models.CharField(max_length=80)
    contact = models.CharField(max_length=200, blank=True)
    #: The same business in the other mode.
    twin = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="+")
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
        ]
        indexes = [
            models.Index(fields=["realm", "settles_at", "id"], name="merchants_to_settle"),
            models.Index(fields=["realm", "invoices_at", "id"], name="merchants_to_invoice"),
        ]

    @property
    def mode(self) -> str:
        return self.realm.mode


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
    grace = models.DurationField(default=timedelta(hours=72))
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
            models.CheckConstraint(name="a_grace_is_not_negative", condition=Q(grace__gte=timedelta())),
            models.CheckConstraint(name="service_currency_is_iso", condition=Q(currency__regex="^[A-Z]{3}$")),
        ]


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
