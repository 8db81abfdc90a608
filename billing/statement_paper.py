"""A settlement's statement as a paper: what it is made of, and every line of it."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _

from billing import statements
from billing.models import Settlement, SettlementLine
from kernel.forms import plain
from kernel.money import Money
from kernel.paper import Block, Facts, Paper, Table, Text, Totals
from kernel.templatetags.house import money

#: A paper holds no more lines than anybody leafs through; the file has all of them.
LINES_MAX = 2_000


def statement_paper(settlement: Settlement, *, at: datetime) -> Paper:
    """The statement, in the reader's language."""
    words, lines = _words(), statements.first_lines(settlement, LINES_MAX)
    rows = [
        (
            _moment(line.row.at),
            words[line.row.kind],
            line.order.out_order_no if line.order else "–",
            plain(Money(line.row.amount_minor, settlement.currency)),
        )
        for line in lines
    ]
    title = _("Lines")
    blocks: list[Block] = [
        Facts(_facts(settlement)),
        Totals(_totals(settlement)),
        Table(
            [_("Posted"), _("Change made"), _("Order"), _("Amount")],
            rows,
            widths=[3, 2, 4, 2],
            figures={3},
            title=title,
        ),
    ]
    if settlement.lines_count > len(rows):
        more = _("First %(shown)d of %(all)d lines. Download all lines from your console.")
        blocks.append(Text(more % {"shown": len(rows), "all": settlement.lines_count}))
    return Paper(
        title=_("Settlement statement"),
        about=settlement.public_id,
        at=at,
        name=settlement.merchant.name,
        blocks=blocks,
    )


def _facts(settlement: Settlement) -> list[tuple[str, str]]:
    payout = statements.payout_of(settlement)
    facts = [
        (_("Merchant"), settlement.merchant.name),
        (_("From"), _moment(settlement.period_from)),
        (_("Until"), _moment(settlement.period_until)),
    ]
    if payout is not None and payout.account is not None:
        facts.append((_("To"), f"{payout.account.holder}, {payout.account.bank} {payout.account.number_masked}"))
    if settlement.paid_at is not None and payout is not None:
        facts += [(_("Arrived"), _moment(settlement.paid_at)), (_("Bank reference"), payout.channel_txn or "")]
    return facts


def _totals(settlement: Settlement) -> list[tuple[str, str]]:
    sums = [
        (_("Credited"), settlement.gross_minor),
        (_("Fees"), settlement.fees_minor),
        (_("Refunds"), settlement.refunds_minor),
        (_("Adjustments"), settlement.adjustments_minor),
        (_("Reserve"), settlement.reserve_minor),
        (_("Carried over"), settlement.carried_minor),
        (_("Net"), settlement.net_minor),
    ]
    return [(name, money(Money(minor, settlement.currency))) for name, minor in sums]


def _words() -> dict[str, str]:
    return {
        SettlementLine.Kind.GROSS: _("Credited"),
        SettlementLine.Kind.FEE: _("Fee"),
        SettlementLine.Kind.REFUND: _("Refund"),
        SettlementLine.Kind.ADJUSTMENT: _("Adjustment"),
        SettlementLine.Kind.RESERVE: _("Reserve"),
        SettlementLine.Kind.CARRIED: _("Carried over"),
    }


def _moment(value: datetime) -> str:
    return value.astimezone(ZoneInfo(settings.CONSOLE_ZONE)).strftime("%Y-%m-%d %H:%M")
