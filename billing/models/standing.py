"""What the book says of a merchant's own accounts, added up as far as nothing can be added any more."""

from django.db import models

from merchants.models import Merchant


class Standing(models.Model):
    """The sums of a merchant's postings in one currency, with keys smaller than `below`: no page adds them up again.

    Moved on in the transaction that settles a day, up to where no posting can appear any more (ADR 21).
    """

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+", db_index=False)
    currency = models.CharField(max_length=3)
    below = models.UUIDField()
    payable_minor = models.BigIntegerField()
    pending_minor = models.BigIntegerField()
    reserve_minor = models.BigIntegerField()
    #: What they paid for our services, and what came in for them.
    fees_minor = models.BigIntegerField()
    credited_minor = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["merchant", "currency"], name="a_merchant_stands_once_a_currency"),
        ]

    def __str__(self) -> str:
        return f"{self.merchant_id} {self.currency}"
