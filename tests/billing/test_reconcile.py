"""A channel's statement against our records: every planted break is found, nothing else, once, and put right."""

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
from billing.services import reconcile
from billing.services.breaks import settle_break
from billing.services.deduct import deduct_due
from billing.services.fetch import fetch_of
from kernel.actor import Actor
from kernel.refusal import SecondNeeded
from ledger.models import Posting
from tests.billing.bench import balances, deduction_of, give_back, paid, sweep
from tests.billing.statements import DAY, NEXT_DAY, clones, found, of_bank, taken_in, written
from tests.conftest import NOON, Shop, completed, someone, state_of, yuan
from tests.crashes.doors import KILLED, run_and_die
from tests.guards import CHECK, refused_by
from tests.stillness import nothing_moves

LINES = int(os.environ.get("STATEMENT_LINES", "600"))
NEAR_THE_END = NOON.replace(hour=15, minute=30)
LIN, MEI = Actor.staff(UUID(int=1)), Actor.staff(UUID(int=2))


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "AT_ONCE", 50)


def breaks(kind: str) -> list[Break]:
    return list(Break.objects.filter(kind=kind).order_by("id"))


def test_a_day_at_the_sandbox_bank_is_what_we_have(power_bank: Shop) -> None:
    order = paid(power_bank, "6")
    give_back(order, "2")
    completed(power_bank, someone(power_bank, "no_funds"), yuan("3"))
    deduct_due(power_bank.realm_id, at=NOON)
    statement = taken_in(power_bank, of_bank(power_bank))
    assert (statement.lines, statement.damaged, statement.trouble) == (3, 0, "")
    assert sorted(StatementLine.objects.values_list("kind", "status", "verdict")) == [
        ("debit", "failed", "nothing"),
        ("debit", "success", "matched"),
        ("refund", "success", "matched"),
    ]
    assert not Break.objects.exists()


def test_the_same_file_again_changes_nothing(power_bank: Shop) -> None:
    paid(power_bank)
    first = taken_in(power_bank, of_bank(power_bank))
    with nothing_moves():
        assert taken_in(power_bank, of_bank(power_bank), at=NEXT_DAY + timedelta(days=1)) == first


