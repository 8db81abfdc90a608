"""The system's status: versions in use, each job's last run, and each channel's recent results."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import django
import redis
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max

from billing.channels import CHANNELS
from billing.models import Deduction, Outage
from bnpl import VERSION, job_runs
from bnpl.celery import SCHEDULE
from bnpl.job_runs import JobRun
from kernel.models import LIVE

#: A job is late when it has not run for this many of its periods, and for at least this long.
LATE_AFTER_PERIODS, LATE_AFTER_MIN = 5, timedelta(seconds=30)
HOUR = timedelta(hours=1)
#: Deductions are counted up to here.
COUNT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A scheduled job, its period, and its last run as far as the broker has it."""

    name: str
    period: timedelta
    last_run: JobRun | None
    is_late: bool


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """A channel: its declared outage, and the live realm's deductions through it."""

    name: str
    outage: Outage | None
    last_success_at: datetime | None
    succeeded: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of the software, and the state of the migrations."""

    version: str
    python: str
    django: str
    database: str
    migrations: int
    pending: Sequence[str]


def job_statuses(*, real: datetime) -> list[JobStatus]:
    """Every scheduled job, the late ones first.

    Raises:
        redis.RedisError: the broker is unavailable.
    """
    last = job_runs.last_runs()
    statuses = [
        _job_status(entry["task"], timedelta(seconds=entry["schedule"]), last, real) for entry in SCHEDULE.values()
    ]
    return sorted(statuses, key=lambda job: (not job.is_late, job.name))


def _job_status(name: str, period: timedelta, last: Mapping[str, JobRun], real: datetime) -> JobStatus:
    run = last.get(name)
    late_after = max(period * LATE_AFTER_PERIODS, LATE_AFTER_MIN)
    return JobStatus(name, period, run, is_late=run is None or not run.succeeded or real - run.ended_at > late_after)


def job_statuses_or_none(*, real: datetime) -> list[JobStatus] | None:
    """The same; None while the broker is unavailable."""
    try:
        return job_statuses(real=real)
    except redis.RedisError:
        return None


def channel_statuses(*, real: datetime) -> list[ChannelStatus]:
    """Every channel, for the live realm."""
    outages = {row.channel: row for row in Outage.objects.filter(ended_at__isnull=True)}
    live = Deduction.objects.filter(realm_id=LIVE)
    last_hour = live.filter(state=Deduction.State.SUCCEEDED, resolved_at__gt=real - HOUR)
    last_success = {
        name: live.filter(state=Deduction.State.SUCCEEDED, channel=name).aggregate(at=Max("resolved_at"))["at"]
        for name in CHANNELS
    }
    return [
        ChannelStatus(
            name,
            outages.get(name),
            last_success[name],
            last_hour.filter(channel=name)[:COUNT_MAX].count(),
            live.filter(channel=name, ask_at__isnull=False, state=Deduction.State.UNKNOWN)[:COUNT_MAX].count(),
        )
        for name in CHANNELS
    ]


def outages_by_channel() -> dict[str, bool]:
    """For every channel, whether an outage is declared."""
    channels = set(Outage.objects.filter(ended_at__isnull=True).values_list("channel", flat=True))
    return {name: name in channels for name in CHANNELS}


def versions() -> Versions:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (database,) = cursor.fetchone()
    return Versions(
        VERSION,
        platform.python_version(),
        django.get_version(),
        database,
        len(executor.loader.applied_migrations),
        [f"{one.app_label}.{one.name}" for one, _back in pending],
    )
