"""Where each figure leads: the rows that it counted, or a file; and today's, which stand on the first page too."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse

from kernel.models import LIVE
from kernel.sheets import CSV, csv_text
from office.panels import ORDER_KEYS
from office.queries import figures
from office.queries.figures import Look, Sums
from office.tables import Cell, Panel


def today_tiles(look: Look, today: date) -> list[tuple[Any, str, str]]:
    """Today's figures, whatever days are looked at: a label, a number, and where it leads."""
    now = Look(today, today, look.mode, look.merchant, look.service, look.currency)
    sums: Sums = figures.sums(now)
    counts = [(label, key, sums.on(today, "order", key).number) for key, label in ORDER_KEYS.items()]
    cells = [(label, Cell(f"{number}", "order" if number else "", key, today)) for label, key, number in counts]
    return [(label, one.text, behind(one, now)) for label, one in cells]


def behind(one: Cell, look: Look) -> str:
    """Where the rows that a figure counted are shown; empty for one that stands for none."""
    if one.metric == "stock":
        return _stock(one.key, look)
    if not one.metric:
        return ""
    days = {"since": f"{one.day}", "until": f"{one.day}"} if one.day else {}
    return f"{reverse('figure_rows')}?{urlencode(params(look) | days | {'metric': one.metric, 'key': one.key})}"


def _stock(bucket: str, look: Look) -> str:
    """The debts of an age as they stand now."""
    chosen = {"state__exact": "overdue", "kind__exact": "principal", "bucket__exact": bucket}
    chosen |= {"realm__exact": f"{LIVE}"} if look.mode == "live" else {"realm__mode": look.mode}
    chosen |= {"merchant__exact": f"{look.merchant.pk}"} if look.merchant else {}
    return f"{reverse('admin:orders_obligation_changelist')}?{urlencode(chosen)}"


def params(look: Look) -> dict[str, str]:
    """How an address says which days of whom are looked at."""
    chosen = {"since": f"{look.since}", "until": f"{look.until}", "mode": look.mode, "currency": look.currency}
    chosen |= {"merchant": look.merchant.public_id} if look.merchant else {}
    return chosen | ({"service": look.service.public_id} if look.service else {})


def file_of(panel: Panel, look: Look) -> HttpResponse:
    """A table as a file, called after it and its days."""
    answer = HttpResponse(csv_text(panel.lines), content_type=CSV)
    answer["Content-Disposition"] = f'attachment; filename="{panel.name}-{look.since}-{look.until}.csv"'
    return answer
