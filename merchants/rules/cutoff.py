"""When a merchant's account is cut off. Pure."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

CUTOFF_ZONE = "Asia/Shanghai"
RESERVE_DAYS_MAX = 365


def next_month(after: datetime, zone: str, hour: int) -> datetime:
    """The first moment after this one at which a month ends for the merchant: the cut-off of a month's first day."""
    there = ZoneInfo(zone)
    first = after.astimezone(there).date().replace(day=1)
    while (cut := datetime.combine(first, time(hour), there).astimezone(after.tzinfo)) <= after:
        first = (first + timedelta(days=31)).replace(day=1)
    return cut


def next_cutoff(after: datetime, zone: str, hour: int) -> datetime:
    """The first moment after this one at which the day ends for the merchant."""
    there = ZoneInfo(zone)
    day = after.astimezone(there).date()
    while (cut := datetime.combine(day, time(hour), there).astimezone(after.tzinfo)) <= after:
        day += timedelta(days=1)
    return cut
