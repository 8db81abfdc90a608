"""A worker's own look at itself: whether it takes tasks, which is what its pulse says (bnpl.heartbeat)."""

import time
from typing import Any

import redis
import structlog
from celery.bootsteps import StartStopStep
from celery.worker import state

from bnpl import heartbeat

#: A child that is free takes what lies before it within milliseconds. After so long it is none that works.
TAKES_WITHIN_SECONDS = 10.0
log = structlog.get_logger(__name__)


class Taking:
    """Whether the children of a worker take what is handed to them, looked at now and then.

    Stopped children, and a pool that has lost its way, leave the worker's first process as lively as ever. A child at
    work is another matter: the time limit ends what takes too long, and the child with it.
    """

    def __init__(self, children: int) -> None:
        self.children = children
        self.taken = state.all_total_count[0]
        self.well_at = time.monotonic()

    def stopped(self) -> bool:
        """Whether something has lain before a child with nothing to do for too long, and none has taken anything."""
        now, taken = time.monotonic(), state.all_total_count[0]
        waiting = set(state.reserved_requests) - set(state.active_requests)
        if taken != self.taken or not waiting or len(state.active_requests) >= self.children:
            self.taken, self.well_at = taken, now
        return now - self.well_at >= TAKES_WITHIN_SECONDS


class Pulse(StartStopStep):
    """Shows /readyz that this worker takes tasks; the clerk and the courier, who collect nothing, have none.

    It beats in the consumer's own loop, not in a thread: a worker that hangs, or that has lost its broker, is not felt.
    Nor is one whose children take nothing.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self.broker = heartbeat.broker()
        self.timer: Any = None
        self.taking = Taking(0)

    def start(self, parent: Any) -> None:
        if parent.app.conf.task_default_queue not in parent.app.amqp.queues.consume_from:
            return
        self.taking = Taking(parent.pool.num_processes)
        self.strike(parent.hostname)
        self.timer = parent.timer.call_repeatedly(heartbeat.EVERY_SECONDS, self.strike, (parent.hostname,))

    def stop(self, _parent: Any) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.broker.close()

    def strike(self, worker: str) -> None:
        if self.taking.stopped():
            log.error("pulse_withheld", waiting=len(state.reserved_requests), children=self.taking.children)
            return
        try:
            heartbeat.strike(self.broker, worker)
        except redis.RedisError as missed:
            log.warning("pulse missed", error=type(missed).__name__)
