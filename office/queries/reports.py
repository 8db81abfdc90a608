"""Report figures read from the daily tallies, and the history rows behind one figure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q

from kernel import ids
from kernel.models import LIVE
from merchants.models import Merchant, Service
from office import rules
from office.models import Counted, Tally
from office.queries.streams import STREAM_BY_METRIC

#: How many months of completed orders the vintage report covers.
VINTAGE_MONTHS = 12
_MIN_KEY, _MAX_KEY = UUID(int=0), UUID(int=(1 << 128) - 1)


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Period and scope of a report: live or sandboxes; all merchants, one merchant, or one of its services."""

    since: date
    until: date
    mode: str = "live"
    merchant: Merchant | None = None
    service: Service | None = None
    currency: str = "CNY"

    @property
    def realm_condition(self) -> tuple[str, dict[str, Any]]:
        """SQL condition on the realm, with its parameters."""
        if self.merchant is not None:
            return "realm_id = %(realm)s", {"realm": self.merchant.realm_id}
        return ("realm_id = %(realm)s" if self.mode == "live" else "realm_id <> %(realm)s"), {"realm": LIVE}

    @property
    def merchant_condition(self) -> tuple[str, dict[str, Any]]:
        merchant, service = self.merchant, self.service
        if merchant is None:
            return "", {}
        if service is None:
            return "merchant_id = %(merchant)s", {"merchant": merchant.id}
        return "merchant_id = %(merchant)s AND service_id = %(service)s", {
            "merchant": merchant.id,
            "service": service.id,
        }


@dataclass(frozen=True, slots=True)
class Total:
    """A count and the amount it comes to."""

    count: int = 0
    amount_minor: int = 0

    def __add__(self, other: "Total") -> "Total":
        return Total(self.count + other.count, self.amount_minor + other.amount_minor)


class Totals:
    """Tallies of a period, added up by day, metric and key."""

    def __init__(self, rows: Iterable[tuple[date, str, str, str, int, int]], currency: str) -> None:
        self.by_day: dict[tuple[date, str, str], Total] = {}
        self.by_key: dict[tuple[str, str], Total] = {}
        self.metric_days: set[tuple[date, str]] = set()
        self.currencies: set[str] = set()
        for day, metric, key, money, number, minor in rows:
            if money:
                self.currencies.add(money)
            if money in {"", currency}:
                total = Total(number, int(minor))
                self.metric_days.add((day, metric))
                self.by_day[day, metric, key] = self.on_day(day, metric, key) + total
                self.by_key[metric, key] = self.over_period(metric, key) + total

    def on_day(self, day: date, metric: str, key: str) -> Total:
        return self.by_day.get((day, metric, key), Total())

    def over_period(self, metric: str, key: str) -> Total:
        return self.by_key.get((metric, key), Total())

    def has_any_on(self, day: date, metric: str) -> bool:
        return (day, metric) in self.metric_days

    def keys(self, metric: str) -> list[str]:
        return sorted(key for its_metric, key in self.by_key if its_metric == metric)


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """One history row that a figure counted."""

    key: UUID
    at: datetime
    public_id: str
    kind: str
    about: UUID
    amount_minor: int
    currency: str


def totals_for(filters: ReportFilter) -> Totals:
    """All tallies of the period."""
    return Totals(_query_tallies(filters, "day_on BETWEEN %(since)s AND %(until)s"), filters.currency)


def vintage_totals_for(filters: ReportFilter) -> Totals:
    """Vintage tallies of orders completed in the last `VINTAGE_MONTHS` months, up to now."""
    first = (filters.until.replace(day=1) - timedelta(days=31 * (VINTAGE_MONTHS - 1))).replace(day=1)
    condition = "metric = 'vintage' AND key >= %(month)s AND day_on >= %(first)s"
    return Totals(_query_tallies(filters, condition, first=first, month=f"{first:%Y-%m}"), filters.currency)


def _query_tallies(filters: ReportFilter, condition: str, **values: Any) -> list[tuple[date, str, str, str, int, int]]:
    (realm_sql, realm_values), (merchant_sql, merchant_values) = filters.realm_condition, filters.merchant_condition
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT day_on, metric, key, currency, sum(number)::bigint, sum(amount_minor) FROM office_tally"  # noqa: S608  constants only
            f" WHERE {realm_sql} AND {merchant_sql or 'merchant_id IS NULL'} AND {condition} GROUP BY 1, 2, 3, 4",
            {"since": filters.since, "until": filters.until, **realm_values, **merchant_values, **values},
        )
        rows: list[tuple[date, str, str, str, int, int]] = cursor.fetchall()
        return rows


def source_events(filters: ReportFilter, metric: str, key: str, *, offset: int, limit: int) -> list[SourceEvent]:
    """The history rows that a figure counted, the newest first.

    In live mode rows are written in real time, so their time-ordered keys narrow the scan to the period.
    """
    stream = STREAM_BY_METRIC[metric]
    (realm_sql, realm_values), (merchant_sql, merchant_values) = filters.realm_condition, filters.merchant_condition
    begin, end = rules.day_bounds(filters.since, filters.until, settings.CONSOLE_ZONE)
    margin = timedelta(days=1)
    is_live = filters.mode == "live"
    values: Mapping[str, Any] = {
        "zone": settings.CONSOLE_ZONE,
        "after": rules.min_key_at(begin - margin) if is_live else _MIN_KEY,
        "upto": rules.min_key_at(end + margin) if is_live else _MAX_KEY,
        "offset": offset,
        "begin": begin,
        "end": end,
        "metric": metric,
        "key": key,
        "currency": filters.currency,
        "limit": limit,
        **realm_values,
        **merchant_values,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, at, kind, about, minor, currency FROM ({stream.sql}) f"  # noqa: S608  constants only
            f" WHERE metric = %(metric)s AND key = %(key)s AND currency IN ('', %(currency)s)"
            f" AND at >= %(begin)s AND at < %(end)s AND {realm_sql} AND {merchant_sql or 'true'}"
            " ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s",
            values,
        )
        return [
            SourceEvent(key, at, ids.public(kind, about), kind, about, minor, money)
            for key, at, kind, about, minor, money in cursor.fetchall()
        ]


def has_tallies(mode: str) -> bool:
    """Whether any tally exists in live mode, or in the sandboxes."""
    rows = Tally.objects.filter(realm_id=LIVE) if mode == "live" else Tally.objects.filter(realm_id__gt=LIVE)
    return rows.exists()


def counted_until() -> datetime | None:
    """Up to when every stream has been counted; None while one has not been counted at all."""
    found = list(Counted.objects.values_list("counted_until", flat=True))
    return min((at for at in found if at), default=None) if all(found) else None


def find_merchants(text: str, mode: str, *, limit: int = 10) -> list[Merchant]:
    """Merchants by exact public id, or else by the beginning of the name."""
    rows = Merchant.objects.filter(realm__mode=mode)
    key = ids.parse("mch", text)
    wanted = Q(pk=key) if key else Q(name__istartswith=text)
    return list(rows.filter(wanted).order_by("name", "id")[:limit])


def services_of(merchant: Merchant) -> list[Service]:
    return list(merchant.services.order_by("name", "id"))
