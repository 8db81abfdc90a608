"""The worker bootstep that sends heartbeats while the worker's child processes take tasks (bnpl.heartbeat)."""

import time
from typing import Any

import redis
import structlog
from celery.bootsteps import StartStopStep
from celery.worker import state

from bnpl import heartbeat

#: A free child process takes a reserved task within milliseconds. After this long it is considered stalled.
STALLED_AFTER_SECONDS = 10.0
log = structlog.get_logger(__name__)


class PoolMonitor:
    """Watches whether a worker's child processes take the tasks reserved for them.

    When they are stopped, or the pool hangs, the worker's main process shows nothing of it. A busy child is no
    stall: the time limit ends a task that takes too long, and the child with it.
    """

    def __init__(self, children: int) -> None:
        self.children = children
        self.tasks_taken = state.all_total_count[0]
        self.last_progress_at = time.monotonic()

    def is_stalled(self) -> bool:
        """Whether tasks have waited too long while a child was free and none was taken."""
        now, tasks_taken = time.monotonic(), state.all_total_count[0]
        waiting = set(state.reserved_requests) - set(state.active_requests)
        if tasks_taken != self.tasks_taken or not waiting or len(state.active_requests) >= self.children:
            self.tasks_taken, self.last_progress_at = tasks_taken, now
        return now - self.last_progress_at >= STALLED_AFTER_SECONDS


class HeartbeatStep(StartStopStep):
    """Tells /readyz that this worker takes tasks. The clerk and the courier, which deduct nothing, send no heartbeat.

    It runs in the consumer's event loop, not in a thread: a worker that hangs or has lost its broker sends none.
    Nor does one whose child processes are stalled.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self.broker = heartbeat.connect_broker()
        self.timer: Any = None
        self.pool_monitor = PoolMonitor(0)

    def start(self, parent: Any) -> None:
        if parent.app.conf.task_default_queue not in parent.app.amqp.queues.consume_from:
            return
        self.pool_monitor = PoolMonitor(parent.pool.num_processes)
        self.send_heartbeat(parent.hostname)
        self.timer = parent.timer.call_repeatedly(heartbeat.INTERVAL_SECONDS, self.send_heartbeat, (parent.hostname,))

    def stop(self, _parent: Any) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.broker.close()

    def send_heartbeat(self, worker: str) -> None:
        if self.pool_monitor.is_stalled():
            log.error("pulse_withheld", waiting=len(state.reserved_requests), children=self.pool_monitor.children)
            return
        try:
            heartbeat.beat(self.broker, worker)
        except redis.RedisError as error:
            log.warning("pulse missed", error=type(error).__name__)
