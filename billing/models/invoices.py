"""Monthly fee invoices of merchants, one line per settlement."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from billing.models.settlements import Settlement
from kernel import guards
from kernel.models import Identified, Realm
from kernel.money import Money
from merchants.models import Merchant


def format_invoice_number(seq: int) -> str:
    """The printed invoice number, such as INV-000123."""
    return f"INV-{seq:06}"


class Invoice(Identified):
    """手续费账单: a merchant's fees of a month in one currency. Append-only; numbered without gaps."""

    prefix = "ivc"
    append_only: ClassVar[bool] = True

    realm = models.ForeignKey(Realm, models.PROTECT, related_name="+", db_index=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="invoices", db_index=False)
    currency = models.CharField(max_length=3)
    #: The sequence number in its realm: 1, 2, 3 …
    seq = models.PositiveIntegerField()
    #: From the last cut-off of the month before to the last cut-off of its own.
    period_from = models.DateTimeField()
    period_until = models.DateTimeField()
    #: Fees charged less fees returned; negative if more was returned with refunds than charged.
    amount_minor = models.BigIntegerField()
    issued_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["realm", "seq"], name="an_invoice_number_is_given_once"),
            models.UniqueConstraint(
                fields=["merchant", "currency", "period_until"], name="a_month_is_invoiced_once_a_currency"
            ),
            models.CheckConstraint(name="invoices_are_counted_from_one", condition=Q(seq__gt=0)),
            models.CheckConstraint(name="a_month_has_a_length", condition=Q(period_until__gt=F("period_from"))),
        ]
        indexes = [models.Index(fields=["merchant", "-id"], name="invoices_of_merchant")]
        triggers = guards.append_only()

    @property
    def number(self) -> str:
        return format_invoice_number(self.seq)

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


class InvoiceLine(Identified):
    """The fees of one settlement on its one invoice. Its primary key is the settlement's."""

    prefix = "ivl"
    append_only: ClassVar[bool] = True

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="lines", db_index=False)
    settlement = models.OneToOneField(Settlement, models.PROTECT, related_name="invoice_line")
    #: Fees charged and fees returned, both non-negative; the line's amount is their difference.
    charged_minor = models.BigIntegerField()
    returned_minor = models.BigIntegerField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(name="an_invoice_line_is_its_settlement", condition=Q(id=F("settlement"))),
            models.CheckConstraint(
                name="fees_are_charged_and_returned", condition=Q(charged_minor__gte=0, returned_minor__gte=0)
            ),
        ]
        indexes = [models.Index(fields=["invoice", "id"], name="lines_of_invoice")]
        triggers = guards.append_only()

    @property
    def amount_minor(self) -> int:
        return self.charged_minor - self.returned_minor
