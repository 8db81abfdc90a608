"""What the console counts ahead, so that a page of figures never reads the rows themselves."""

from django.db import models
from django.db.models import Q

from kernel.models import Realm
from merchants.models import Merchant, Service


class Tally(models.Model):
    """How often something happened on one day, and what it came to: for one service, or without a merchant for all.

    Days are those of the console's zone. What `metric` and `key` mean stands in office.queries.streams.
    """

    id = models.BigAutoField(primary_key=True)
    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    service = models.ForeignKey(Service, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    day_on = models.DateField()
    metric = models.CharField(max_length=12)
    key = models.CharField(max_length=60)
    currency = models.CharField(max_length=3, blank=True)
    number = models.PositiveIntegerField()
    amount_minor = models.BigIntegerField()

    class Meta:
        constraints = [
            # In this order it is also the index by which a page finds its days.
            models.UniqueConstraint(
                fields=["realm", "merchant", "day_on", "metric", "key", "service", "currency"],
                name="a_day_is_counted_once_for_each",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="a_tally_is_of_a_service_or_of_all",
                condition=Q(merchant__isnull=True, service__isnull=True)
                | Q(merchant__isnull=False, service__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day_on} {self.metric} {self.key} {self.number}"


class Counted(models.Model):
    """How far a stream of history was counted. Moved on in the transaction that counts, so nothing counts twice."""

    stream = models.CharField(max_length=20, primary_key=True)
    #: The last line that was looked at: keys are ordered by time.
    last = models.UUIDField(null=True, blank=True)
    #: Until when everything that was written is counted, in real time.
    counted_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.stream
