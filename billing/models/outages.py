"""Channel outages."""

from django.db import models
from django.db.models import F, Q

from kernel.models import Identified


class Outage(Identified):
    """A declared outage of a channel: the debts it would collect are paused until it is declared recovered."""

    prefix = "out"

    channel = models.CharField(max_length=20)
    reason = models.CharField(max_length=200)
    began_at = models.DateTimeField()
    began_by = models.CharField(max_length=80)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=80, blank=True)
    ended_because = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["channel"], name="a_channel_is_out_once_at_a_time", condition=Q(ended_at__isnull=True)
            ),
            models.CheckConstraint(
                name="an_outage_ends_after_it_began",
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("began_at")),
            ),
        ]
