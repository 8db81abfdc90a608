"""The printable statement of a settlement: its totals and lines."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _

from billing import settlement_queries
from billing.models import Settlement, SettlementLine
from kernel.documents import Block, Document, FieldList, Table, Text, Totals
from kernel.forms import plain_amount
from kernel.money import Money
from kernel.templatetags.formatting import money

#: A printed statement lists no more lines than this; the downloadable file has all of them.
LINES_MAX = 2_000


def settlement_document(settlement: Settlement, *, at: datetime) -> Document:
    """The statement, in the reader's language."""
    kind_labels, lines = _kind_labels(), settlement_queries.first_lines(settlement, LINES_MAX)
    rows = [
        (
            _format_time(line.row.at),
            kind_labels[line.row.kind],
            line.order.out_order_no if line.order else "–",
            plain_amount(Money(line.row.amount_minor, settlement.currency)),
        )
        for line in lines
    ]
    title = _("Lines")
    blocks: list[Block] = [
        FieldList(_settlement_fields(settlement)),
        Totals(_totals_rows(settlement)),
        Table(
            [_("Posted"), _("Change made"), _("Order"), _("Amount")],
            rows,
            widths=[3, 2, 4, 2],
            amount_columns={3},
            title=title,
        ),
    ]
    if settlement.lines_count > len(rows):
        more = _("First %(shown)d of %(all)d lines. Download all lines from your console.")
        blocks.append(Text(more % {"shown": len(rows), "all": settlement.lines_count}))
    return Document(
        title=_("Settlement statement"),
        subtitle=settlement.public_id,
        created_at=at,
        issuer=settlement.merchant.name,
        blocks=blocks,
    )


def _settlement_fields(settlement: Settlement) -> list[tuple[str, str]]:
    payout = settlement_queries.payout_of(settlement)
    fields = [
        (_("Merchant"), settlement.merchant.name),
        (_("From"), _format_time(settlement.period_from)),
        (_("Until"), _format_time(settlement.period_until)),
    ]
    if payout is not None and payout.account is not None:
        fields.append((_("To"), f"{payout.account.holder}, {payout.account.bank} {payout.account.number_masked}"))
    if settlement.paid_at is not None and payout is not None:
        fields += [(_("Arrived"), _format_time(settlement.paid_at)), (_("Bank reference"), payout.channel_txn or "")]
    return fields


def _totals_rows(settlement: Settlement) -> list[tuple[str, str]]:
    totals = [
        (_("Credited"), settlement.gross_minor),
        (_("Fees"), settlement.fees_minor),
        (_("Refunds"), settlement.refunds_minor),
        (_("Adjustments"), settlement.adjustments_minor),
        (_("Reserve"), settlement.reserve_minor),
        (_("Carried over"), settlement.carried_minor),
        (_("Net"), settlement.net_minor),
    ]
    return [(name, money(Money(minor, settlement.currency))) for name, minor in totals]


def _kind_labels() -> dict[str, str]:
    return {
        SettlementLine.Kind.GROSS: _("Credited"),
        SettlementLine.Kind.FEE: _("Fee"),
        SettlementLine.Kind.REFUND: _("Refund"),
        SettlementLine.Kind.ADJUSTMENT: _("Adjustment"),
        SettlementLine.Kind.RESERVE: _("Reserve"),
        SettlementLine.Kind.CARRIED: _("Carried over"),
    }


def _format_time(value: datetime) -> str:
    return value.astimezone(ZoneInfo(settings.CONSOLE_ZONE)).strftime("%Y-%m-%d %H:%M")
