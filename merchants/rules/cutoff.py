"""When a merchant's settlement days and invoice months end. Pure."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

CUTOFF_ZONE = "Asia/Shanghai"
RESERVE_DAYS_MAX = 365


def next_month_end(after: datetime, zone: str, hour: int) -> datetime:
    """The next moment at which a month ends for the merchant: the cut-off of the first day of a month."""
    tz = ZoneInfo(zone)
    first = after.astimezone(tz).date().replace(day=1)
    while (cutoff := datetime.combine(first, time(hour), tz).astimezone(after.tzinfo)) <= after:
        first = (first + timedelta(days=31)).replace(day=1)
    return cutoff


def next_cutoff(after: datetime, zone: str, hour: int) -> datetime:
    """The next moment at which a settlement day ends for the merchant."""
    tz = ZoneInfo(zone)
    day = after.astimezone(tz).date()
    while (cutoff := datetime.combine(day, time(hour), tz).astimezone(after.tzinfo)) <= after:
        day += timedelta(days=1)
    return cutoff
