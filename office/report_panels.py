"""The panels of the reports, one function each, built from tallies."""

from collections.abc import Sequence
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel.console_actions import StrOrPromise
from kernel.money import Money
from kernel.templatetags.formatting import money
from office import debt_panels, report_tables, rules
from office.labels import DECLINE_REASONS
from office.queries.reports import ReportFilter, Totals
from office.report_tables import Cell, Panel, PanelRow
from portal.labels import FAILURE_LABELS

ORDER_KEYS = {
    "open": gettext_lazy("New orders"),
    "completed": gettext_lazy("Completed"),
    "deducted": gettext_lazy("Paid in full"),
    "overdue": gettext_lazy("Newly overdue"),
    "cancelled": gettext_lazy("Cancelled"),
}
BOOK_KEYS = {
    "owed": gettext_lazy("Newly due"),
    "collected": gettext_lazy("Deducted"),
    "elsewhere": gettext_lazy("Paid to merchant directly"),
    "refunded": gettext_lazy("Refunded"),
    "written_off": gettext_lazy("Written off"),
    "fees": gettext_lazy("Merchant fees charged"),
    "late_fees": gettext_lazy("Late fees"),
    "losses": gettext_lazy("Platform losses"),
}
OUTCOMES = {
    "succeeded": gettext_lazy("Succeeded deductions"),
    "failed": gettext_lazy("Declined"),
    "not_sent": gettext_lazy("Not delivered"),
    "unknown": gettext_lazy("Result was unknown"),
}
OCCASIONS = {
    "opening": gettext_lazy("Opening a service"),
    "order": gettext_lazy("Placing an order"),
    "review": gettext_lazy("Reassessment"),
}


def all_panels(totals: Totals, vintages: Totals, filters: ReportFilter) -> list[Panel]:
    """All panels of the operations console's report page, in order."""
    days = rules.days_between(filters.since, filters.until)
    return [
        orders_panel(totals, days, filters),
        funds_panel(totals, days, filters),
        decisions_panel(totals),
        decline_reasons_panel(totals),
        attempts_panel(
            totals, filters, "attempt", gettext_lazy("Deduction success by attempt"), gettext_lazy("Attempt")
        ),
        attempts_panel(totals, filters, "channel", gettext_lazy("Deductions by channel"), gettext_lazy("Channel")),
        failures_panel(totals),
        debt_panels.recovery_panel(totals, filters),
        debt_panels.ageing_panel(totals, days, filters),
        debt_panels.roll_rates_panel(totals),
        debt_panels.vintages_panel(vintages, filters),
    ]


def merchant_panels(totals: Totals, filters: ReportFilter) -> list[Panel]:
    """The panels a merchant sees."""
    days = rules.days_between(filters.since, filters.until)
    return [
        orders_panel(totals, days, filters),
        funds_panel(totals, days, filters, [key for key in BOOK_KEYS if key != "losses"]),
        decisions_panel(totals),
        attempts_panel(
            totals, filters, "attempt", gettext_lazy("Deduction success by attempt"), gettext_lazy("Attempt")
        ),
        failures_panel(totals),
        debt_panels.recovery_panel(totals, filters),
        debt_panels.ageing_panel(totals, days, filters),
    ]


def orders_panel(totals: Totals, days: Sequence[date], filters: ReportFilter) -> Panel:
    def row(day: date) -> PanelRow:
        totals_by_key = [(key, totals.on_day(day, "order", key)) for key in ORDER_KEYS]
        return PanelRow(
            f"{day}",
            tuple(
                cell
                for key, one in totals_by_key
                for cell in report_tables.count_and_amount(one, filters, "order", key, day)
            ),
        )

    charted = list(ORDER_KEYS)[:4]
    counted = [[totals.on_day(day, "order", key).count for day in days] for key in charted]
    return Panel(
        "orders",
        gettext_lazy("Orders by day"),
        (gettext_lazy("Day"), *(word for label in ORDER_KEYS.values() for word in (label, gettext_lazy("Amount")))),
        tuple(row(day) for day in reversed(days) if totals.has_any_on(day, "order")),
        chart=report_tables.daily_chart(days, counted, str),
        series=tuple(ORDER_KEYS[key] for key in charted),
    )


