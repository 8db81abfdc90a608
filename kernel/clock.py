"""The clock. Views and tasks read the time here and pass `at` down; services never read the clock themselves."""

from datetime import UTC, datetime

from kernel.models import Realm


def live_now() -> datetime:
    """Real time, in UTC."""
    return datetime.now(UTC)  # noqa: TID251  the one place that reads the clock


def now_in(realm: Realm) -> datetime:
    """The current time in this realm: real time in the live one, shifted or frozen in a sandbox."""
    return realm.now(live_now())
