"""The process is killed at every point, by every behaviour of the bank; what comes after must put it right."""

import itertools
import os
import sys

import pytest

from billing.channels.bank import Behaviour
from bnpl.invariants import violations
from tests.conftest import Shop, make_shop
from tests.crashes.abroad import IsAbroad
from tests.crashes.books import IsInvoiced, IsReconciled, IsReviewed
from tests.crashes.doors import KILLED, run_and_die
from tests.crashes.lives import GivesBack, Hands, Life, Lost, begin
from tests.crashes.paid_out import GetsPaid
from tests.crashes.sent_back import IsSentBack
from tests.crashes.taken_back import IsTakenBack

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
CASES = [(Life, behaviour) for behaviour in Behaviour]
CASES += [(story, behaviour) for story in (Hands, Lost, GivesBack) for behaviour in AT_HAND]
#: Being paid is short and much like giving back: a run between others tries two behaviours of it.
CASES += [(GetsPaid, behaviour) for behaviour in (AT_HAND if STRIDE == 1 else AT_HAND[::3])]
CASES += [(IsSentBack, behaviour) for behaviour in (AT_HAND if STRIDE == 1 else AT_HAND[::2])]
CASES += [(IsAbroad, behaviour) for behaviour in (AT_HAND if STRIDE == 1 else (Behaviour.NO_FUNDS,))]
CASES += [(story, Behaviour.PAYS) for story in (IsTakenBack, IsReconciled, IsInvoiced, IsReviewed)]
_names = (f"K{n}" for n in itertools.count(1))
#: Twice killed: every case when evidence is asked for, each sixth one otherwise.
TWICE = CASES if PAIRS > 1 else CASES[::6]


def each(cases: list[tuple[type[Life], Behaviour]]) -> pytest.MarkDecorator:
    names = [f"{story.__name__}-{behaviour}" for story, behaviour in cases]
    return pytest.mark.parametrize(("story", "behaviour"), cases, ids=names)


def tally(kind: str, story: type[Life], behaviour: Behaviour, kills: int) -> None:
    """One line a case, for whoever asks for the evidence with -s."""
    sys.stdout.write(f"\n{kind} kills, {story.__name__} {behaviour}: {kills}, 0 violations\n")


def a_shop() -> Shop:
    return make_shop("来电充电宝", late_fee_daily_bps=100, late_fee_cap_bps=2000)


@each(CASES)
def test_killed_anywhere_it_comes_right(
    story: type[Life], behaviour: Behaviour, capfd: pytest.CaptureFixture[str]
) -> None:
    kills, shop = 0, a_shop()
    offset = (CASES.index((story, behaviour)) * 7) % min(STRIDE, 40)  # the shortest story passes forty doors
    for point in itertools.count(1 + offset, STRIDE):
        life = begin(story, shop, behaviour, next(_names))
        code, passed = run_and_die(life.first_run, point)
        assert code in {KILLED, 0}, capfd.readouterr().err
        if code == 0:
            assert len(passed) < point
            life.recovery()
            break
        kills += 1
        life.recovery()
        life.must_have_come_right()
    assert list(violations()) == []
    tally("single", story, behaviour, kills)


@each(TWICE)
def test_killed_again_while_recovering_it_comes_right(
    story: type[Life], behaviour: Behaviour, capfd: pytest.CaptureFixture[str]
) -> None:
    shop = a_shop()
    golden = begin(story, shop, behaviour, next(_names))
    code, points = run_and_die(golden.first_run)
    assert code == 0, capfd.readouterr().err
    code, again = run_and_die(golden.recovery)
    assert code == 0, capfd.readouterr().err
    golden.must_have_come_right()
    kills = 0
    for n in range(PAIRS):
        life = begin(story, shop, behaviour, next(_names))
        first = 1 + (n * 37 + 11) % len(points)
        died, _ = run_and_die(life.first_run, first)
        assert died in {KILLED, 0}, capfd.readouterr().err  # a life may pass fewer doors than the first one did
        left = len(points) - first + len(again)  # doors: those the first run did not come to, and asking again
        second = 1 + (n * 53 + 5) % left
        code, _ = run_and_die(life.recovery, second)
        assert code in {KILLED, 0}, capfd.readouterr().err
        kills += died == code == KILLED
        life.recovery()
        life.must_have_come_right()
    assert kills >= PAIRS // 2
    assert list(violations()) == []
    tally("double", story, behaviour, kills)


def test_every_story_passes_every_kind_of_door() -> None:
    """The list of what a process can die at is as long as it was: a door that is walked around is not tried."""
    shop, passed = a_shop(), set()
    for story in (Life, Hands, Lost, GivesBack, GetsPaid):
        life = begin(story, shop, Behaviour.TIMEOUT_THEN_PAID, next(_names))
        code, points = run_and_die(life.recovery)
        assert code == 0
        passed |= {name.split()[1] for name in points}
    assert {
        "SQL",
        "COMMIT",
        "sandbox.charge",
        "sandbox.give_back",
        "sandbox.pay_out",
        "sandbox.query",
        "the",
    } <= passed, passed
