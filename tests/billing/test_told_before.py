"""A file that was not whole comes again, whole: what it says again is one difference, placed once."""

import io
from datetime import timedelta
from typing import Any

import pytest

from billing.models import Break
from billing.refusals import NothingToPost
from billing.services.breaks import settle_break
from tests.billing.bench import balances, deduction_of, paid
from tests.billing.statements import DAY, NEXT_DAY, STRAY, taken_in, written
from tests.conftest import BY, Shop

pytestmark = pytest.mark.breaks_the_house
MORE = STRAY | {"transaction": "stray-2", "amount": 1}


def cut_short(*lines: dict[str, Any]) -> io.BytesIO:
    """The same file, whose trailer counts a line that is not there."""
    text = written(lines).getvalue().decode().replace(f"END,{len(lines)},", f"END,{len(lines) + 1},")
    return io.BytesIO(text.encode())


def place_all(*breaks: Break) -> int:
    """Colleagues put into suspense what they can of these. How many could not be."""
    refused = 0
    for row in breaks or Break.objects.filter(closed_at=None).order_by("id"):
        try:
            settle_break(row.id, Break.Resolution.SUSPENSE, "x", by=BY, at=NEXT_DAY)
        except NothingToPost:
            refused += 1
    return refused


def test_a_difference_that_a_whole_file_tells_again_is_one(power_bank: Shop) -> None:
    assert taken_in(power_bank, cut_short(STRAY)).trouble
    assert not taken_in(power_bank, written([STRAY, MORE])).trouble
    assert list(Break.objects.order_by("id").values_list("theirs_minor", flat=True)) == [700, 1]
    assert place_all() == 0
    assert balances(power_bank)["suspense"] == 701


def test_what_was_judged_is_not_asked_again_by_the_whole_file(power_bank: Shop) -> None:
    taken_in(power_bank, cut_short(STRAY))
    settle_break(Break.objects.get().id, "nothing", "x", by=BY, at=NEXT_DAY)
    taken_in(power_bank, written([STRAY, MORE]))
    assert Break.objects.get(closed_at=None).theirs_minor == 1


def test_another_amount_in_a_file_that_was_not_whole_is_placed_once(power_bank: Shop) -> None:
    made = deduction_of(paid(power_bank))
    line = STRAY | {"number": made.number, "transaction": made.channel_txn, "amount": 599}
    taken_in(power_bank, cut_short(line))
    taken_in(power_bank, written([line, STRAY]))
    before = balances(power_bank)["clearing:sandbox"]
    place_all(Break.objects.get(kind="amount"))
    assert balances(power_bank)["clearing:sandbox"] == before - 1


def test_of_a_line_that_stands_twice_each_is_told_once(power_bank: Shop) -> None:
    """The first file ends before the last of three; in pieces of one line as in one piece."""
    taken_in(power_bank, cut_short(STRAY, STRAY))
    taken_in(power_bank, written([STRAY, STRAY, STRAY]))
    assert list(Break.objects.order_by("id").values_list("kind", flat=True)) == ["missing_here", *["duplicate"] * 2]
    assert place_all() == 0
    assert balances(power_bank)["suspense"] == 2100


def test_in_pieces_as_well(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.services.reconcile.AT_ONCE", 1)
    taken_in(power_bank, cut_short(STRAY, STRAY))
    taken_in(power_bank, written([STRAY, STRAY, STRAY]))
    assert Break.objects.count() == 3


def test_the_same_line_in_a_whole_file_of_another_day_is_a_second_one(power_bank: Shop) -> None:
    taken_in(power_bank, written([STRAY]))
    next_day = {"day": DAY + timedelta(days=1), "at": NEXT_DAY + timedelta(days=1)}
    taken_in(power_bank, written([STRAY, MORE]), **next_day)
    assert list(Break.objects.filter(theirs_minor=700).values_list("kind", flat=True)) == ["duplicate", "missing_here"]
    assert place_all() == 0


def test_two_breaks_of_one_difference_are_placed_once(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """As before there was one for both, or where both files were read at one moment."""
    monkeypatch.setattr("billing.services.compare.untold", lambda _statement, parted: parted)
    taken_in(power_bank, cut_short(STRAY))
    taken_in(power_bank, written([STRAY, MORE]))
    assert Break.objects.count() == 3
    assert place_all() == 1
    assert balances(power_bank)["suspense"] == 701
