"""Helpers to read the gauges of work in progress."""

from datetime import datetime, timedelta

from bnpl.work.gauges import Gauge, read_gauges


def gauges_by_key(at: datetime) -> dict[tuple[str, str, str], Gauge]:
    return {(gauge.work, gauge.mode, gauge.group): gauge for gauge in read_gauges(real=at)}


def gauge_of(work: str, at: datetime, *, mode: str = "test", of: str = "") -> tuple[int | None, timedelta | None, str]:
    """A gauge's number of items, the age of the oldest, and its state."""
    gauge = gauges_by_key(at)[work, mode, of]
    return gauge.items, gauge.oldest, gauge.state_name
