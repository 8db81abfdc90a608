"""Money of a break in suspense is booked once, whatever the channel reports about it later."""

from datetime import timedelta
from uuid import UUID

import pytest

from billing.models import Break, Case, Deduction, Dispute
from billing.refusals import BreakInFlight, NothingToPost
from billing.services import breaks
from billing.services.breaks import process_breaks, resolve_break
from billing.services.disputes import Chargeback, record_chargeback
from billing.services.movement_polling import poll_refund_parts
from kernel.actor import Actor
from tests.billing.helpers import balances, issue_refund, latest_deduction_of, paid_order
from tests.billing.statements import DAY, NEXT_DAY, STRAY, bank_statement, import_file, statement_of
from tests.conftest import BY, NOON, Shop, yuan
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.breaks_invariants  # the bank knows nothing of these lines
LIN = Actor.staff(UUID(int=1))
A_DAY = timedelta(days=1)


def open_break(shop: Shop) -> Break:
    """The break of a returned debit with a refund whose outcome is unknown."""
    order = paid_order(shop, "6", "timeout_then_paid")
    issue_refund(order, "1")
    line = STRAY | {"kind": "return", "number": latest_deduction_of(order).number, "transaction": "rt1", "amount": 500}
    import_file(shop, statement_of([line]))
    return Break.objects.get()


def move_to_suspense(row: Break) -> Break:
    return resolve_break(row.id, "suspense", "x", by=LIN, at=NEXT_DAY)


def missing_deduction(shop: Shop) -> Deduction:
    """A deduction that is in no file, with its break in suspense."""
    made = latest_deduction_of(paid_order(shop))
    import_file(shop, statement_of([]))
    move_to_suspense(Break.objects.get())
    assert balances(shop)["suspense"] == -600
    return made


def line_of(made: Deduction, amount: int, status: str = "success") -> dict[str, object]:
    txn = made.channel_txn if status == "success" else ""
    return STRAY | {"number": made.number, "transaction": txn, "amount": amount, "status": status}


def test_unprocessed_return_cannot_be_moved_to_suspense(power_bank: Shop) -> None:
    row = open_break(power_bank)
    assert row.heard_at is None
    with assert_unchanged(), pytest.raises(BreakInFlight):
        move_to_suspense(row)
    poll_refund_parts(power_bank.realm_id, at=NEXT_DAY)
    process_breaks(power_bank.realm_id, by=BY, at=NEXT_DAY)
    assert Break.objects.get().resolution == "booked"
    assert (balances(power_bank)["disputed"], "suspense" in balances(power_bank)) == (500, False)


def test_return_in_suspense_is_booked_once_when_the_channel_reports_it(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = latest_deduction_of(paid_order(power_bank))

    def fail(*_: object, **__: object) -> None:
        raise ValueError

    monkeypatch.setattr(breaks, "record_chargeback", fail)
    import_file(power_bank, statement_of([STRAY | {"kind": "return", "number": made.number, "transaction": "rt1"}]))
    move_to_suspense(Break.objects.get(kind="missing_here"))
    assert balances(power_bank)["suspense"] == -700
    for _ in range(2):
        record_chargeback(made.id, Chargeback("rt1", yuan("7"), "no_funds"), by=BY, at=NEXT_DAY)
    assert Case.objects.get().kind == "taken_back_wrong_amount"
    assert balances(power_bank)["suspense"] == -700


def test_return_in_suspense_leaves_it_when_recorded(power_bank: Shop) -> None:
    made = latest_deduction_of(paid_order(power_bank))
    import_file(
        power_bank, statement_of([STRAY | {"kind": "return", "number": "", "transaction": "rt1", "amount": 600}])
    )
    move_to_suspense(Break.objects.get(kind="missing_here"))
    assert record_chargeback(made.id, Chargeback("rt1", yuan("6"), "not_received"), by=BY, at=NEXT_DAY)
    assert Dispute.objects.count() == 1
    assert {"suspense", "clearing:sandbox"}.isdisjoint(balances(power_bank))


def test_missing_deduction_reported_with_another_amount_counts_that_amount_once(power_bank: Shop) -> None:
    made = missing_deduction(power_bank)
    import_file(power_bank, statement_of([line_of(made, 599)]), day=DAY + A_DAY, at=NEXT_DAY + A_DAY)
    assert (balances(power_bank)["clearing:sandbox"], "suspense" in balances(power_bank)) == (600, False)
    move_to_suspense(Break.objects.get(kind="amount"))
    assert (balances(power_bank)["clearing:sandbox"], balances(power_bank)["suspense"]) == (599, -1)


def test_missing_deduction_reported_as_failed_is_not_reversed_twice(power_bank: Shop) -> None:
    made = missing_deduction(power_bank)
    import_file(power_bank, statement_of([line_of(made, 600, "failed")]), day=DAY + A_DAY, at=NEXT_DAY + A_DAY)
    row = Break.objects.get(kind="status")
    with assert_unchanged(), pytest.raises(NothingToPost):
        move_to_suspense(row)
    assert balances(power_bank)["suspense"] == -600
    import_file(power_bank, bank_statement(power_bank), day=DAY + 2 * A_DAY, at=NOON + 3 * A_DAY)
    assert "suspense" not in balances(power_bank)
