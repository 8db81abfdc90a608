"""A month's invoice as a paper: what our services cost, settlement by settlement."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _

from billing.models import Invoice, InvoiceLine
from kernel.forms import plain
from kernel.money import Money
from kernel.paper import Facts, Paper, Table, Text, Totals
from kernel.templatetags.house import money


def invoice_paper(invoice: Invoice) -> Paper:
    """The invoice in the reader's language, the same whenever it is printed."""
    lines = list(invoice.lines.select_related("settlement").order_by("id"))

    def shown(minor: int) -> str:
        return plain(Money(minor, invoice.currency))

    def row(line: InvoiceLine) -> tuple[str, ...]:
        returned = shown(-line.returned_minor) if line.returned_minor else "–"
        return _moment(line.settlement.period_until), line.settlement.public_id, shown(line.charged_minor), returned

    sums = [
        (_("Fees"), sum(line.charged_minor for line in lines)),
        (_("Returned with refunds"), -sum(line.returned_minor for line in lines)),
        (_("Fees this month"), invoice.amount_minor),
    ]
    head = [_("Settlement cut-off"), _("Settlement"), _("Fees"), _("Returned")]
    paid = _("Nothing to pay: the fees were deducted from each of these settlements.")
    tax = _("This is not a tax invoice (fapiao).")
    return Paper(
        title=_("Fee invoice"),
        about=invoice.number,
        at=invoice.issued_at,
        name=_("Use now, pay later"),
        blocks=[
            Facts(
                [
                    (_("Merchant"), invoice.merchant.name),
                    (_("From"), _moment(invoice.period_from)),
                    (_("Until"), _moment(invoice.period_until)),
                    (_("Issued"), _moment(invoice.issued_at)),
                ]
            ),
            Totals([(name, money(Money(minor, invoice.currency))) for name, minor in sums]),
            Text(f"{paid}\n{tax}"),
            Table(head, [row(line) for line in lines], widths=[3, 6, 2, 2], figures={2, 3}, title=_("Breakdown")),
        ],
    )


def _moment(value: datetime) -> str:
    return value.astimezone(ZoneInfo(settings.CONSOLE_ZONE)).strftime("%Y-%m-%d %H:%M")
