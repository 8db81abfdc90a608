"""A person's payment methods and the history of their changes."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Person
from billing.planning import Limits
from kernel import guards
from kernel.models import Identified, Realm

#: Prefix of the token of an instrument whose person has closed their account: it charges nothing.
ERASED_PREFIX = "gone:"


class Instrument(Identified):
    """扣款方式: a payment method that deductions are made from. Holds a channel's token, never a card number."""

    prefix = "ins"

    class State(models.TextChoices):
        ACTIVE = "active"
        DEAD = "dead"
        REMOVED = "removed"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, models.PROTECT, related_name="instruments")
    channel = models.CharField(max_length=20)
    token = models.CharField(max_length=64)
    #: The channel's name for it, shown to anybody who sees the plan.
    label = models.CharField(max_length=60)
    #: The person's own name for it, shown to nobody else.
    name = models.CharField(max_length=20, blank=True)
    #: The lowest is tried first.
    priority = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=7, choices=State.choices, default=State.ACTIVE)
    dead_because = models.CharField(max_length=40, blank=True)
    #: The person's spending limits, per deduction and per local day; empty for no limit.
    most_minor = models.BigIntegerField(null=True, blank=True)
    daily_minor = models.BigIntegerField(null=True, blank=True)
    limits_currency = models.CharField(max_length=3, default="CNY")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["person_id", "priority", "id"]
        constraints = [
            models.UniqueConstraint(fields=["channel", "token"], name="a_token_is_one_instrument"),
            models.CheckConstraint(
                name="a_limit_lets_something_through",
                condition=(Q(most_minor__isnull=True) | Q(most_minor__gt=0))
                & (Q(daily_minor__isnull=True) | Q(daily_minor__gt=0)),
            ),
        ]

    @property
    def display_name(self) -> str:
        """The name shown to its person."""
        return self.name or self.label

    @property
    def limits(self) -> Limits:
        return Limits(self.most_minor, self.daily_minor, self.limits_currency)


class InstrumentChange(Identified):
    """A change that a person made to an instrument: added, reordered, limited or removed. Append-only."""

    prefix = "inc"
    append_only: ClassVar[bool] = True

    class Verb(models.TextChoices):
        ADDED = "added"
        PUT = "put"
        LIMITED = "limited"
        REMOVED = "removed"

    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="changes")
    person = models.ForeignKey(Person, models.PROTECT, related_name="+")
    verb = models.CharField(max_length=7, choices=Verb.choices)
    data = models.JSONField(default=dict, blank=True)
    by = models.CharField(max_length=80)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        triggers = guards.append_only()
