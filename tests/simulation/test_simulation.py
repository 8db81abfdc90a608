"""Weeks of everything at once. The same seed is the same life, to the byte, and the judge finds nothing wrong with it.

`make evidence` runs many seeds of many orders over ninety days: SIMULATED_SEEDS of them from SIMULATED_FIRST on, each
of SIMULATED_ORDERS and SIMULATED_DAYS. A seed's line holds the digest of its log: the same wherever it is run.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import pytest
from psycopg2 import extensions

from billing import channels, rules
from billing.channels import Answer, Closed, Declined, Unknown
from billing.models import Deduction
from billing.planning import FailureClass
from billing.services import deduction_outcomes
from tests.simulation import faults
from tests.simulation.faults import Fault
from tests.simulation.outcome import Outcome
from tests.simulation.run import Simulation
from tests.simulation.world import Size

FIRST = int(os.environ.get("SIMULATED_FIRST", "1"))
SEEDS = int(os.environ.get("SIMULATED_SEEDS", "1"))
ORDERS = int(os.environ.get("SIMULATED_ORDERS", "150"))
DAYS = int(os.environ.get("SIMULATED_DAYS", "10"))
#: Enough to be lived twice, and for mistakes to show where much goes wrong.
SMALL, TINY = Size(seed=7, orders=100, days=7), Size(seed=7, orders=60, days=6)

_FILLED = """
SELECT string_agg(oid::regclass::text, ', ') FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
"""

pytestmark = pytest.mark.django_db(transaction=True)
Simulate = Callable[[Size], Outcome]


@pytest.fixture
def simulate(superuser_connection: extensions.connection) -> Iterator[Simulate]:
    """Runs a seed; when everybody is there, the planner may count them, as it does by itself in life.

    What is empty yet is not counted, as in life: it would be read from end to end for as long as a plan lasts.
    """

    def analysed() -> None:
        with superuser_connection.cursor() as cursor:
            cursor.execute(_FILLED)
            (tables,) = cursor.fetchone()
            cursor.execute(f"ANALYZE {tables}")

    yield lambda size: Simulation(size).run(analysed)
    start_over(superuser_connection)


def start_over(superuser: extensions.connection) -> None:
    """Everything that was lived is cut off; deleting it row by row, a million rows would stay behind as waste."""
    with superuser.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, ', ') FROM seed.tables() t")
        (tables,) = cursor.fetchone()
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(f"TRUNCATE {tables}")
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("SELECT seed.restore()")


@pytest.fixture(scope="module")
def told() -> Iterator[list[Outcome]]:
    """What the seeds came to; the last line is of all of them."""
    outcomes: list[Outcome] = []
    yield outcomes
    if outcomes:
        trouble = sum((Counter(outcome.faults) for outcome in outcomes), Counter[str]())
        delays = [delay for outcome in outcomes for delay in outcome.delays]
        say(
            f"{len(outcomes)} seeds: {sum(o.size.orders for o in outcomes)} orders, "
            f"{sum(o.attempts for o in outcomes)} attempts, {sum(o.actions for o in outcomes)} acts, "
            f"{sum(o.crashes for o in outcomes)} crashes, {sum(len(o.violations) for o in outcomes)} violations, "
            f"taken to paid {median(delays):.0f} s, {sum(o.seconds for o in outcomes):.0f} s "
            f"({', '.join(f'{name} {count}' for name, count in sorted(trouble.items()))})"
        )


def say(line: str) -> None:
    """For whoever asks for the evidence with -s."""
    sys.stdout.write(f"\n{line}\n")


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_whatever_happens_nothing_goes_wrong(seed: int, simulate: Simulate, told: list[Outcome]) -> None:
    outcome = simulate(Size(seed, ORDERS, DAYS))
    told.append(outcome)
    say(str(outcome))
    assert outcome.violations == []
    assert outcome.attempts >= ORDERS // 2
    assert outcome.crashes


def test_the_same_seed_is_the_same_life_to_the_byte(
    simulate: Simulate, superuser_connection: extensions.connection, tmp_path: Path
) -> None:
    """The other life is lived by another process, in which sets and dicts of strings have another order."""
    here, there = simulate(SMALL), tmp_path / "log"
    start_over(superuser_connection)
    again = f"from tests.simulation.run import write_log; write_log({astuple(SMALL)}, {str(there)!r})"
    shell = [sys.executable, "manage.py", "shell", "--no-imports", "-c", again]
    subprocess.run(shell, check=True, env=os.environ | {"PYTHONHASHSEED": "1"})  # noqa: S603  our own command
    assert there.read_text().splitlines() == here.log
    assert here.violations == []


def harmless(_patch: pytest.MonkeyPatch) -> None:
    """No mistake at all."""


def found_wanting(patch: pytest.MonkeyPatch) -> None:
    """What the channel has not found yet is taken for never sent, and nobody has it closed."""
    patch.setattr(rules, "is_not_sent", lambda *_args, **_kwargs: True)
    patch.setattr(channels, "close", lambda *_args, **_kwargs: Closed())


def impatient(patch: pytest.MonkeyPatch) -> None:
    """Who gets no answer calls it a failure."""
    ask = channels._call_safely  # noqa: SLF001  where the mistake would be made

    def asked(*args: Any) -> Answer:
        answer = ask(*args)
        return Declined("timeout", FailureClass.TECHNICAL) if isinstance(answer, Unknown) else answer

    patch.setattr(channels, "_call_safely", asked)


def renumbered(patch: pytest.MonkeyPatch) -> None:
    """A deduction has another number each time it is spoken of."""
    patch.setattr(Deduction, "number", property(lambda _row: uuid4().hex))


def careless(patch: pytest.MonkeyPatch) -> None:
    """Money that has no place is not booked anywhere."""
    patch.setattr(deduction_outcomes, "_book_to_suspense", lambda *_args, **_kwargs: None)


@pytest.mark.breaks_invariants
@pytest.mark.parametrize("mistake", [harmless, found_wanting, impatient, renumbered, careless])
def test_a_mistake_does_not_go_unnoticed(
    mistake: Callable[[pytest.MonkeyPatch], None], simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is anything noticed where there is none, however much goes wrong outside."""
    for fault in set(faults.WEIGHTS) - {Fault.PAID, Fault.SOFT}:
        monkeypatch.setitem(faults.WEIGHTS, fault, 10 * faults.WEIGHTS[fault])
    mistake(monkeypatch)
    assert bool(simulate(TINY).violations) == (mistake is not harmless)
