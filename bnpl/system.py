"""The house as a whole: what runs in which version, when each job ran last, how each channel does."""

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
from bnpl import VERSION, ran
from bnpl.celery import SCHEDULE
from bnpl.ran import Run
from kernel.models import LIVE

#: A job that should have run so many of its periods ago is late; no job is called late before this.
PERIODS_LATE, NEVER_LATE_BEFORE = 5, timedelta(seconds=30)
HOUR = timedelta(hours=1)
#: Counted up to here.
COUNT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Job:
    """A job, how often it is rung for, and its last run as far as the broker remembers."""

    name: str
    every: timedelta
    last: Run | None
    late: bool


@dataclass(frozen=True, slots=True)
class Health:
    """A channel: whether it is declared out, and what the live realm took through it."""

    name: str
    out: Outage | None
    last_taken: datetime | None
    taken: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Parts:
    """What it is made of."""

    version: str
    python: str
    django: str
    database: str
    migrations: int
    pending: Sequence[str]


def jobs(*, real: datetime) -> list[Job]:
    """Every job that is rung for, the late ones first.

    Raises:
        redis.RedisError: the broker cannot be asked.
    """
    last = ran.last_runs()
    found = [_job(rung["task"], timedelta(seconds=rung["schedule"]), last, real) for rung in SCHEDULE.values()]
    return sorted(found, key=lambda job: (not job.late, job.name))


def _job(name: str, every: timedelta, last: Mapping[str, Run], real: datetime) -> Job:
    run = last.get(name)
    patience = max(every * PERIODS_LATE, NEVER_LATE_BEFORE)
    return Job(name, every, run, late=run is None or not run.went_well or real - run.ended_at > patience)


def jobs_if_asked(*, real: datetime) -> list[Job] | None:
    """The same; None where the broker does not answer."""
    try:
        return jobs(real=real)
    except redis.RedisError:
        return None


def channels(*, real: datetime) -> list[Health]:
    """Every channel of the live realm, in three questions however many there are."""
    out = {row.channel: row for row in Outage.objects.filter(ended_at__isnull=True)}
    live = Deduction.objects.filter(realm_id=LIVE)
    hour = live.filter(state=Deduction.State.SUCCEEDED, resolved_at__gt=real - HOUR)
    last = {
        name: live.filter(state=Deduction.State.SUCCEEDED, channel=name).aggregate(at=Max("resolved_at"))["at"]
        for name in CHANNELS
    }
    return [
        Health(
            name,
            out.get(name),
            last[name],
            hour.filter(channel=name)[:COUNT_MAX].count(),
            live.filter(channel=name, ask_at__isnull=False, state=Deduction.State.UNKNOWN)[:COUNT_MAX].count(),
        )
        for name in CHANNELS
    ]


def channels_out() -> dict[str, bool]:
    """Of every channel whether it is declared out."""
    out = set(Outage.objects.filter(ended_at__isnull=True).values_list("channel", flat=True))
    return {name: name in out for name in CHANNELS}


def parts() -> Parts:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (database,) = cursor.fetchone()
    return Parts(
        VERSION,
        platform.python_version(),
        django.get_version(),
        database,
        len(executor.loader.applied_migrations),
        [f"{one.app_label}.{one.name}" for one, _back in pending],
    )
