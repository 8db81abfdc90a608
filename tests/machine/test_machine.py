"""A state machine test: steps drawn by Hypothesis act on the product and on a model of it, which must agree."""

import os
import sys
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.base import Rules
from tests.machine.environment_rules import EnvironmentRules
from tests.machine.merchant_rules import MerchantRules
from tests.machine.people_rules import PeopleRules

#: A slice in every run, always the same one; `make evidence` asks for more, and may ask for another.
EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "8"))
STEPS = int(os.environ.get("MACHINE_STEPS", "24"))
SEED = int(os.environ.get("MACHINE_SEED", "20261125"))
#: A find is told as it was found; looking for the shortest way to it takes minutes more.
PHASES = (Phase.generate, Phase.shrink) if os.environ.get("MACHINE_SHRINK") else (Phase.generate,)


class Machine(MerchantRules, PeopleRules, EnvironmentRules):
    """Merchants, people, the bank and time, in any order."""


@pytest.mark.django_db(transaction=True)
def test_whatever_happens_in_whatever_order_it_is_as_the_model_says() -> None:
    machine_settings = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        print_blob=False,
        phases=PHASES,
        suppress_health_check=[HealthCheck.too_slow],
    )

    run_state_machine_as_test(seed(SEED)(Machine), settings=machine_settings)

    sys.stdout.write(
        f"\nmachine: {Rules.examples} examples, {Rules.steps.total()} steps, 0 violations, seed {SEED}\n"
        f"  steps: {format_counts(Rules.steps)}\n  at the end: {format_counts(Rules.reached)}\n"
    )


def format_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
