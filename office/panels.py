"""The figures of the console, one table after the other: what each column is, and what each number leads to."""

from collections.abc import Sequence
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel.console_actions import Words
from kernel.money import Money
from kernel.templatetags.house import money
from office import debts, rules, tables
from office.queries.figures import Look, Sums
from office.tables import Cell, Panel, Row
from office.wording import REASONS
from portal.wording import FAILURES

ORDER_KEYS = {
    "open": gettext_lazy("New orders"),
    "completed": gettext_lazy("Completed"),
    "deducted": gettext_lazy("Paid in full"),
    "overdue": gettext_lazy("Became overdue on"),
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


def all_panels(sums: Sums, older: Sums, look: Look) -> list[Panel]:
    """Every table of the page, in its order."""
    days = rules.days_between(look.since, look.until)
    return [
        orders_by_day(sums, days, look),
        money_by_day(sums, days, look),
        decisions(sums),
        refusals(sums),
        attempts(sums, look, "attempt", gettext_lazy("Deduction success by attempt"), gettext_lazy("Attempt")),
        attempts(sums, look, "channel", gettext_lazy("Deductions by channel"), gettext_lazy("Channel")),
        failures(sums),
        debts.recovery(sums, look),
        debts.ageing(sums, days, look),
        debts.rolls(sums),
        debts.vintages(older, look),
    ]


def merchant_panels(sums: Sums, look: Look) -> list[Panel]:
    """What of it is a merchant's own."""
    days = rules.days_between(look.since, look.until)
    return [
        orders_by_day(sums, days, look),
        money_by_day(sums, days, look, [key for key in BOOK_KEYS if key != "losses"]),
        decisions(sums),
        attempts(sums, look, "attempt", gettext_lazy("Deduction success by attempt"), gettext_lazy("Attempt")),
        failures(sums),
        debts.recovery(sums, look),
        debts.ageing(sums, days, look),
    ]


def orders_by_day(sums: Sums, days: Sequence[date], look: Look) -> Panel:
    def row(day: date) -> Row:
        ones = [(key, sums.on(day, "order", key)) for key in ORDER_KEYS]
        return Row(f"{day}", tuple(cell for key, one in ones for cell in tables.both(one, look, "order", key, day)))

    drawn = list(ORDER_KEYS)[:4]
    counted = [[sums.on(day, "order", key).number for day in days] for key in drawn]
    return Panel(
        "orders",
        gettext_lazy("Orders by day"),
        (gettext_lazy("Day"), *(word for label in ORDER_KEYS.values() for word in (label, gettext_lazy("Amount")))),
        tuple(row(day) for day in reversed(days) if sums.any_on(day, "order")),
        chart=tables.by_day(days, counted, str),
        series=tuple(ORDER_KEYS[key] for key in drawn),
    )


def money_by_day(sums: Sums, days: Sequence[date], look: Look, keys: Sequence[str] = tuple(BOOK_KEYS)) -> Panel:
    def row(day: date) -> Row:
        return Row(f"{day}", tuple(tables.amount(sums.on(day, "book", key), look, "book", key, day) for key in keys))

    drawn = ("owed", "collected", "written_off")
    amounts = [[sums.on(day, "book", key).minor for day in days] for key in drawn]
    whole = Row(_("All days"), tuple(tables.amount(sums.all("book", key), look, "book", key) for key in keys))
    return Panel(
        "money",
        gettext_lazy("Funds by day"),
        (gettext_lazy("Day"), *(BOOK_KEYS[key] for key in keys)),
        (whole, *(row(day) for day in reversed(days) if sums.any_on(day, "book"))),
        says=gettext_lazy("According to the ledger. Fees and losses are net of refunds."),
        chart=tables.by_day(days, amounts, lambda value: money(Money(value, look.currency))),
        series=tuple(BOOK_KEYS[key] for key in drawn),
    )


def decisions(sums: Sums) -> Panel:
    def row(occasion: str, label: Words) -> Row:
        yes, no = (sums.all("decision", f"{occasion}:{end}") for end in ("approved", "refused"))
        return Row(
            str(label),
            (
                tables.count(yes, "decision", f"{occasion}:approved"),
                tables.count(no, "decision", f"{occasion}:refused"),
                Cell(rules.percent(yes.number, yes.number + no.number)),
            ),
        )

    head = (gettext_lazy("Trigger"), gettext_lazy("Approved"), gettext_lazy("Refused"), gettext_lazy("Approval rate"))
    rows = tuple(row(occasion, label) for occasion, label in OCCASIONS.items())
    return Panel("decisions", gettext_lazy("Decisions"), head, rows)


def refusals(sums: Sums) -> Panel:
    keys = sums.keys("refusal")
    refused = sum(sums.all("decision", f"{occasion}:refused").number for occasion in OCCASIONS)
    counts = [sums.all("refusal", key).number for key in keys]
    return Panel(
        "refusals",
        gettext_lazy("Decline reasons"),
        (gettext_lazy("Reason"), gettext_lazy("Count"), gettext_lazy("Share of declines")),
        tuple(
            Row(
                str(REASONS.get(key, key)),
                (tables.count(sums.all("refusal", key), "refusal", key), Cell(rules.percent(count, refused))),
            )
            for key, count in sorted(zip(keys, counts, strict=True), key=lambda pair: -pair[1])
        ),
        says=gettext_lazy("A decline may have several reasons."),
    )


def attempts(sums: Sums, look: Look, metric: str, title: Words, of: Words) -> Panel:
    names = sorted({key.rpartition(":")[0] for key in sums.keys(metric)}, key=lambda name: (len(name), name))
    if metric != "attempt":
        names.sort()

    def row(name: str) -> Row:
        ends = {end: sums.all(metric, f"{name}:{end}") for end in OUTCOMES}
        tried = sum(ends[end].number for end in ("succeeded", "failed", "not_sent"))
        counts = (tables.count(one, metric, f"{name}:{end}") for end, one in ends.items())
        rate, taken = Cell(rules.percent(ends["succeeded"].number, tried)), ends["succeeded"]
        return Row(_label(metric, name), (*counts, rate, Cell(money(Money(taken.minor, look.currency)))))

    drawn = [[sums.all(metric, f"{name}:{end}").number for name in names] for end in ("succeeded", "failed")]
    return Panel(
        f"{metric}s",
        title,
        (of, *OUTCOMES.values(), gettext_lazy("Success rate"), gettext_lazy("Amount deducted")),
        tuple(row(name) for name in names),
        says=gettext_lazy("A deduction covering several orders counts once per order."),
        chart=rules.columns([_label(metric, name) for name in names], drawn, tables.texts(drawn, str))
        if names
        else None,
        series=(OUTCOMES["succeeded"], OUTCOMES["failed"]),
    )


def _label(metric: str, name: str) -> str:
    return f"{name}+" if metric == "attempt" and name == str(rules.ATTEMPT_MAX) else name


def failures(sums: Sums) -> Panel:
    rows = sorted(((key, sums.all("failure", key)) for key in sums.keys("failure")), key=lambda pair: -pair[1].number)
    every = sum(one.number for _key, one in rows)
    return Panel(
        "failures",
        gettext_lazy("Deduction failure reasons"),
        (gettext_lazy("Reason"), gettext_lazy("Count"), gettext_lazy("Share of failures")),
        tuple(
            Row(
                str(FAILURES.get(key, key)), (tables.count(one, "failure", key), Cell(rules.percent(one.number, every)))
            )
            for key, one in rows
        ),
    )
