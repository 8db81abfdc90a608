"""Beat's scheduler: times in memory, so that any beat may be replaced, and a clock that may be set back."""

from datetime import datetime
from typing import Any

from celery.beat import Scheduler


class ResettableScheduler(Scheduler):
    """Continues within a period of each job after the clock was set back.

    Celery's own scheduler waits until the clock has reached the times that it noted before.
    """

    _ticked_at: datetime | None = None

    def tick(self, *args: Any, **kwargs: Any) -> float:
        now: datetime = self.app.now()
        if self._ticked_at is not None and now < self._ticked_at:
            for entry in self.schedule.values():
                entry.last_run_at = min(entry.last_run_at or now, now)
            self._heap = None  # rebuilt from the entries
        self._ticked_at = now
        seconds: float = super().tick(*args, **kwargs)
        return seconds
