"""When each job ran last, how long it took and how it ended. The doorbell's own memory, and no truth (ADR 8)."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import redis

from bnpl import heartbeat

KEY = "bnpl:ran"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job."""

    ended_at: datetime
    took: timedelta
    went_well: bool


def keep(job: str, run: Run) -> None:
    """Remember it as the job's last. A broker that is gone was told to the log when the slot was asked for."""
    told = json.dumps([run.ended_at.timestamp(), run.took.total_seconds(), run.went_well])
    with suppress(redis.RedisError), heartbeat.broker() as broker:
        broker.hset(KEY, job, told)


def last_runs() -> Mapping[str, Run]:
    """Every job's last run that is remembered.

    Raises:
        redis.RedisError: the broker cannot be asked.
    """
    with heartbeat.broker() as broker:
        found = broker.hgetall(KEY)
    return {job.decode(): _told(json.loads(told)) for job, told in found.items()}


def _told(told: list[float]) -> Run:
    ended, took, well = told
    return Run(datetime.fromtimestamp(ended, UTC), timedelta(seconds=took), bool(well))
