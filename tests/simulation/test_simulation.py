"""Ninety days of everything at once. The same seed is the same life, to the byte; the judge finds nothing wrong."""

import os
from pathlib import Path

import pytest
from psycopg2 import extensions

from tests.simulation.outcome import Outcome
from tests.simulation.run import Simulation
from tests.simulation.world import Size

pytestmark = pytest.mark.django_db(transaction=True)
SEEDS, ORDERS, DAYS = (
    int(os.environ.get(f"SIMULATED_{n}", d)) for n, d in (("SEEDS", 2), ("ORDERS", 300), ("DAYS", 90))
)


def simulated(seed: int, superuser: extensions.connection) -> Outcome:
    def analyse() -> None:
        with superuser.cursor() as cursor:
            cursor.execute("ANALYZE")

    return Simulation(Size(seed, ORDERS, DAYS)).run(analyse)


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_a_seed(seed: int, superuser_connection: extensions.connection) -> None:
    outcome = simulated(seed, superuser_connection)
    print(outcome)
    if os.environ.get("LOGTO"):
        Path(os.environ["LOGTO"] + str(seed)).write_text("\n".join(outcome.log))
    assert outcome.wrongs == []
