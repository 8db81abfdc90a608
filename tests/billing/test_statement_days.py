"""Each day of a channel's is asked for and compared once, however little stands in its file."""

from datetime import timedelta
from pathlib import Path

import pytest
import structlog.testing
from django.core.management import CommandError, call_command

from billing.channels import bank_returns
from billing.channels.layouts import PLAIN
from billing.models import Break, Dispute, StatementFile, StatementLine
from billing.services import fetch
from billing.services.ask import ask_unknown
from billing.services.deduct import deduct_due
from billing.services.fetch import TAKEN_BACK_WITHIN, fetch_of
from tests.billing.bench import deduction_of, paid
from tests.billing.statements import DAY, NEXT_DAY, STRAY, found, of_bank, taken_in, written
from tests.conftest import NOON, Shop, completed, someone, yuan
from tests.stillness import nothing_moves

FIVE = timedelta(days=5)


def test_a_second_day_without_lines_is_a_day_of_its_own_and_what_is_missing_there_is_found(power_bank: Shop) -> None:
    taken_in(power_bank, written([]))
    completed(power_bank, someone(power_bank), yuan("6"), at=NOON + FIVE)
    deduct_due(power_bank.realm_id, at=NOON + FIVE)
    made = taken_in(power_bank, written([]), day=DAY + FIVE, at=NEXT_DAY + FIVE)
    assert made.covers_on == DAY + FIVE
    assert Break.objects.get().kind == "missing_there"
    with nothing_moves():
        assert taken_in(power_bank, written([]), day=DAY + FIVE, at=NEXT_DAY + 2 * FIVE) == made


def test_a_file_with_lines_is_the_same_file_also_under_another_day(power_bank: Shop) -> None:
    paid(power_bank)
    first = taken_in(power_bank, of_bank(power_bank))
    with nothing_moves():
        assert taken_in(power_bank, of_bank(power_bank), day=DAY + FIVE) == first


def test_a_file_taken_in_for_a_wrong_day_says_so_and_can_be_its_own_days(power_bank: Shop, tmp_path: Path) -> None:
    missing = deduction_of(paid(power_bank, "7"))
    made = deduction_of(paid(power_bank))
    line = STRAY | {"number": made.number, "transaction": made.channel_txn, "amount": 600}
    file = tmp_path / "bank.csv"
    file.write_bytes(written([line]).getvalue())
    take_in = ["import_statement", "sandbox", str(file), "--realm", str(power_bank.realm_id), "--day"]
    call_command(*take_in, "2026-11-19")
    assert not Break.objects.exists()
    with nothing_moves():
        for more in ([], ["--dry-run"], ["--instead-of", "2026-11-18"]):
            with pytest.raises(CommandError, match="as 2026-11-19's: nothing was done for 2026-11-20"):
                call_command(*take_in, "2026-11-20", *more)
    call_command(*take_in, "2026-11-20", "--instead-of", "2026-11-19")
    statement = StatementFile.objects.get()
    assert (statement.covers_on, statement.covers_from) == (DAY, PLAIN.window(DAY)[0])
    assert found(statement) == {("missing_there", missing.id, None)}
    assert StatementLine.objects.get().verdict == "matched"
    with nothing_moves():
        call_command(*take_in, "2026-11-20")


def test_the_ring_gets_past_days_on_which_the_bank_moved_nothing(power_bank: Shop) -> None:
    realm = power_bank.realm_id
    for days in (0, 10):
        completed(power_bank, someone(power_bank, "timeout_then_not_paid"), yuan("6"), at=NOON + timedelta(days=days))
        deduct_due(realm, at=NOON + timedelta(days=days))
        assert fetch_of("sandbox", realm, at=NEXT_DAY + timedelta(days=days)) > 0
    assert fetch_of("sandbox", realm, at=NEXT_DAY + timedelta(days=10)) > 0
    days = list(StatementFile.objects.order_by("covers_on").values_list("covers_on", flat=True))
    assert days == [DAY + timedelta(days=n) for n in range(11)]


def test_a_file_that_is_another_days_already_is_not_asked_for_seven_times(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = deduction_of(paid(power_bank))
    of_that_day = of_bank(power_bank).getvalue()
    taken_in(power_bank, of_bank(power_bank), day=DAY - FIVE)
    asked = []

    def write(file: object, **_: object) -> None:
        asked.append(made.id)
        file.write(of_that_day)  # type: ignore[attr-defined]

    monkeypatch.setattr(fetch, "WRITERS", {"sandbox": write})
    with structlog.testing.capture_logs() as logs, nothing_moves():
        assert fetch_of("sandbox", power_bank.realm_id, at=NEXT_DAY) == 0
    assert (len(asked), [line["event"] for line in logs]) == (1, ["statement_is_of_another_day"])


def test_the_day_of_what_was_taken_before_midnight_and_heard_of_after_it_is_asked_for(power_bank: Shop) -> None:
    late = NOON.replace(hour=15, minute=59, second=58)
    order = completed(power_bank, someone(power_bank, "timeout_then_paid"), yuan("6"), at=late)
    deduct_due(power_bank.realm_id, at=late)
    ask_unknown(power_bank.realm_id, at=late + timedelta(seconds=70))
    assert deduction_of(order).state == "succeeded"
    for days in range(1, 6):
        fetch_of("sandbox", power_bank.realm_id, at=NOON + timedelta(days=days))
    files = list(StatementFile.objects.order_by("covers_on").values_list("covers_on", "lines"))
    assert files == [(DAY, 1), *((DAY + timedelta(days=n), 0) for n in range(1, 5))]
    assert not Break.objects.exists()


def test_a_day_on_which_the_bank_only_took_something_back_is_asked_for(power_bank: Shop) -> None:
    order = paid(power_bank)
    assert fetch_of("sandbox", power_bank.realm_id, at=NEXT_DAY) == 1
    assert bank_returns.take_back(deduction_of(order).number, "no_funds", at=NOON + timedelta(days=3))
    assert fetch_of("sandbox", power_bank.realm_id, at=NOON + FIVE) == 4
    assert Dispute.objects.get().amount_minor == 600


def test_long_after_the_last_debit_no_day_is_asked_for_before_something_moves_again(power_bank: Shop) -> None:
    paid(power_bank)
    realm, later = power_bank.realm_id, timedelta(days=300)
    while fetch_of("sandbox", realm, at=NOON + later):
        pass
    over = DAY + TAKEN_BACK_WITHIN
    assert StatementFile.objects.latest("covers_on").covers_on == over
    with nothing_moves():
        assert fetch_of("sandbox", realm, at=NOON + 2 * later) == 0
    completed(power_bank, someone(power_bank), yuan("6"), at=NOON + later)
    deduct_due(realm, at=NOON + later)
    assert fetch_of("sandbox", realm, at=NEXT_DAY + later) == 1
    days = list(StatementFile.objects.order_by("-covers_on").values_list("covers_on", flat=True)[:2])
    assert days == [DAY + later, over]
