"""Merchants' account balances up to the last settled posting, so that pages need not sum the whole ledger."""

from django.db import models

from merchants.models import Merchant


class Standing(models.Model):
    """The sums of a merchant's postings in one currency whose keys are smaller than `below`.

    Advanced in the transaction that settles a day, up to where no new posting can appear (ADR 21).
    """

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+", db_index=False)
    currency = models.CharField(max_length=3)
    below = models.UUIDField()
    payable_minor = models.BigIntegerField()
    pending_minor = models.BigIntegerField()
    reserve_minor = models.BigIntegerField()
    #: Fees the merchant paid, and amounts credited to them.
    fees_minor = models.BigIntegerField()
    credited_minor = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["merchant", "currency"], name="a_merchant_stands_once_a_currency"),
        ]

    def __str__(self) -> str:
        return f"{self.merchant_id} {self.currency}"
