"""The printable monthly fee invoice: the platform's fees, settlement by settlement."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _

from billing.models import Invoice, InvoiceLine
from kernel.documents import Document, FieldList, Table, Text, Totals
from kernel.forms import plain_amount
from kernel.money import Money
from kernel.templatetags.formatting import money


def invoice_document(invoice: Invoice) -> Document:
    """The invoice in the reader's language, the same whenever it is printed."""
    lines = list(invoice.lines.select_related("settlement").order_by("id"))

    def formatted(minor: int) -> str:
        return plain_amount(Money(minor, invoice.currency))

    def row(line: InvoiceLine) -> tuple[str, ...]:
        until = _format_time(line.settlement.period_until)
        returned = formatted(-line.returned_minor) if line.returned_minor else "–"
        return until, line.settlement.public_id, formatted(line.charged_minor), returned

    sums = [
        (_("Fees"), sum(line.charged_minor for line in lines)),
        (_("Returned with refunds"), -sum(line.returned_minor for line in lines)),
        (_("Fees this month"), invoice.amount_minor),
    ]
    head = [_("Settlement cut-off"), _("Settlement"), _("Fees"), _("Returned")]
    paid = _("Nothing to pay: the fees were deducted from each of these settlements.")
    tax = _("This is not a tax invoice (fapiao).")
    return Document(
        title=_("Fee invoice"),
        subtitle=invoice.number,
        created_at=invoice.issued_at,
        issuer=_("Use now, pay later"),
        blocks=[
            FieldList(
                [
                    (_("Merchant"), invoice.merchant.name),
                    (_("From"), _format_time(invoice.period_from)),
                    (_("Until"), _format_time(invoice.period_until)),
                    (_("Issued"), _format_time(invoice.issued_at)),
                ]
            ),
            Totals([(name, money(Money(minor, invoice.currency))) for name, minor in sums]),
            Text(f"{paid}\n{tax}"),
            Table(
                head, [row(line) for line in lines], widths=[3, 6, 2, 2], amount_columns={2, 3}, title=_("Breakdown")
            ),
        ],
    )


def _format_time(value: datetime) -> str:
    return value.astimezone(ZoneInfo(settings.CONSOLE_ZONE)).strftime("%Y-%m-%d %H:%M")
