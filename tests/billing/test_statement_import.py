"""A channel's statement against our records: every planted discrepancy is found, once, and resolved."""

import os
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg2
import pytest
from django.core.management import CommandError, call_command

from billing.channels import bank
from billing.models import Break, Deduction, Refund, StatementFile, StatementLine
from billing.refusals import BreakClosed, BreakInFlight, NothingToPost
from billing.services import statement_import
from billing.services.breaks import resolve_break
from billing.services.deduct import deduct_due
from billing.services.statement_fetching import fetch_channel
from kernel.actor import Actor
from kernel.refusal import ApprovalRequired
from ledger.models import Posting
from tests.billing.helpers import balances, issue_refund, latest_deduction_of, paid_order, run_due_deductions
from tests.billing.statements import (
    DAY,
    NEXT_DAY,
    bank_statement,
    breaks_of,
    clone_deductions,
    import_file,
    statement_of,
)
from tests.conftest import NOON, Shop, make_due_order, make_person, state_of, yuan
from tests.crashes.fault_injection import KILLED, run_and_kill
from tests.db_errors import CHECK, raises_db_error
from tests.unchanged import assert_unchanged

LINES = int(os.environ.get("STATEMENT_LINES", "600"))
NEAR_THE_END = NOON.replace(hour=15, minute=30)
LIN, MEI = Actor.staff(UUID(int=1)), Actor.staff(UUID(int=2))


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement_import, "LINES_PER_BATCH", 50)


def breaks(kind: str) -> list[Break]:
    return list(Break.objects.filter(kind=kind).order_by("id"))


def test_a_day_of_the_sandbox_bank_matches_our_records(power_bank: Shop) -> None:
    order = paid_order(power_bank, "6")
    issue_refund(order, "2")
    make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("3"))
    deduct_due(power_bank.realm_id, at=NOON)
    statement = import_file(power_bank, bank_statement(power_bank))
    assert (statement.lines, statement.damaged, statement.trouble) == (3, 0, "")
    assert sorted(StatementLine.objects.values_list("kind", "status", "verdict")) == [
        ("debit", "failed", "nothing"),
        ("debit", "success", "matched"),
        ("refund", "success", "matched"),
    ]
    assert not Break.objects.exists()


def test_importing_the_same_file_again_changes_nothing(power_bank: Shop) -> None:
    paid_order(power_bank)
    first = import_file(power_bank, bank_statement(power_bank))
    with assert_unchanged():
        assert import_file(power_bank, bank_statement(power_bank), at=NEXT_DAY + timedelta(days=1)) == first


