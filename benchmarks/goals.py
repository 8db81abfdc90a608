"""The performance goals, with the names that docs/performance.md gives them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """A value that must be at least or at most a limit; without limits it is only reported."""

    name: str
    against: str
    least: float | None = None
    most: float | None = None
    unit: str = "×"
    #: Why it was not measured, if it was not.
    unmeasured: str = "nothing here measures it yet, or its part was not run"

    @property
    def says(self) -> str:
        if self.least is None and self.most is None:
            return "–"
        return f"≥ {self.least:g} {self.unit}" if self.least is not None else f"≤ {self.most:g} {self.unit}"

    def met(self, value: float) -> bool | None:
        """None if there is no limit."""
        if self.least is None and self.most is None:
            return None
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


_TASK = "one task for each obligation, ORM"
_SMALL = "the same at a hundredth of the orders"
GOALS = (
    Goal("1 create over HTTP", "DRF ModelSerializers and ORM, same server", least=3.5),
    Goal("1 create over HTTP, pgbench", "pgbench with the statements the service sends", least=0.6),
    Goal("1 create over HTTP, CPU of app and database", "DRF ModelSerializers and ORM, same server", most=0.30),
    Goal("1 complete over HTTP", "DRF ModelSerializers and ORM, same server"),
    Goal("1 cancel over HTTP", "DRF ModelSerializers and ORM, same server"),
    Goal("2 get", "ModelSerializer", least=4),
    Goal("2 list", "ModelSerializer", least=4),
    Goal("3 life of an order, CPU", "nothing: CPU of web, worker and database together", most=4, unit="ms"),
    Goal("4 sweep, instant channel", _TASK, least=25),
    Goal("4 sweep, instant channel, SQL", "the sweep's own statements alone", least=0.7),
    Goal("4 sweep, 50 ms channel", f"{_TASK}, one after another", least=120),
    Goal("5 due-claim, buffers", _SMALL, most=1.0),
    Goal("5 due-claim, time", _SMALL, most=1.3),
    Goal("5 history, buffers", _SMALL, most=1.0),
    Goal("5 history, time", _SMALL, most=1.3),
    Goal("5 merchant list, buffers", _SMALL, most=1.0),
    Goal("5 merchant list, time", _SMALL, most=1.3),
    Goal("6 webhooks, fast receivers", "row by row", least=12),
    Goal("6 webhooks, 50 ms receivers", "row by row", least=150),
    Goal(
        "6 webhooks, beside a dead endpoint", "without it: share of the others' pace that is lost", most=0.05, unit=""
    ),
    Goal(
        "7 postings, one by one",
        "django-hordak",
        least=4,
        unmeasured="django-hordak is not installed: make .venv/.bench",
    ),
    Goal(
        "7 postings, bulk",
        "django-hordak's bulk",
        least=5,
        unmeasured="django-hordak is not installed: make .venv/.bench",
    ),
    Goal("8 settlement", "an ORM loop", least=50),
    Goal("8 export", "ORM objects", least=15),
    Goal("8 statement import of 10^6 lines", "nothing: seconds", most=60, unit="s"),
    Goal("9 p99 during a sweep", "p99 without one", most=2),
    Goal("9 create p99", "its p50", most=4),
    Goal("10 memory, web worker", "nothing: resident", most=150, unit="MB"),
    Goal("10 memory, Celery child after 100,000 obligations", "nothing: resident", most=200, unit="MB"),
    Goal("10 memory, statement import of 10^6 lines", "nothing: resident", most=300, unit="MB"),
    Goal("11 WAL of a create after a checkpoint", "the same schema with UUIDv4 keys", most=0.7),
)
BY_NAME = {goal.name: goal for goal in GOALS}
