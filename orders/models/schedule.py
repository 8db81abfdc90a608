from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models import Person
from kernel import guards
from kernel.models import Identified
from orders.models.obligation import Obligation
from orders.models.order import Order


class Plan(Identified):
    """The planned attempts at one time, and why they were planned. The latest row counts. Append-only.

    Does not include the first attempt, which every order has at its due date.
    """

    prefix = "pln"
    append_only: ClassVar[bool] = True

    class Why(models.TextChoices):
        FAILED = "failed"
        PUT_OFF = "put_off"
        MOVED = "moved"
        RESUMED = "resumed"
        OTHER_INSTRUMENT = "other_instrument"
        NO_INSTRUMENT = "no_instrument"
        EASED = "eased"

    obligation = models.ForeignKey(Obligation, models.PROTECT, related_name="plans")
    person = models.ForeignKey(Person, models.PROTECT, related_name="+")
    why = models.CharField(max_length=16, choices=Why.choices)
    attempts = models.JSONField(default=list, blank=True)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["obligation_id", "id"]
        triggers = guards.append_only()


class Pause(Identified):
    """Why an order is paused, from when, and until when. Several reasons can pause an order at the same time."""

    prefix = "pau"

    class Reason(models.TextChoices):
        PROBLEM = "problem_reported"
        RETURN = "return_under_way"
        REFUND = "refund_in_flight"
        HARDSHIP = "hardship"
        OUTAGE = "channel_outage"

    order = models.ForeignKey(Order, models.PROTECT, related_name="pauses")
    reason = models.CharField(max_length=20, choices=Reason.choices)
    began_at = models.DateTimeField()
    began_by = models.CharField(max_length=80)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["order", "reason"], name="a_reason_holds_once", condition=Q(ended_at__isnull=True)
            ),
            models.CheckConstraint(
                name="a_pause_ends_after_it_began", condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("began_at"))
            ),
        ]
