"""Publishes versions of the late fee policy."""

from datetime import datetime
from typing import Any

from kernel.policy_versions import latest_version, publish_version
from merchants.models import LatePolicy
from tests.conftest import BY, NOON

#: The first version, which permits everything that was permitted before there was a policy.
FIRST = {"grace_hours_least": 0, "daily_bps_most": 10_000, "cap_bps_most": 10_000}


def publish_late_policy(at: datetime = NOON, **terms: Any) -> LatePolicy:
    """Publish a new version: the latest one with these terms changed."""
    last = latest_version(LatePolicy)
    return publish_version(LatePolicy, last.terms | terms, "x", after=last.version, by=BY, at=at)
