"""When a merchant's account is cut off. Pure."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

CUTOFF_ZONE = "Asia/Shanghai"
RESERVE_DAYS_MAX = 365


def next_cutoff(after: datetime, zone: str, hour: int) -> datetime:
    """The first moment after this one at which the day ends for the merchant."""
    there = ZoneInfo(zone)
    day = after.astimezone(there).date()
    while (cut := datetime.combine(day, time(hour), there).astimezone(after.tzinfo)) <= after:
        day += timedelta(days=1)
    return cut
