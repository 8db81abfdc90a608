from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Person
from billing.planning import Limits
from kernel import guards
from kernel.models import Identified, Realm

#: How a token begins that leads nowhere any more: its person has left.
GONE = "gone:"


class Instrument(Identified):
    """扣款方式: where a person's money is taken from. A channel's token, never a card number."""

    prefix = "ins"

    class State(models.TextChoices):
        ACTIVE = "active"
        DEAD = "dead"
        REMOVED = "removed"

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, models.PROTECT, related_name="instruments")
    channel = models.CharField(max_length=20)
    token = models.CharField(max_length=64)
    #: What the channel calls it: everybody who sees the plan reads this.
    label = models.CharField(max_length=60)
    #: What its person calls it, which nobody else reads.
    name = models.CharField(max_length=20, blank=True)
    #: The lowest is tried first.
    priority = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=7, choices=State.choices, default=State.ACTIVE)
    dead_because = models.CharField(max_length=40, blank=True)
    #: What its person lets be taken from it in one deduction, and on one of their days; empty for no limit.
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
    def shown(self) -> str:
        """What it is called before its person."""
        return self.name or self.label

    @property
    def limits(self) -> Limits:
        return Limits(self.most_minor, self.daily_minor, self.limits_currency)


class InstrumentChange(Identified):
    """What a person did with one of their instruments: added, put in another place, limited, removed. Append-only."""

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
