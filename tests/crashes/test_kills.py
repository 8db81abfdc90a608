"""The process is killed at every point, with every behaviour of the bank; requests and workers must recover."""

import itertools
import os
import sys

import pytest

from billing.channels.bank import Behaviour
from bnpl.invariants import find_violations
from tests.conftest import Shop, make_shop
from tests.crashes.back_office import InvoiceScenario, LimitReviewScenario, StatementScenario
from tests.crashes.dispute import DisputeScenario
from tests.crashes.fault_injection import KILLED, run_and_kill
from tests.crashes.goods_return import GoodsReturnScenario
from tests.crashes.other_currency import OtherCurrencyScenario
from tests.crashes.payout import PayoutScenario
from tests.crashes.scenarios import ManualPaymentScenario, RefundScenario, Scenario, WriteOffScenario, create_scenario

#: Of all points, every so manieth is tried; `make evidence` sets 1.
STRIDE = int(os.environ.get("CRASH_STRIDE", "512"))
#: Pairs of a kill and a kill in its recovery, for each story and behaviour; `make evidence` asks for more.
PAIRS = int(os.environ.get("CRASH_PAIRS", "1"))

pytestmark = [pytest.mark.django_db(transaction=True)]
#: Every behaviour of the bank for what happens every day; for the rest those that differ while somebody waits.
AT_HAND = [
    Behaviour.PAYS,
    Behaviour.HARD_DECLINE,
    Behaviour.TIMEOUT_THEN_PAID,
    Behaviour.TIMEOUT_THEN_NOT_PAID,
    Behaviour.LATE_CALLBACK,
]
CASES = [(Scenario, behaviour) for behaviour in Behaviour]
CASES += [
    (scenario_type, behaviour)
    for scenario_type in (ManualPaymentScenario, WriteOffScenario, RefundScenario)
    for behaviour in AT_HAND
]
#: Being paid is short and much like giving back: a run between others tries two behaviours of it.
CASES += [(PayoutScenario, behaviour) for behaviour in (AT_HAND if STRIDE == 1 else AT_HAND[::3])]
CASES += [(GoodsReturnScenario, behaviour) for behaviour in (AT_HAND if STRIDE == 1 else AT_HAND[::2])]
CASES += [(OtherCurrencyScenario, behaviour) for behaviour in (AT_HAND if STRIDE == 1 else (Behaviour.NO_FUNDS,))]
CASES += [
    (scenario_type, Behaviour.PAYS)
    for scenario_type in (DisputeScenario, StatementScenario, InvoiceScenario, LimitReviewScenario)
]
_names = (f"K{n}" for n in itertools.count(1))
#: Twice killed: every case when evidence is asked for, each sixth one otherwise.
TWICE = CASES if PAIRS > 1 else CASES[::6]


def for_cases(cases: list[tuple[type[Scenario], Behaviour]]) -> pytest.MarkDecorator:
    names = [f"{scenario_type.__name__}-{behaviour}" for scenario_type, behaviour in cases]
    return pytest.mark.parametrize(("scenario_type", "behaviour"), cases, ids=names)


def print_result(kind: str, scenario_type: type[Scenario], behaviour: Behaviour, kills: int) -> None:
    """One line a case, for whoever asks for the evidence with -s."""
    sys.stdout.write(f"\n{kind} kills, {scenario_type.__name__} {behaviour}: {kills}, 0 violations\n")


def create_shop() -> Shop:
    return make_shop("来电充电宝", late_fee_daily_bps=100, late_fee_cap_bps=2000)


@for_cases(CASES)
def test_killed_anywhere_it_comes_right(
    scenario_type: type[Scenario], behaviour: Behaviour, capfd: pytest.CaptureFixture[str]
) -> None:
    kills, shop = 0, create_shop()
    offset = (CASES.index((scenario_type, behaviour)) * 7) % min(STRIDE, 40)  # the shortest story passes forty doors
    for point in itertools.count(1 + offset, STRIDE):
        scenario = create_scenario(scenario_type, shop, behaviour, next(_names))
        code, passed = run_and_kill(scenario.first_run, point)
        assert code in {KILLED, 0}, capfd.readouterr().err
        if code == 0:
            assert len(passed) < point
            scenario.recovery()
            break
        kills += 1
        scenario.recovery()
        scenario.assert_recovered()
    assert list(find_violations()) == []
    print_result("single", scenario_type, behaviour, kills)


@for_cases(TWICE)
def test_killed_again_while_recovering_it_comes_right(
    scenario_type: type[Scenario], behaviour: Behaviour, capfd: pytest.CaptureFixture[str]
) -> None:
    shop = create_shop()
    reference = create_scenario(scenario_type, shop, behaviour, next(_names))
    code, points = run_and_kill(reference.first_run)
    assert code == 0, capfd.readouterr().err
    code, again = run_and_kill(reference.recovery)
    assert code == 0, capfd.readouterr().err
    reference.assert_recovered()
    kills = 0
    for n in range(PAIRS):
        scenario = create_scenario(scenario_type, shop, behaviour, next(_names))
        first = 1 + (n * 37 + 11) % len(points)
        died, _ = run_and_kill(scenario.first_run, first)
        assert died in {KILLED, 0}, capfd.readouterr().err  # a life may pass fewer doors than the first one did
        left = len(points) - first + len(again)  # doors: those the first run did not come to, and asking again
        second = 1 + (n * 53 + 5) % left
        code, _ = run_and_kill(scenario.recovery, second)
        assert code in {KILLED, 0}, capfd.readouterr().err
        kills += died == code == KILLED
        scenario.recovery()
        scenario.assert_recovered()
    assert kills >= PAIRS // 2
    assert list(find_violations()) == []
    print_result("double", scenario_type, behaviour, kills)


def test_every_story_passes_every_kind_of_door() -> None:
    """Every kind of external effect is wrapped: one that was missed would not be tested."""
    shop, passed = create_shop(), set()
    for scenario_type in (Scenario, ManualPaymentScenario, WriteOffScenario, RefundScenario, PayoutScenario):
        scenario = create_scenario(scenario_type, shop, Behaviour.TIMEOUT_THEN_PAID, next(_names))
        code, points = run_and_kill(scenario.recovery)
        assert code == 0
        passed |= {name.split()[1] for name in points}
    assert {
        "SQL",
        "COMMIT",
        "sandbox.charge",
        "sandbox.refund",
        "sandbox.pay_out",
        "sandbox.query",
        "the",
    } <= passed, passed
