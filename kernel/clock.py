"""Time. Doors read it here and hand `at` down; nothing below a door knows what time it is."""

from datetime import UTC, datetime

from kernel.models import Realm


def live_now() -> datetime:
    """Real time, in UTC."""
    return datetime.now(UTC)  # noqa: TID251  the one place that reads the clock


def now_in(realm: Realm) -> datetime:
    """What time it is in this realm: real for the live one, moved or frozen for a sandbox."""
    return realm.now(live_now())
