"""Report panels on debts: recovery after the due date, ageing, roll rates and vintages."""

from collections.abc import Sequence
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel.money import Money
from kernel.templatetags.formatting import money
from office import report_tables, rules
from office.queries.reports import ReportFilter, Total, Totals
from office.report_tables import Cell, Panel, PanelRow


def recovery_panel(totals: Totals, filters: ReportFilter) -> Panel:
    amounts = [
        sum(
            (totals.over_period("vintage", key) for key in totals.keys("vintage") if key.endswith(f":{days}")), Total()
        ).amount_minor
        for days in rules.RECOVERY_DAYS
    ]
    whole, cumulative = sum(amounts), rules.running_totals(amounts)
    labels = [_within_label(days) for days in rules.RECOVERY_DAYS]
    shares = [rules.permille(part, whole) or 0 for part in cumulative]
    return Panel(
        "recovery",
        gettext_lazy("Collections by days past due"),
        (
            gettext_lazy("Collected within"),
            gettext_lazy("Amount"),
            gettext_lazy("Cumulative"),
            gettext_lazy("Cumulative share"),
        ),
        tuple(
            PanelRow(
                label,
                (
                    report_tables.money_cell(amount, filters),
                    report_tables.money_cell(up_to, filters),
                    Cell(rules.percent(up_to, whole)),
                ),
            )
            for label, amount, up_to in zip(labels, amounts, cumulative, strict=True)
        ),
        note=gettext_lazy("For all amounts collected on these days: how long after the due date."),
        chart=rules.column_chart(labels, [shares], [[f"{s // 10}.{s % 10}%" for s in shares]], top_label="100%")
        if whole
        else None,
        series=(gettext_lazy("Cumulative share"),),
    )


def ageing_panel(totals: Totals, days: Sequence[date], filters: ReportFilter) -> Panel:
    """The ageing of overdue debts on the last day of the period with a stock count."""
    counted_days = [
        day for day in days if any((day, "stock", bucket) in totals.by_day for bucket in rules.AGEING_BUCKETS)
    ]
    last = counted_days[-1] if counted_days else None
    stock = [totals.on_day(last, "stock", bucket) if last else Total() for bucket in rules.AGEING_BUCKETS]
    amounts = [money(Money(total.amount_minor, filters.currency)) for total in stock]
    rows = tuple(
        PanelRow(_bucket_label(bucket), (Cell(f"{total.count}", "stock", bucket, last), Cell(amount)))
        for bucket, total, amount in zip(rules.AGEING_BUCKETS, stock, amounts, strict=True)
    )
    return Panel(
        "ageing",
        gettext_lazy("Overdue ageing"),
        (gettext_lazy("Days past due"), gettext_lazy("Debts"), gettext_lazy("Amount")),
        rows,
        note=_("As of %(day)s.") % {"day": last} if last else _("Nothing was overdue at the time of the report."),
        chart=rules.column_chart(
            [_bucket_label(b) for b in rules.AGEING_BUCKETS], [[total.amount_minor for total in stock]], [amounts]
        )
        if last
        else None,
        series=(gettext_lazy("Amount"),),
    )


def roll_rates_panel(totals: Totals) -> Panel:
    entered = [
        (bucket, sum(totals.over_period("bucket", f"{way}:{bucket}").count for way in ("overdue", "aged")), aged.count)
        for bucket in rules.AGEING_BUCKETS
        for aged in [totals.over_period("bucket", f"aged:{bucket}")]
    ]
    headers = (
        gettext_lazy("From"),
        gettext_lazy("To"),
        gettext_lazy("Rolled"),
        gettext_lazy("Base"),
        gettext_lazy("Roll rate"),
    )
    return Panel(
        "rolls",
        gettext_lazy("Roll rates"),
        headers,
        tuple(
            PanelRow(
                _bucket_label(source),
                (
                    Cell(_bucket_label(target)),
                    Cell(f"{rolled}", "bucket" if rolled else "", f"aged:{target}"),
                    Cell(f"{base}"),
                    Cell(rules.percent(rolled, base)),
                ),
            )
            for source, target, rolled, base in rules.roll_rates(entered)
        ),
        note=gettext_lazy(
            "Debts that entered an ageing bucket on these days, and the share that rolled into the next."
        ),
    )


def vintages_panel(totals: Totals, filters: ReportFilter) -> Panel:
    months = sorted({key.partition(":")[0] for key in totals.keys("vintage")}, reverse=True)

    def row(month: str) -> PanelRow:
        owed = totals.over_period("vintage", f"{month}:owed").amount_minor
        collected = rules.running_totals(
            [totals.over_period("vintage", f"{month}:{days}").amount_minor for days in rules.RECOVERY_DAYS]
        )
        return PanelRow(
            month, (report_tables.money_cell(owed, filters), *(Cell(rules.percent(part, owed)) for part in collected))
        )

    return Panel(
        "vintages",
        gettext_lazy("Vintages"),
        (
            gettext_lazy("Completed in"),
            gettext_lazy("Newly due"),
            *(_within_label(days) for days in rules.RECOVERY_DAYS),
        ),
        tuple(row(month) for month in months),
        note=gettext_lazy("For orders completed in a month: the share collected by each time after the due date."),
    )


def _bucket_label(bucket: str) -> str:
    return _("%(bucket)s days") % {"bucket": bucket}


def _within_label(days: int) -> str:
    if not days:
        return _("due date")
    return _("to date") if days == rules.RECOVERY_DAYS[-1] else _("within %(days)d days") % {"days": days}
