"""What the house permits of late terms, as two colleagues published it."""

from datetime import datetime
from typing import Any

from kernel.versions import newest, publish_version
from merchants.models import LatePolicy
from tests.conftest import BY, NOON

#: The first version: whatever a service could say before there was a policy.
FIRST = {"grace_hours_least": 0, "daily_bps_most": 10_000, "cap_bps_most": 10_000}


def permit(at: datetime = NOON, **terms: Any) -> LatePolicy:
    """Another version counts from then on: the newest one with these of its parts changed."""
    last = newest(LatePolicy)
    return publish_version(LatePolicy, last.terms | terms, "x", after=last.version, by=BY, at=at)
