"""A ring counts once: whoever first takes its slot, (job, which period of it this is), does the work.

The slot is the doorbell's own memory and no truth: see docs/adr/0008. If it is lost or cannot be asked for, the job
runs, and finds that the rows which were done are done.
"""

import redis
import structlog
from celery import Task

from bnpl import heartbeat, ran
from kernel.clock import live_now
from kernel.sweeps import watched

#: A slot is remembered for so many of its periods, so that a worker whose clock is a little behind finds it taken too.
KEPT_PERIODS = 2
log = structlog.get_logger(__name__)


class Ring(Task):  # type: ignore[type-arg]  # not generic at run time
    """A task that runs once a slot when the beat rings it, and whenever it is called by anybody else."""

    #: Its message holds arguments as every task's does, or is refused before anybody acts on it.
    Strategy = "bnpl.broker:strategy"

    def __call__(self, *args: object, **kwargs: object) -> object:
        every = (self.request.headers or {}).get("every")
        if every is None:
            return super().__call__(*args, **kwargs)
        if not first(self.name, every, at=live_now().timestamp()):
            return None
        begun, went_well = live_now(), False
        try:
            with watched() as troubles:
                answer = super().__call__(*args, **kwargs)
            went_well = not troubles
        finally:
            ended = live_now()
            ran.keep(self.name, ran.Run(ended, ended - begun, went_well))
        return answer


def first(job: str, every: float, *, at: float) -> bool:
    """Whether nobody has taken the job's slot at this moment (seconds); it is taken now."""
    try:
        with heartbeat.broker() as broker:
            taken = broker.set(slot(job, every, at=at), 1, nx=True, px=round(every * KEPT_PERIODS * 1000))
    except redis.RedisError as missed:
        log.warning("slot_not_asked_for", job=job, error=type(missed).__name__)
        return True
    return bool(taken)


def slot(job: str, every: float, *, at: float) -> str:
    """The name of the period of `every` seconds in which a moment lies."""
    return f"bnpl:slot:{job}:{every}:{int(at // every)}"
