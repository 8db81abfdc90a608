"""Figures of what is owed: how late money came, how old debts are, how they age, and what became of a month's."""

from collections.abc import Sequence
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel.money import Money
from kernel.templatetags.house import money
from office import rules, tables
from office.queries.figures import Look, Sum, Sums
from office.tables import Cell, Panel, Row


def recovery(sums: Sums, look: Look) -> Panel:
    amounts = [
        sum((sums.all("vintage", key) for key in sums.keys("vintage") if key.endswith(f":{days}")), Sum()).minor
        for days in rules.WITHIN_DAYS
    ]
    every, so_far = sum(amounts), rules.running(amounts)
    labels = [_within(days) for days in rules.WITHIN_DAYS]
    shares = [rules.permille(part, every) or 0 for part in so_far]
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
            Row(label, (tables.plain(one, look), tables.plain(together, look), Cell(rules.percent(together, every))))
            for label, one, together in zip(labels, amounts, so_far, strict=True)
        ),
        says=gettext_lazy("For all amounts collected on these days: how long after the due date."),
        chart=rules.columns(labels, [shares], [[f"{s // 10}.{s % 10}%" for s in shares]], top="100%")
        if every
        else None,
        series=(gettext_lazy("Cumulative share"),),
    )


def ageing(sums: Sums, days: Sequence[date], look: Look) -> Panel:
    """As it stood on the last of the days on which it was looked at."""
    seen = [day for day in days if any((day, "stock", bucket) in sums.by_day for bucket in rules.BUCKETS)]
    last = seen[-1] if seen else None
    ones = [sums.on(last, "stock", bucket) if last else Sum() for bucket in rules.BUCKETS]
    shown = [[money(Money(one.minor, look.currency)) for one in ones]]
    rows = tuple(
        Row(_days(bucket), (Cell(f"{one.number}", "stock", bucket, last), Cell(text)))
        for bucket, one, text in zip(rules.BUCKETS, ones, shown[0], strict=True)
    )
    return Panel(
        "ageing",
        gettext_lazy("Overdue ageing"),
        (gettext_lazy("Days past due"), gettext_lazy("Debts"), gettext_lazy("Amount")),
        rows,
        says=_("As of %(day)s.") % {"day": last} if last else _("Nothing was overdue at the time of the report."),
        chart=rules.columns([_days(b) for b in rules.BUCKETS], [[one.minor for one in ones]], shown) if last else None,
        series=(gettext_lazy("Amount"),),
    )


def rolls(sums: Sums) -> Panel:
    entered = [
        (bucket, sum(sums.all("bucket", f"{way}:{bucket}").number for way in ("overdue", "aged")), aged.number)
        for bucket in rules.BUCKETS
        for aged in [sums.all("bucket", f"aged:{bucket}")]
    ]
    head = (
        gettext_lazy("From"),
        gettext_lazy("To"),
        gettext_lazy("Rolled"),
        gettext_lazy("Base"),
        gettext_lazy("Roll rate"),
    )
    return Panel(
        "rolls",
        gettext_lazy("Roll rates"),
        head,
        tuple(
            Row(
                _days(a),
                (
                    Cell(_days(b)),
                    Cell(f"{came}", "bucket" if came else "", f"aged:{b}"),
                    Cell(f"{of}"),
                    Cell(rules.percent(came, of)),
                ),
            )
            for a, b, came, of in rules.rolls(entered)
        ),
        says=gettext_lazy(
            "Debts that entered an ageing bucket on these days, and the share that rolled into the next."
        ),
    )


def vintages(sums: Sums, look: Look) -> Panel:
    months = sorted({key.partition(":")[0] for key in sums.keys("vintage")}, reverse=True)

    def row(month: str) -> Row:
        owed = sums.all("vintage", f"{month}:owed").minor
        came = rules.running([sums.all("vintage", f"{month}:{days}").minor for days in rules.WITHIN_DAYS])
        return Row(month, (tables.plain(owed, look), *(Cell(rules.percent(part, owed)) for part in came)))

    return Panel(
        "vintages",
        gettext_lazy("Vintages"),
        (gettext_lazy("Completed in"), gettext_lazy("Newly due"), *(_within(days) for days in rules.WITHIN_DAYS)),
        tuple(row(month) for month in months),
        says=gettext_lazy("For orders completed in a month: the share collected by each time after the due date."),
    )


def _days(bucket: str) -> str:
    return _("%(bucket)s days") % {"bucket": bucket}


def _within(days: int) -> str:
    if not days:
        return _("due date")
    return _("to date") if days == rules.WITHIN_DAYS[-1] else _("within %(days)d days") % {"days": days}
