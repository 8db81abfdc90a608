"""What was counted, as a page of figures asks for it, and the rows behind one of them."""

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
from office.queries.streams import BY_METRIC

#: Months of orders whose money is followed.
VINTAGES = 12
_FIRST, _LAST = UUID(int=0), UUID(int=(1 << 128) - 1)


@dataclass(frozen=True, slots=True)
class Look:
    """Which days of whom: live or of the sandboxes, of all merchants, of one, or of one of its services."""

    since: date
    until: date
    mode: str = "live"
    merchant: Merchant | None = None
    service: Service | None = None
    currency: str = "CNY"

    @property
    def place(self) -> tuple[str, dict[str, Any]]:
        """SQL for whose rows count, with the values it names."""
        if self.merchant is not None:
            return "realm_id = %(realm)s", {"realm": self.merchant.realm_id}
        return ("realm_id = %(realm)s" if self.mode == "live" else "realm_id <> %(realm)s"), {"realm": LIVE}

    @property
    def whose(self) -> tuple[str, dict[str, Any]]:
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
class Sum:
    """How often, and how much."""

    number: int = 0
    minor: int = 0

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.number + other.number, self.minor + other.minor)


class Sums:
    """What was counted in the days looked at: by day, metric and key."""

    def __init__(self, rows: Iterable[tuple[date, str, str, str, int, int]], currency: str) -> None:
        self.by_day: dict[tuple[date, str, str], Sum] = {}
        self.whole: dict[tuple[str, str], Sum] = {}
        self.days: set[tuple[date, str]] = set()
        self.currencies: set[str] = set()
        for day, metric, key, money, number, minor in rows:
            if money:
                self.currencies.add(money)
            if money in {"", currency}:
                one = Sum(number, int(minor))
                self.days.add((day, metric))
                self.by_day[day, metric, key] = self.on(day, metric, key) + one
                self.whole[metric, key] = self.all(metric, key) + one

    def on(self, day: date, metric: str, key: str) -> Sum:
        return self.by_day.get((day, metric, key), Sum())

    def all(self, metric: str, key: str) -> Sum:
        return self.whole.get((metric, key), Sum())

    def any_on(self, day: date, metric: str) -> bool:
        return (day, metric) in self.days

    def keys(self, metric: str) -> list[str]:
        return sorted(key for of, key in self.whole if of == metric)


@dataclass(frozen=True, slots=True)
class Behind:
    """One line of history behind a figure."""

    key: UUID
    at: datetime
    public_id: str
    kind: str
    about: UUID
    minor: int
    currency: str


def sums(look: Look) -> Sums:
    """Everything that was counted on these days, but for vintages of months before."""
    return Sums(_asked(look, "day_on BETWEEN %(since)s AND %(until)s"), look.currency)


def vintages(look: Look) -> Sums:
    """What became of what was completed in the last months, until now."""
    first = (look.until.replace(day=1) - timedelta(days=31 * (VINTAGES - 1))).replace(day=1)
    chosen = "metric = 'vintage' AND key >= %(month)s AND day_on >= %(first)s"
    return Sums(_asked(look, chosen, first=first, month=f"{first:%Y-%m}"), look.currency)


def _asked(look: Look, chosen: str, **values: Any) -> list[tuple[date, str, str, str, int, int]]:
    (place, where), (whose, named) = look.place, look.whose
    of = whose or "merchant_id IS NULL"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT day_on, metric, key, currency, sum(number)::bigint, sum(amount_minor) FROM office_tally"  # noqa: S608  our own words
            f" WHERE {place} AND {of} AND {chosen} GROUP BY 1, 2, 3, 4",
            {"since": look.since, "until": look.until, **where, **named, **values},
        )
        rows: list[tuple[date, str, str, str, int, int]] = cursor.fetchall()
        return rows


def behind(look: Look, metric: str, key: str, *, offset: int, limit: int) -> list[Behind]:
    """The lines of history that a figure counted, the newest first.

    Live time is real time, so there the keys of the days asked for say where to look.
    """
    stream, (place, where), (whose, named) = BY_METRIC[metric], look.place, look.whose
    begin, end = rules.bounds(look.since, look.until, settings.CONSOLE_ZONE)
    spare = timedelta(days=1)
    live = look.mode == "live"
    values: Mapping[str, Any] = {
        "zone": settings.CONSOLE_ZONE,
        "after": rules.edge(begin - spare) if live else _FIRST,
        "upto": rules.edge(end + spare) if live else _LAST,
        "offset": offset,
        "begin": begin,
        "end": end,
        "metric": metric,
        "key": key,
        "currency": look.currency,
        "limit": limit,
        **where,
        **named,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, at, kind, about, minor, currency FROM ({stream.sql}) f"  # noqa: S608  our own words
            f" WHERE metric = %(metric)s AND key = %(key)s AND currency IN ('', %(currency)s)"
            f" AND at >= %(begin)s AND at < %(end)s AND {place} AND {whose or 'true'}"
            " ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s",
            values,
        )
        return [
            Behind(key, at, ids.public(kind, about), kind, about, minor, money)
            for key, at, kind, about, minor, money in cursor.fetchall()
        ]


def has_lived(mode: str) -> bool:
    """Whether anything was counted there: live, or in the sandboxes."""
    rows = Tally.objects.filter(realm_id=LIVE) if mode == "live" else Tally.objects.filter(realm_id__gt=LIVE)
    return rows.exists()


def counted_until() -> datetime | None:
    """Until when everything was counted; None where nothing ever was."""
    found = list(Counted.objects.values_list("counted_until", flat=True))
    return min((at for at in found if at), default=None) if all(found) else None


def merchants_called(text: str, mode: str, *, limit: int = 10) -> list[Merchant]:
    """The merchants that a colleague may mean: by public id exactly, else by the beginning of the name."""
    rows = Merchant.objects.filter(realm__mode=mode)
    key = ids.parse("mch", text)
    wanted = Q(pk=key) if key else Q(name__istartswith=text)
    return list(rows.filter(wanted).order_by("name", "id")[:limit])


def services_called(merchant: Merchant) -> list[Service]:
    return list(merchant.services.order_by("name", "id"))