def test_an_outcome_only_in_the_statement_is_applied_by_the_resolver(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "timeout_then_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    assert latest_deduction_of(order).state == "unknown"
    import_file(power_bank, bank_statement(power_bank))
    assert state_of(order) == "deducted"
    row = Break.objects.get()
    assert (row.kind, row.resolution, row.deduction_id) == ("missing_here", "booked", latest_deduction_of(order).id)
    assert latest_deduction_of(order).reports.latest("id").source == "statement"
    with assert_unchanged():
        run_due_deductions(power_bank, NEXT_DAY)


def test_a_refund_only_in_the_statement_is_booked_too(power_bank: Shop) -> None:
    order = paid_order(power_bank, "6", "timeout_then_paid")
    refund = issue_refund(order, "2")
    assert refund.parts.get().state == "unknown"
    import_file(power_bank, bank_statement(power_bank))
    assert (Refund.objects.get().state, refund.parts.get().state) == ("succeeded", "succeeded")
    assert Break.objects.get().resolution == "booked"
    assert "refund_due" not in balances(power_bank)


def test_a_success_after_failure_is_in_suspense_by_its_case_only(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    made = latest_deduction_of(order)
    line = {"number": made.number, "transaction": "late", "kind": "debit", "amount": 600, "currency": "CNY"}
    import_file(power_bank, statement_of([line | {"status": "success", "time": NOON}]))
    row = Break.objects.get()
    assert (row.kind, row.closed_at, made.cases.get().kind) == ("status", None, "taken_after_failure")
    assert balances(power_bank)["suspense"] == 600
    with assert_unchanged(), pytest.raises(NothingToPost):
        resolve_break(row.id, "suspense", "x", by=LIN, at=NEXT_DAY)
    resolve_break(row.id, "nothing", "见工单", by=LIN, at=NEXT_DAY)
    with assert_unchanged(), pytest.raises(BreakClosed):
        resolve_break(row.id, "nothing", "x", by=LIN, at=NEXT_DAY)


@pytest.mark.breaks_invariants
def test_exactly_the_planted_breaks_are_found(
    power_bank: Shop, superuser_connection: psycopg2.extensions.connection, small_pieces: None
) -> None:
    """Of each kind a fortieth of the lines, spread over the file; the other lines are right."""
    like = latest_deduction_of(paid_order(power_bank))
    each = LINES // 40
    lines = clone_deductions(superuser_connection, like, LINES)
    wanted: set[tuple[str, UUID | None, int | None]] = {("missing_there", like.id, None)}
    for n, line in enumerate(lines):
        key, place = UUID(line["number"]), n + 2
        if n % 40 == 3:
            line["amount"] += 1
            wanted.add(("amount", key, place))
        elif n % 40 == 9:
            line["currency"] = "USD"
            wanted.add(("currency", key, place))
        elif n % 40 == 15:
            line["status"] = "failed"
            wanted.add(("status", key, place))
        elif n % 40 == 21:
            line["number"], line["transaction"] = f"strange{n}", f"strange{n}"
            wanted |= {("missing_here", None, place), ("missing_there", key, None)}
        elif n % 40 == 27:
            line["number"] = ""  # found by its transaction
    twice = [dict(line) for n, line in enumerate(lines) if n % 40 == 33]
    wanted |= {("duplicate", UUID(line["number"]), LINES + 2 + n) for n, line in enumerate(twice)}
    silent = clone_deductions(superuser_connection, like, each)
    wanted |= {("missing_there", UUID(line["number"]), None) for line in silent}
    late = clone_deductions(superuser_connection, like, each, at=NEAR_THE_END)
    wanted |= {("late", UUID(line["number"]), None) for line in late}

    statement = import_file(power_bank, statement_of([*lines, *twice], "not a line"))
    assert (statement.lines, statement.damaged, statement.trouble) == (LINES + each + 1, 1, "")
    assert breaks_of(statement) == wanted

    second = import_file(
        power_bank, statement_of(late[1:]), day=DAY + timedelta(days=1), at=NEXT_DAY + timedelta(days=1)
    )
    assert breaks_of(second) == {("missing_there", UUID(late[0]["number"]), None)}
    assert {row.resolution for row in breaks("late")} == {"came_later", "never_came"}


def test_staff_move_a_break_to_suspense_and_a_large_one_with_dual_approval(power_bank: Shop) -> None:
    paid_order(power_bank)
    line = {"number": "", "transaction": "t1", "kind": "debit", "currency": "CNY", "status": "success", "time": NOON}
    second = line | {"transaction": "t2", "kind": "refund", "amount": 100_000}
    bank_lines = bank_statement(power_bank).getvalue().decode().splitlines()[1]
    import_file(power_bank, statement_of([line | {"amount": 700}, second], bank_lines))
    small, large = breaks("missing_here")
    resolve_break(small.id, "suspense", "银行多扣", by=LIN, at=NEXT_DAY)
    assert balances(power_bank)["suspense"] == 700
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        resolve_break(large.id, "suspense", "first", by=LIN, at=NEXT_DAY)
    with raises_db_error(CHECK, "a_large_break_is_closed_by_two"):
        Break.objects.filter(pk=large.id).update(closed_at=NEXT_DAY, closed_by=str(LIN), resolution="nothing")
    done = resolve_break(large.id, "nothing", "agreed", by=MEI.approved_by(LIN), at=NEXT_DAY)
    assert (done.resolution, done.closed_because, done.closed_by) == ("nothing", "agreed", str(MEI.approved_by(LIN)))
    assert balances(power_bank)["suspense"] == 700


def test_a_missing_movement_that_arrives_later_leaves_suspense(power_bank: Shop) -> None:
    paid_order(power_bank, "6")
    import_file(power_bank, statement_of([]))
    (missed,) = breaks("missing_there")
    resolve_break(missed.id, "suspense", "银行说没有", by=LIN, at=NEXT_DAY)
    assert balances(power_bank)["suspense"] == -600
    whole = bank_statement(power_bank)
    import_file(power_bank, whole, day=DAY + timedelta(days=1))
    assert "suspense" not in balances(power_bank)
    assert Posting.objects.filter(kind="break_came_back").count() == 1


def test_a_break_cannot_be_resolved_while_its_outcome_is_polled(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "timeout_then_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    made = latest_deduction_of(order)
    line = {"number": made.number, "transaction": "t", "kind": "debit", "amount": 599, "currency": "CNY"}
    import_file(power_bank, statement_of([line | {"status": "success", "time": NOON}]))
    (row,) = breaks("amount")
    assert made.cases.get().kind == "wrong_amount"
    with assert_unchanged(), pytest.raises(BreakInFlight):
        resolve_break(row.id, "suspense", "x", by=LIN, at=NEXT_DAY)


def test_a_truncated_file_reports_nothing_missing(power_bank: Shop) -> None:
    paid_order(power_bank)
    whole = bank_statement(power_bank)
    head = whole.getvalue().splitlines(keepends=True)[0]
    cut = type(whole)(head)
    statement = import_file(power_bank, cut)
    assert "trailer" in statement.trouble
    assert not Break.objects.exists()
    assert import_file(power_bank, whole).trouble == ""
    assert not Break.objects.exists()


@pytest.mark.breaks_invariants
@pytest.mark.django_db(transaction=True)
def test_a_killed_import_resumes_without_duplicates(
    power_bank: Shop, superuser_connection: psycopg2.extensions.connection, small_pieces: None
) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "timeout_then_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    real = bank_statement(power_bank).getvalue().decode().splitlines()[1]
    lines = clone_deductions(superuser_connection, latest_deduction_of(order), 120)
    lines[60]["amount"] += 1
    file = statement_of(lines, real).getvalue().replace(b"END,121", b"END,121")
    trailer = sum(line["amount"] for line in lines) + 600
    file = file[: file.index(b"END")] + f"END,121,{trailer},0\r\n".encode()

    turn, code = 1, KILLED
    while code == KILLED:
        code, _ = run_and_kill(lambda: bool(import_file(power_bank, type(statement_of([]))(file))), turn)
        turn += 17
    assert code == 0
    statement = StatementFile.objects.get()
    assert (statement.lines, statement.entries.count(), statement.trouble) == (121, 121, "")
    assert sorted(Break.objects.values_list("kind", "resolution")) == [("amount", ""), ("missing_here", "booked")]
    assert state_of(order) == "deducted"
    assert Deduction.objects.filter(lines__order=order).count() == 1
    assert len(bank.debits_of(order.person.instruments.get().token)) == 1


def test_the_job_fetches_days_that_are_over_and_had_movements(power_bank: Shop) -> None:
    paid_order(power_bank)
    assert fetch_channel("sandbox", power_bank.realm_id, at=NOON.replace(hour=16, minute=30)) == 0
    assert fetch_channel("sandbox", power_bank.realm_id, at=NEXT_DAY) == 1
    with assert_unchanged():
        assert fetch_channel("sandbox", power_bank.realm_id, at=NEXT_DAY) == 0
    make_due_order(power_bank, make_person(power_bank), yuan("6"), at=NOON + timedelta(days=9))
    deduct_due(power_bank.realm_id, at=NOON + timedelta(days=9))
    assert [fetch_channel("sandbox", power_bank.realm_id, at=NOON + timedelta(days=10)) for _ in range(3)] == [7, 2, 0]
    days = StatementFile.objects.order_by("covers_on").values_list("covers_on", "lines", "trouble")
    lines = {0: 1, 9: 1}
    assert list(days) == [(DAY + timedelta(days=n), lines.get(n, 0), "") for n in range(10)]
    assert not Break.objects.exists()


def test_staff_import_a_file_in_the_channels_layout(
    power_bank: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = latest_deduction_of(paid_order(power_bank, "6"))
    layout, file = tmp_path / "bank.toml", tmp_path / "账单.csv"
    layout.write_text('number = "单号"\ntxn = "流水"\namount = "金额"\nat = "时间"\nencoding = "gb18030"\n', "utf-8")
    file.write_text(
        f"单号,流水,金额,时间\n{made.number},{made.channel_txn},6.00,2026-11-20 12:00:01\n坏行\n", "gb18030"
    )
    asked = ["sandbox", str(file), "--day", "2026-11-20", "--realm", str(power_bank.realm_id)]
    with assert_unchanged():
        call_command("import_statement", *asked, "--layout", str(layout), "--dry-run")
    told = capsys.readouterr().out
    assert "line 3: columns" in told
    assert "Nothing was kept: 2 lines, 1 damaged" in told
    call_command("import_statement", *asked, "--layout", str(layout))
    assert "2 lines, 1 damaged" in capsys.readouterr().out
    assert set(StatementLine.objects.values_list("verdict", flat=True)) == {"matched", "damaged"}
    assert StatementFile.objects.get().name == "账单.csv"
    file.write_text("单号,流水\n1,2\n", "gb18030")
    with pytest.raises(CommandError, match="head cannot be read"):
        call_command("import_statement", *asked)
