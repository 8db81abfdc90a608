"""Scheduled jobs run once a period: the first worker to claim the slot (job, number of the period) does the work.

Slots are kept in the broker and are only an optimisation: see docs/adr/0008. If a slot is lost or cannot be claimed,
the job runs and finds that the rows it would process have been processed.
"""

import redis
import structlog
from celery import Task

from bnpl import heartbeat, job_runs
from kernel.clock import live_now
from kernel.sweeps import collect_live_failures

#: A slot is kept for this many periods, so that a worker whose clock is a little behind finds it claimed too.
SLOT_TTL_PERIODS = 2
log = structlog.get_logger(__name__)


class ScheduledTask(Task):  # type: ignore[type-arg]  # not generic at run time
    """A task that runs once a period when beat triggers it, and always when it is called in another way."""

    #: Rejects a malformed message before it is processed.
    Strategy = "bnpl.broker:strategy"

    def __call__(self, *args: object, **kwargs: object) -> object:
        period = (self.request.headers or {}).get("every")
        if period is None:
            return super().__call__(*args, **kwargs)
        if not claim_slot(self.name, period, at=live_now().timestamp()):
            return None
        started_at, succeeded = live_now(), False
        try:
            with collect_live_failures() as troubles:
                result = super().__call__(*args, **kwargs)
            succeeded = not troubles
        finally:
            ended_at = live_now()
            job_runs.record_run(self.name, job_runs.JobRun(ended_at, ended_at - started_at, succeeded))
        return result


def claim_slot(job: str, period: float, *, at: float) -> bool:
    """Claim the slot of the job's period at this moment (seconds). False when it was claimed before."""
    try:
        with heartbeat.connect_broker() as broker:
            claimed = broker.set(slot_key(job, period, at=at), 1, nx=True, px=round(period * SLOT_TTL_PERIODS * 1000))
    except redis.RedisError as error:
        log.warning("slot_not_asked_for", job=job, error=type(error).__name__)
        return True
    return bool(claimed)


def slot_key(job: str, period: float, *, at: float) -> str:
    """The broker's key of the period (seconds) that contains the moment."""
    return f"bnpl:slot:{job}:{period}:{int(at // period)}"
