"""Beat goes on triggering every job after the clock was set back."""

from collections import Counter
from datetime import timedelta

import pytest

from bnpl.beat_scheduler import ResettableScheduler
from bnpl.celery import app
from tests.conftest import NOON

SECOND = timedelta(seconds=1)


def test_every_job_is_triggered_again_within_its_period_after_the_clock_was_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent, now = Counter[str](), [NOON]
    monkeypatch.setattr(app, "now", lambda: now[0])
    beat = ResettableScheduler(app, schedule={}, lazy=True)
    monkeypatch.setattr(beat, "apply_entry", lambda entry, **_: sent.update([entry.name]))
    monkeypatch.setattr(ResettableScheduler, "producer", None)
    periods = {"often": 1.0, "seldom": 10.0}
    beat.update_from_dict(
        {name: {"task": name, "schedule": period} for name, period in periods.items()},
    )

    def run(seconds: int) -> Counter[str]:
        sent.clear()
        for _ in range(seconds):
            while beat.tick() == 0:
                pass
            now[0] += SECOND
        return Counter(sent)

    for _ in range(2):
        triggers = run(30)
        assert triggers["often"] >= 28, triggers
        assert 2 <= triggers["seldom"] <= 4, triggers
        now[0] -= timedelta(hours=1)


def test_the_settings_name_this_scheduler() -> None:
    assert app.conf.beat_scheduler == f"{ResettableScheduler.__module__}:{ResettableScheduler.__name__}"
