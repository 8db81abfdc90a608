"""What a colleague puts into suspense is there once, whatever the channel says of the same money afterwards."""

from datetime import timedelta
from uuid import UUID

import pytest

from billing.models import Break, Case, Deduction, Dispute
from billing.refusals import BreakInFlight, NothingToPost
from billing.services import breaks
from billing.services.ask_parts import ask_parts
from billing.services.breaks import hear_breaks, settle_break
from billing.services.disputes import Withdrawal, take_back
from kernel.actor import Actor
from tests.billing.bench import balances, deduction_of, give_back, paid
from tests.billing.statements import DAY, NEXT_DAY, STRAY, of_bank, taken_in, written
from tests.conftest import BY, NOON, Shop, yuan
from tests.stillness import nothing_moves

pytestmark = pytest.mark.breaks_the_house  # the bank knows nothing of these lines
LIN = Actor.staff(UUID(int=1))
A_DAY = timedelta(days=1)


def waiting(shop: Shop) -> Break:
    """A statement says that a debit was taken back, of which a refund has no outcome yet."""
    order = paid(shop, "6", "timeout_then_paid")
    give_back(order, "1")
    line = STRAY | {"kind": "return", "number": deduction_of(order).number, "transaction": "rt1", "amount": 500}
    taken_in(shop, written([line]))
    return Break.objects.get()


def into_suspense(row: Break) -> Break:
    return settle_break(row.id, "suspense", "x", by=LIN, at=NEXT_DAY)


def missed(shop: Shop) -> Deduction:
    """A debit that stands in no file, and in suspense for that."""
    made = deduction_of(paid(shop))
    taken_in(shop, written([]))
    into_suspense(Break.objects.get())
    assert balances(shop)["suspense"] == -600
    return made


def line_of(made: Deduction, amount: int, status: str = "success") -> dict[str, object]:
    txn = made.channel_txn if status == "success" else ""
    return STRAY | {"number": made.number, "transaction": txn, "amount": amount, "status": status}


def test_a_return_that_is_still_to_be_heard_is_nobodys_to_place(power_bank: Shop) -> None:
    row = waiting(power_bank)
    assert row.heard_at is None
    with nothing_moves(), pytest.raises(BreakInFlight):
        into_suspense(row)
    ask_parts(power_bank.realm_id, at=NEXT_DAY)
    hear_breaks(power_bank.realm_id, by=BY, at=NEXT_DAY)
    assert Break.objects.get().resolution == "booked"
    assert (balances(power_bank)["disputed"], "suspense" in balances(power_bank)) == (500, False)


def test_a_return_that_could_not_be_heard_and_was_placed_is_gone_once_when_the_channel_says_it_itself(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = deduction_of(paid(power_bank))

    def fail(*_: object, **__: object) -> None:
        raise ValueError

    monkeypatch.setattr(breaks, "take_back", fail)
    taken_in(power_bank, written([STRAY | {"kind": "return", "number": made.number, "transaction": "rt1"}]))
    into_suspense(Break.objects.get(kind="missing_here"))
    assert balances(power_bank)["suspense"] == -700
    for _ in range(2):
        take_back(made.id, Withdrawal("rt1", yuan("7"), "no_funds"), by=BY, at=NEXT_DAY)
    assert Case.objects.get().kind == "taken_back_wrong_amount"
    assert balances(power_bank)["suspense"] == -700


def test_a_return_that_was_placed_and_is_taken_in_leaves_suspense(power_bank: Shop) -> None:
    made = deduction_of(paid(power_bank))
    taken_in(power_bank, written([STRAY | {"kind": "return", "number": "", "transaction": "rt1", "amount": 600}]))
    into_suspense(Break.objects.get(kind="missing_here"))
    assert take_back(made.id, Withdrawal("rt1", yuan("6"), "not_received"), by=BY, at=NEXT_DAY)
    assert Dispute.objects.count() == 1
    assert {"suspense", "clearing:sandbox"}.isdisjoint(balances(power_bank))


def test_what_was_missing_and_comes_with_another_amount_is_counted_by_that_amount_alone(power_bank: Shop) -> None:
    made = missed(power_bank)
    taken_in(power_bank, written([line_of(made, 599)]), day=DAY + A_DAY, at=NEXT_DAY + A_DAY)
    assert (balances(power_bank)["clearing:sandbox"], "suspense" in balances(power_bank)) == (600, False)
    into_suspense(Break.objects.get(kind="amount"))
    assert (balances(power_bank)["clearing:sandbox"], balances(power_bank)["suspense"]) == (599, -1)


def test_what_was_missing_and_is_told_as_failed_is_not_taken_out_twice(power_bank: Shop) -> None:
    made = missed(power_bank)
    taken_in(power_bank, written([line_of(made, 600, "failed")]), day=DAY + A_DAY, at=NEXT_DAY + A_DAY)
    row = Break.objects.get(kind="status")
    with nothing_moves(), pytest.raises(NothingToPost):
        into_suspense(row)
    assert balances(power_bank)["suspense"] == -600
    taken_in(power_bank, of_bank(power_bank), day=DAY + 2 * A_DAY, at=NOON + 3 * A_DAY)
    assert "suspense" not in balances(power_bank)
