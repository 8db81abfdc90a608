"""Each day's statement of a channel is fetched and compared once, even if it is empty."""

from datetime import timedelta
from pathlib import Path

import pytest
import structlog.testing
from django.core.management import CommandError, call_command

from billing.channels import bank_disputes
from billing.channels.statement_layouts import DEFAULT_LAYOUT
from billing.models import Break, Dispute, StatementFile, StatementLine
from billing.services import statement_fetching
from billing.services.deduct import deduct_due
from billing.services.outcome_polling import poll_deductions
from billing.services.statement_fetching import DISPUTE_WINDOW, fetch_channel
from tests.billing.helpers import latest_deduction_of, paid_order
from tests.billing.statements import DAY, NEXT_DAY, STRAY, bank_statement, breaks_of, import_file, statement_of
from tests.conftest import NOON, Shop, make_due_order, make_person, yuan
from tests.unchanged import assert_unchanged

FIVE = timedelta(days=5)


def test_a_second_empty_day_is_imported_and_checked(power_bank: Shop) -> None:
    import_file(power_bank, statement_of([]))
    make_due_order(power_bank, make_person(power_bank), yuan("6"), at=NOON + FIVE)
    deduct_due(power_bank.realm_id, at=NOON + FIVE)
    made = import_file(power_bank, statement_of([]), day=DAY + FIVE, at=NEXT_DAY + FIVE)
    assert made.covers_on == DAY + FIVE
    assert Break.objects.get().kind == "missing_there"
    with assert_unchanged():
        assert import_file(power_bank, statement_of([]), day=DAY + FIVE, at=NEXT_DAY + 2 * FIVE) == made


def test_a_file_with_lines_is_identified_by_content_only(power_bank: Shop) -> None:
    paid_order(power_bank)
    first = import_file(power_bank, bank_statement(power_bank))
    with assert_unchanged():
        assert import_file(power_bank, bank_statement(power_bank), day=DAY + FIVE) == first


def test_a_file_imported_for_a_wrong_day_can_be_corrected(power_bank: Shop, tmp_path: Path) -> None:
    missing = latest_deduction_of(paid_order(power_bank, "7"))
    made = latest_deduction_of(paid_order(power_bank))
    line = STRAY | {"number": made.number, "transaction": made.channel_txn, "amount": 600}
    file = tmp_path / "bank.csv"
    file.write_bytes(statement_of([line]).getvalue())
    take_in = ["import_statement", "sandbox", str(file), "--realm", str(power_bank.realm_id), "--day"]
    call_command(*take_in, "2026-11-19")
    assert not Break.objects.exists()
    with assert_unchanged():
        for more in ([], ["--dry-run"], ["--instead-of", "2026-11-18"]):
            with pytest.raises(CommandError, match="as 2026-11-19's: nothing was done for 2026-11-20"):
                call_command(*take_in, "2026-11-20", *more)
    call_command(*take_in, "2026-11-20", "--instead-of", "2026-11-19")
    statement = StatementFile.objects.get()
    assert (statement.covers_on, statement.covers_from) == (DAY, DEFAULT_LAYOUT.day_bounds(DAY)[0])
    assert breaks_of(statement) == {("missing_there", missing.id, None)}
    assert StatementLine.objects.get().verdict == "matched"
    with assert_unchanged():
        call_command(*take_in, "2026-11-20")


def test_the_job_gets_past_days_without_movements(power_bank: Shop) -> None:
    realm = power_bank.realm_id
    for days in (0, 10):
        make_due_order(
            power_bank, make_person(power_bank, "timeout_then_not_paid"), yuan("6"), at=NOON + timedelta(days=days)
        )
        deduct_due(realm, at=NOON + timedelta(days=days))
        assert fetch_channel("sandbox", realm, at=NEXT_DAY + timedelta(days=days)) > 0
    assert fetch_channel("sandbox", realm, at=NEXT_DAY + timedelta(days=10)) > 0
    days = list(StatementFile.objects.order_by("covers_on").values_list("covers_on", flat=True))
    assert days == [DAY + timedelta(days=n) for n in range(11)]


def test_a_file_of_another_day_is_not_fetched_repeatedly(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    made = latest_deduction_of(paid_order(power_bank))
    of_that_day = bank_statement(power_bank).getvalue()
    import_file(power_bank, bank_statement(power_bank), day=DAY - FIVE)
    asked = []

    def write(file: object, **_: object) -> None:
        asked.append(made.id)
        file.write(of_that_day)  # type: ignore[attr-defined]

    monkeypatch.setattr(statement_fetching, "WRITERS", {"sandbox": write})
    with structlog.testing.capture_logs() as logs, assert_unchanged():
        assert fetch_channel("sandbox", power_bank.realm_id, at=NEXT_DAY) == 0
    assert (len(asked), [line["event"] for line in logs]) == (1, ["statement_is_of_another_day"])


def test_the_day_of_a_debit_answered_after_midnight_is_fetched(power_bank: Shop) -> None:
    late = NOON.replace(hour=15, minute=59, second=58)
    order = make_due_order(power_bank, make_person(power_bank, "timeout_then_paid"), yuan("6"), at=late)
    deduct_due(power_bank.realm_id, at=late)
    poll_deductions(power_bank.realm_id, at=late + timedelta(seconds=70))
    assert latest_deduction_of(order).state == "succeeded"
    for days in range(1, 6):
        fetch_channel("sandbox", power_bank.realm_id, at=NOON + timedelta(days=days))
    files = list(StatementFile.objects.order_by("covers_on").values_list("covers_on", "lines"))
    assert files == [(DAY, 1), *((DAY + timedelta(days=n), 0) for n in range(1, 5))]
    assert not Break.objects.exists()


def test_a_day_with_only_a_returned_debit_is_fetched(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    assert fetch_channel("sandbox", power_bank.realm_id, at=NEXT_DAY) == 1
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=NOON + timedelta(days=3))
    assert fetch_channel("sandbox", power_bank.realm_id, at=NOON + FIVE) == 4
    assert Dispute.objects.get().amount_minor == 600


def test_after_the_dispute_window_no_day_is_fetched_until_a_movement(power_bank: Shop) -> None:
    paid_order(power_bank)
    realm, later = power_bank.realm_id, timedelta(days=300)
    while fetch_channel("sandbox", realm, at=NOON + later):
        pass
    over = DAY + DISPUTE_WINDOW
    assert StatementFile.objects.latest("covers_on").covers_on == over
    with assert_unchanged():
        assert fetch_channel("sandbox", realm, at=NOON + 2 * later) == 0
    make_due_order(power_bank, make_person(power_bank), yuan("6"), at=NOON + later)
    deduct_due(realm, at=NOON + later)
    assert fetch_channel("sandbox", realm, at=NEXT_DAY + later) == 1
    days = list(StatementFile.objects.order_by("-covers_on").values_list("covers_on", flat=True)[:2])
    assert days == [DAY + later, over]