def test_what_only_the_bank_knows_becomes_true_by_the_one_resolver(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "timeout_then_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    assert deduction_of(order).state == "unknown"
    taken_in(power_bank, of_bank(power_bank))
    assert state_of(order) == "deducted"
    row = Break.objects.get()
    assert (row.kind, row.resolution, row.deduction_id) == ("missing_here", "booked", deduction_of(order).id)
    assert deduction_of(order).reports.latest("id").source == "statement"
    with nothing_moves():
        sweep(power_bank, NEXT_DAY)


def test_money_that_only_the_bank_knows_went_back_is_booked_too(power_bank: Shop) -> None:
    order = paid(power_bank, "6", "timeout_then_paid")
    refund = give_back(order, "2")
    assert refund.parts.get().state == "unknown"
    taken_in(power_bank, of_bank(power_bank))
    assert (Refund.objects.get().state, refund.parts.get().state) == ("succeeded", "succeeded")
    assert Break.objects.get().resolution == "booked"
    assert "refund_due" not in balances(power_bank)


def test_what_came_after_a_failure_stands_in_suspense_by_a_case_and_not_twice(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "no_funds"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    made = deduction_of(order)
    line = {"number": made.number, "transaction": "late", "kind": "debit", "amount": 600, "currency": "CNY"}
    taken_in(power_bank, written([line | {"status": "success", "time": NOON}]))
    row = Break.objects.get()
    assert (row.kind, row.closed_at, made.cases.get().kind) == ("status", None, "taken_after_failure")
    assert balances(power_bank)["suspense"] == 600
    with nothing_moves(), pytest.raises(NothingToPost):
        settle_break(row.id, "suspense", "x", by=LIN, at=NEXT_DAY)
    settle_break(row.id, "nothing", "见工单", by=LIN, at=NEXT_DAY)
    with nothing_moves(), pytest.raises(BreakClosed):
        settle_break(row.id, "nothing", "x", by=LIN, at=NEXT_DAY)


@pytest.mark.breaks_the_house
def test_every_planted_break_is_found_and_nothing_else(
    power_bank: Shop, superuser_connection: psycopg2.extensions.connection, small_pieces: None
) -> None:
    """Of each kind a fortieth of the lines, spread over the file; the other lines are right."""
    like = deduction_of(paid(power_bank))
    each = LINES // 40
    lines = clones(superuser_connection, like, LINES)
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
    silent = clones(superuser_connection, like, each)
    wanted |= {("missing_there", UUID(line["number"]), None) for line in silent}
    late = clones(superuser_connection, like, each, at=NEAR_THE_END)
    wanted |= {("late", UUID(line["number"]), None) for line in late}

    statement = taken_in(power_bank, written([*lines, *twice], "not a line"))
    assert (statement.lines, statement.damaged, statement.trouble) == (LINES + each + 1, 1, "")
    assert found(statement) == wanted

    second = taken_in(power_bank, written(late[1:]), day=DAY + timedelta(days=1), at=NEXT_DAY + timedelta(days=1))
    assert found(second) == {("missing_there", UUID(late[0]["number"]), None)}
    assert {row.resolution for row in breaks("late")} == {"came_later", "never_came"}


def test_a_colleague_puts_a_difference_into_suspense_and_two_a_large_one(power_bank: Shop) -> None:
    paid(power_bank)
    line = {"number": "", "transaction": "t1", "kind": "debit", "currency": "CNY", "status": "success", "time": NOON}
    second = line | {"transaction": "t2", "kind": "refund", "amount": 100_000}
    bank_lines = of_bank(power_bank).getvalue().decode().splitlines()[1]
    taken_in(power_bank, written([line | {"amount": 700}, second], bank_lines))
    small, large = breaks("missing_here")
    settle_break(small.id, "suspense", "银行多扣", by=LIN, at=NEXT_DAY)
    assert balances(power_bank)["suspense"] == 700
    with nothing_moves(), pytest.raises(SecondNeeded):
        settle_break(large.id, "suspense", "first", by=LIN, at=NEXT_DAY)
    with refused_by(CHECK, "a_large_break_is_closed_by_two"):
        Break.objects.filter(pk=large.id).update(closed_at=NEXT_DAY, closed_by=str(LIN), resolution="nothing")
    done = settle_break(large.id, "nothing", "agreed", by=MEI.agreed(LIN), at=NEXT_DAY)
    assert (done.resolution, done.closed_because, done.closed_by) == ("nothing", "agreed", str(MEI.agreed(LIN)))
    assert balances(power_bank)["suspense"] == 700


def test_what_was_given_up_as_missing_and_comes_after_all_leaves_suspense(power_bank: Shop) -> None:
    paid(power_bank, "6")
    taken_in(power_bank, written([]))
    (missed,) = breaks("missing_there")
    settle_break(missed.id, "suspense", "银行说没有", by=LIN, at=NEXT_DAY)
    assert balances(power_bank)["suspense"] == -600
    whole = of_bank(power_bank)
    taken_in(power_bank, whole, day=DAY + timedelta(days=1))
    assert "suspense" not in balances(power_bank)
    assert Posting.objects.filter(kind="break_came_back").count() == 1


def test_nothing_is_judged_while_its_outcome_is_asked_about(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "timeout_then_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    made = deduction_of(order)
    line = {"number": made.number, "transaction": "t", "kind": "debit", "amount": 599, "currency": "CNY"}
    taken_in(power_bank, written([line | {"status": "success", "time": NOON}]))
    (row,) = breaks("amount")
    assert made.cases.get().kind == "wrong_amount"
    with nothing_moves(), pytest.raises(BreakInFlight):
        settle_break(row.id, "suspense", "x", by=LIN, at=NEXT_DAY)


def test_a_file_that_is_not_whole_calls_nothing_missing(power_bank: Shop) -> None:
    paid(power_bank)
    whole = of_bank(power_bank)
    head = whole.getvalue().splitlines(keepends=True)[0]
    cut = type(whole)(head)
    statement = taken_in(power_bank, cut)
    assert "trailer" in statement.trouble
    assert not Break.objects.exists()
    assert taken_in(power_bank, whole).trouble == ""
    assert not Break.objects.exists()


@pytest.mark.breaks_the_house
@pytest.mark.django_db(transaction=True)
def test_an_import_that_is_killed_is_taken_up_without_doubles(
    power_bank: Shop, superuser_connection: psycopg2.extensions.connection, small_pieces: None
) -> None:
    order = completed(power_bank, someone(power_bank, "timeout_then_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    real = of_bank(power_bank).getvalue().decode().splitlines()[1]
    lines = clones(superuser_connection, deduction_of(order), 120)
    lines[60]["amount"] += 1
    file = written(lines, real).getvalue().replace(b"END,121", b"END,121")
    trailer = sum(line["amount"] for line in lines) + 600
    file = file[: file.index(b"END")] + f"END,121,{trailer},0\r\n".encode()

    turn, code = 1, KILLED
    while code == KILLED:
        code, _ = run_and_die(lambda: bool(taken_in(power_bank, type(written([]))(file))), turn)
        turn += 17
    assert code == 0
    statement = StatementFile.objects.get()
    assert (statement.lines, statement.entries.count(), statement.trouble) == (121, 121, "")
    assert sorted(Break.objects.values_list("kind", "resolution")) == [("amount", ""), ("missing_here", "booked")]
    assert state_of(order) == "deducted"
    assert Deduction.objects.filter(lines__order=order).count() == 1
    assert len(bank.debits_of(order.person.instruments.get().token)) == 1


def test_the_ring_asks_for_days_that_are_over_and_where_something_moved(power_bank: Shop) -> None:
    paid(power_bank)
    assert fetch_of("sandbox", power_bank.realm_id, at=NOON.replace(hour=16, minute=30)) == 0
    assert fetch_of("sandbox", power_bank.realm_id, at=NEXT_DAY) == 1
    with nothing_moves():
        assert fetch_of("sandbox", power_bank.realm_id, at=NEXT_DAY) == 0
    completed(power_bank, someone(power_bank), yuan("6"), at=NOON + timedelta(days=9))
    deduct_due(power_bank.realm_id, at=NOON + timedelta(days=9))
    assert [fetch_of("sandbox", power_bank.realm_id, at=NOON + timedelta(days=10)) for _ in range(3)] == [7, 2, 0]
    days = StatementFile.objects.order_by("covers_on").values_list("covers_on", "lines", "trouble")
    lines = {0: 1, 9: 1}
    assert list(days) == [(DAY + timedelta(days=n), lines.get(n, 0), "") for n in range(10)]
    assert not Break.objects.exists()


def test_an_operator_imports_a_file_in_the_channels_own_layout(
    power_bank: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = deduction_of(paid(power_bank, "6"))
    layout, file = tmp_path / "bank.toml", tmp_path / "账单.csv"
    layout.write_text('number = "单号"\ntxn = "流水"\namount = "金额"\nat = "时间"\nencoding = "gb18030"\n', "utf-8")
    file.write_text(
        f"单号,流水,金额,时间\n{made.number},{made.channel_txn},6.00,2026-11-20 12:00:01\n坏行\n", "gb18030"
    )
    asked = ["sandbox", str(file), "--day", "2026-11-20", "--realm", str(power_bank.realm_id)]
    with nothing_moves():
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