def funds_panel(
    totals: Totals, days: Sequence[date], filters: ReportFilter, keys: Sequence[str] = tuple(BOOK_KEYS)
) -> Panel:
    def row(day: date) -> PanelRow:
        return PanelRow(
            f"{day}",
            tuple(
                report_tables.amount_cell(totals.on_day(day, "book", key), filters, "book", key, day) for key in keys
            ),
        )

    charted = ("owed", "collected", "written_off")
    amounts = [[totals.on_day(day, "book", key).amount_minor for day in days] for key in charted]
    whole = PanelRow(
        _("All days"),
        tuple(report_tables.amount_cell(totals.over_period("book", key), filters, "book", key) for key in keys),
    )
    return Panel(
        "money",
        gettext_lazy("Funds by day"),
        (gettext_lazy("Day"), *(BOOK_KEYS[key] for key in keys)),
        (whole, *(row(day) for day in reversed(days) if totals.has_any_on(day, "book"))),
        note=gettext_lazy("According to the ledger. Fees and losses are net of refunds."),
        chart=report_tables.daily_chart(days, amounts, lambda value: money(Money(value, filters.currency))),
        series=tuple(BOOK_KEYS[key] for key in charted),
    )


def decisions_panel(totals: Totals) -> Panel:
    def row(occasion: str, label: StrOrPromise) -> PanelRow:
        approved, refused = (totals.over_period("decision", f"{occasion}:{end}") for end in ("approved", "refused"))
        return PanelRow(
            str(label),
            (
                report_tables.count_cell(approved, "decision", f"{occasion}:approved"),
                report_tables.count_cell(refused, "decision", f"{occasion}:refused"),
                Cell(rules.percent(approved.count, approved.count + refused.count)),
            ),
        )

    headers = (
        gettext_lazy("Trigger"),
        gettext_lazy("Approved"),
        gettext_lazy("Refused"),
        gettext_lazy("Approval rate"),
    )
    rows = tuple(row(occasion, label) for occasion, label in OCCASIONS.items())
    return Panel("decisions", gettext_lazy("Decisions"), headers, rows)


def decline_reasons_panel(totals: Totals) -> Panel:
    keys = totals.keys("refusal")
    refused = sum(totals.over_period("decision", f"{occasion}:refused").count for occasion in OCCASIONS)
    counts = [totals.over_period("refusal", key).count for key in keys]
    return Panel(
        "refusals",
        gettext_lazy("Decline reasons"),
        (gettext_lazy("Reason"), gettext_lazy("Count"), gettext_lazy("Share of declines")),
        tuple(
            PanelRow(
                str(DECLINE_REASONS.get(key, key)),
                (
                    report_tables.count_cell(totals.over_period("refusal", key), "refusal", key),
                    Cell(rules.percent(count, refused)),
                ),
            )
            for key, count in sorted(zip(keys, counts, strict=True), key=lambda pair: -pair[1])
        ),
        note=gettext_lazy("A decline may have several reasons."),
    )


def attempts_panel(totals: Totals, filters: ReportFilter, metric: str, title: StrOrPromise, of: StrOrPromise) -> Panel:
    names = sorted({key.rpartition(":")[0] for key in totals.keys(metric)}, key=lambda name: (len(name), name))
    if metric != "attempt":
        names.sort()

    def row(name: str) -> PanelRow:
        results = {end: totals.over_period(metric, f"{name}:{end}") for end in OUTCOMES}
        attempts = sum(results[end].count for end in ("succeeded", "failed", "not_sent"))
        counts = (report_tables.count_cell(one, metric, f"{name}:{end}") for end, one in results.items())
        rate, succeeded = Cell(rules.percent(results["succeeded"].count, attempts)), results["succeeded"]
        return PanelRow(
            _attempt_label(metric, name), (*counts, rate, Cell(money(Money(succeeded.amount_minor, filters.currency))))
        )

    charted = [[totals.over_period(metric, f"{name}:{end}").count for name in names] for end in ("succeeded", "failed")]
    return Panel(
        f"{metric}s",
        title,
        (of, *OUTCOMES.values(), gettext_lazy("Success rate"), gettext_lazy("Amount deducted")),
        tuple(row(name) for name in names),
        note=gettext_lazy("A deduction covering several orders counts once per order."),
        chart=rules.column_chart(
            [_attempt_label(metric, name) for name in names], charted, report_tables.format_values(charted, str)
        )
        if names
        else None,
        series=(OUTCOMES["succeeded"], OUTCOMES["failed"]),
    )


def _attempt_label(metric: str, name: str) -> str:
    return f"{name}+" if metric == "attempt" and name == str(rules.ATTEMPT_MAX) else name


def failures_panel(totals: Totals) -> Panel:
    rows = sorted(
        ((key, totals.over_period("failure", key)) for key in totals.keys("failure")), key=lambda pair: -pair[1].count
    )
    every = sum(one.count for _key, one in rows)
    return Panel(
        "failures",
        gettext_lazy("Deduction failure reasons"),
        (gettext_lazy("Reason"), gettext_lazy("Count"), gettext_lazy("Share of failures")),
        tuple(
            PanelRow(
                str(FAILURE_LABELS.get(key, key)),
                (report_tables.count_cell(one, "failure", key), Cell(rules.percent(one.count, every))),
            )
            for key, one in rows
        ),
    )
