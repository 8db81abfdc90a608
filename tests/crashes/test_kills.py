"""The process is killed at every point, by every behaviour of the bank; what comes after must put it right."""

import itertools
import os
import sys

import pytest

from billing.channels.bank import Behaviour
from bnpl.invariants import violations
from tests.conftest import make_shop
from tests.crashes.doors import KILLED, run_and_die
from tests.crashes.lives import begin

#: Of all points, every so manieth is tried; `make evidence` sets 1.
STRIDE = int(os.environ.get("CRASH_STRIDE", "16"))
#: Pairs of a kill and a kill in its recovery, for each behaviour; `make evidence` asks for more.
PAIRS = int(os.environ.get("CRASH_PAIRS", "2"))

pytestmark = [pytest.mark.django_db(transaction=True)]


def tally(kind: str, behaviour: Behaviour, kills: int) -> None:
    """One line a behaviour, for whoever asks for the evidence with -s."""
    sys.stdout.write(f"\n{kind} kills, {behaviour}: {kills}, 0 violations\n")


_names = (f"K{n}" for n in itertools.count(1))


@pytest.mark.parametrize("behaviour", list(Behaviour))
def test_killed_anywhere_it_comes_right(behaviour: Behaviour, capfd: pytest.CaptureFixture[str]) -> None:
    kills, shop = 0, make_shop("来电充电宝")
    offset = list(Behaviour).index(behaviour) % STRIDE
    for point in itertools.count(1 + offset, STRIDE):
        life = begin(shop, behaviour, next(_names))
        code, passed = run_and_die(life.first_run, point)
        assert code in {KILLED, 0}, capfd.readouterr().err
        if code == 0:
            assert len(passed) < point
            break
        kills += 1
        life.recovery()
        life.must_have_come_right()
    assert list(violations()) == []
    tally("single", behaviour, kills)


@pytest.mark.parametrize("behaviour", list(Behaviour))
def test_killed_again_while_recovering_it_comes_right(behaviour: Behaviour, capfd: pytest.CaptureFixture[str]) -> None:
    shop = make_shop("来电充电宝")
    golden = begin(shop, behaviour, next(_names))
    code, points = run_and_die(golden.first_run)
    assert code == 0, capfd.readouterr().err
    golden.recovery()
    kills = 0
    for n in range(PAIRS):
        life = begin(shop, behaviour, next(_names))
        first = 1 + (n * 37 + 11) % len(points)
        assert run_and_die(life.first_run, first)[0] == KILLED
        second = 1 + (n * 53 + 5) % len(points)
        code, _ = run_and_die(life.recovery, second)
        assert code in {KILLED, 0}, capfd.readouterr().err
        kills += 1 + (code == KILLED)
        life.recovery()
        life.must_have_come_right()
    assert list(violations()) == []
    tally("double", behaviour, kills)
