"""A truncated file is imported again, complete: what it repeats is one discrepancy, resolved once."""

import io
from datetime import timedelta
from typing import Any

import pytest

from billing.models import Break
from billing.refusals import NothingToPost
from billing.services.breaks import resolve_break
from tests.billing.helpers import balances, latest_deduction_of, paid_order
from tests.billing.statements import DAY, NEXT_DAY, STRAY, import_file, statement_of
from tests.conftest import BY, Shop

pytestmark = pytest.mark.breaks_invariants
MORE = STRAY | {"transaction": "stray-2", "amount": 1}


def truncated_statement(*lines: dict[str, Any]) -> io.BytesIO:
    """The same file, whose trailer counts a line that is not there."""
    text = statement_of(lines).getvalue().decode().replace(f"END,{len(lines)},", f"END,{len(lines) + 1},")
    return io.BytesIO(text.encode())


def place_all(*breaks: Break) -> int:
    """Place these breaks in suspense where that is allowed. Returns how many were refused."""
    refused = 0
    for row in breaks or Break.objects.filter(closed_at=None).order_by("id"):
        try:
            resolve_break(row.id, Break.Resolution.SUSPENSE, "x", by=BY, at=NEXT_DAY)
        except NothingToPost:
            refused += 1
    return refused


def test_a_discrepancy_repeated_by_the_complete_file_is_one_break(power_bank: Shop) -> None:
    assert import_file(power_bank, truncated_statement(STRAY)).trouble
    assert not import_file(power_bank, statement_of([STRAY, MORE])).trouble
    assert list(Break.objects.order_by("id").values_list("theirs_minor", flat=True)) == [700, 1]
    assert place_all() == 0
    assert balances(power_bank)["suspense"] == 701


def test_a_resolved_break_is_not_reopened_by_the_complete_file(power_bank: Shop) -> None:
    import_file(power_bank, truncated_statement(STRAY))
    resolve_break(Break.objects.get().id, "nothing", "x", by=BY, at=NEXT_DAY)
    import_file(power_bank, statement_of([STRAY, MORE]))
    assert Break.objects.get(closed_at=None).theirs_minor == 1


def test_a_wrong_amount_in_a_truncated_file_is_moved_to_suspense_once(power_bank: Shop) -> None:
    made = latest_deduction_of(paid_order(power_bank))
    line = STRAY | {"number": made.number, "transaction": made.channel_txn, "amount": 599}
    import_file(power_bank, truncated_statement(line))
    import_file(power_bank, statement_of([line, STRAY]))
    before = balances(power_bank)["clearing:sandbox"]
    place_all(Break.objects.get(kind="amount"))
    assert balances(power_bank)["clearing:sandbox"] == before - 1


def test_each_of_two_equal_lines_opens_one_break(power_bank: Shop) -> None:
    """The first file ends before the last of three; in pieces of one line as in one piece."""
    import_file(power_bank, truncated_statement(STRAY, STRAY))
    import_file(power_bank, statement_of([STRAY, STRAY, STRAY]))
    assert list(Break.objects.order_by("id").values_list("kind", flat=True)) == ["missing_here", *["duplicate"] * 2]
    assert place_all() == 0
    assert balances(power_bank)["suspense"] == 2100


def test_the_same_holds_when_imported_in_batches(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.services.statement_import.LINES_PER_BATCH", 1)
    import_file(power_bank, truncated_statement(STRAY, STRAY))
    import_file(power_bank, statement_of([STRAY, STRAY, STRAY]))
    assert Break.objects.count() == 3


def test_an_equal_line_in_another_days_file_is_a_second_discrepancy(power_bank: Shop) -> None:
    import_file(power_bank, statement_of([STRAY]))
    next_day = {"day": DAY + timedelta(days=1), "at": NEXT_DAY + timedelta(days=1)}
    import_file(power_bank, statement_of([STRAY, MORE]), **next_day)
    assert list(Break.objects.filter(theirs_minor=700).values_list("kind", flat=True)) == ["duplicate", "missing_here"]
    assert place_all() == 0


def test_two_breaks_of_one_discrepancy_are_moved_to_suspense_once(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if both files were imported at the same moment."""
    monkeypatch.setattr("billing.services.statement_matching.new_discrepancies", lambda _statement, rows: rows)
    import_file(power_bank, truncated_statement(STRAY))
    import_file(power_bank, statement_of([STRAY, MORE]))
    assert Break.objects.count() == 3
    assert place_all() == 1
    assert balances(power_bank)["suspense"] == 701
