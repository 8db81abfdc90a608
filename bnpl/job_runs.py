"""When each job ran last, how long it took and how it ended. Kept in the broker, and may be lost (ADR 8)."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import redis

from bnpl import heartbeat

KEY = "bnpl:ran"


@dataclass(frozen=True, slots=True)
class JobRun:
    """One run of a job."""

    ended_at: datetime
    duration: timedelta
    succeeded: bool


def record_run(job: str, run: JobRun) -> None:
    """Store the job's last run. An unavailable broker was logged when the slot was claimed."""
    encoded = json.dumps([run.ended_at.timestamp(), run.duration.total_seconds(), run.succeeded])
    with suppress(redis.RedisError), heartbeat.connect_broker() as broker:
        broker.hset(KEY, job, encoded)


def last_runs() -> Mapping[str, JobRun]:
    """Each job's last run, as far as it is stored.

    Raises:
        redis.RedisError: the broker is unavailable.
    """
    with heartbeat.connect_broker() as broker:
        found = broker.hgetall(KEY)
    return {job.decode(): _decode(json.loads(encoded)) for job, encoded in found.items()}


def _decode(encoded: list[float]) -> JobRun:
    ended_at, took, succeeded = encoded
    return JobRun(datetime.fromtimestamp(ended_at, UTC), timedelta(seconds=took), bool(succeeded))
