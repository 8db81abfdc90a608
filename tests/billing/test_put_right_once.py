"""Cases, differences and disputes about one movement put it right once, in whatever order they are seen to."""

from collections.abc import Iterator

import pytest

from billing.channels import Closed, Declined, Taken
from billing.models import Break, Case, Deduction, Dispute, RefundPart
from billing.planning import Kind
from billing.refusals import CaseUnfit, NothingToPost
from billing.services import cases
from billing.services.answers import contest_dispute
from billing.services.breaks import settle_break
from billing.services.deduct import deduct_due
from billing.services.disputes import rule_dispute, take_back
from billing.services.instruments import open_wallet
from billing.services.movements import MovementReport
from billing.services.settle import Report, settle_all
from billing.services.settle_parts import PARTS
from billing.services.stray_returns import Withdrawal
from bnpl.invariants import violations
from tests.billing.bench import balances, deduction_of, give_back, paid
from tests.billing.statements import NEXT_DAY, STRAY, taken_in, written
from tests.billing.test_cases import OF_THE_BANK
from tests.conftest import BY, NOON, Shop, completed, someone, yuan
from tests.stillness import nothing_moves

pytestmark = pytest.mark.breaks_the_house  # the bank knows nothing of these lines
BACK, LATER = "rt-1", Withdrawal("by-hand", yuan("6"), "no_funds")


@pytest.fixture(autouse=True)
def _all_but_the_bank(db: None) -> Iterator[None]:
    yield
    assert {one.name for one in violations()} <= OF_THE_BANK


def clearing(shop: Shop) -> int:
    return balances(shop).get("clearing:sandbox", 0)


def placed(row: Break) -> None:
    settle_break(row.id, Break.Resolution.SUSPENSE, "x", by=BY, at=NEXT_DAY)


def not_placed(row: Break) -> None:
    with nothing_moves(), pytest.raises(NothingToPost):
        placed(row)


def never_went(shop: Shop) -> tuple[Case, Break]:
    """The channel says that a refund never went, and its file has the debit alone."""
    order = paid(shop)
    open_wallet(order.person, at=NOON)
    give_back(order, "2")
    part = RefundPart.objects.latest("id")
    PARTS.settle_all([MovementReport(part.id, Declined("x", Kind.HARD), "callback")], by=BY, at=NOON)
    made = deduction_of(order)
    line = STRAY | {"number": made.number, "transaction": made.channel_txn, "amount": 600}
    taken_in(shop, written([line]))
    return Case.objects.get(refund_part=part), Break.objects.get(refund_part=part)


def test_a_refund_that_never_went_is_the_persons_once_when_its_case_is_closed_first(power_bank: Shop) -> None:
    case, row = never_went(power_bank)
    cases.close_case(case.id, "wallet", "x", by=BY, at=NEXT_DAY)
    not_placed(row)
    assert (clearing(power_bank), balances(power_bank)["wallet"]) == (600, 200)


def test_a_refund_that_never_went_is_the_persons_once_when_its_difference_is_placed_first(power_bank: Shop) -> None:
    case, row = never_went(power_bank)
    placed(row)
    assert balances(power_bank)["suspense"] == 200
    cases.close_case(case.id, "wallet", "x", by=BY, at=NEXT_DAY)
    assert (clearing(power_bank), balances(power_bank)["wallet"]) == (600, 200)
    assert "suspense" not in balances(power_bank)


def test_a_refund_that_is_said_twice_never_to_have_gone_is_the_persons_once(power_bank: Shop) -> None:
    case, _ = never_went(power_bank)
    PARTS.settle_all([MovementReport(case.refund_part_id, Closed(), "query")], by=BY, at=NOON)
    other = Case.objects.latest("id")
    cases.close_case(case.id, "wallet", "x", by=BY, at=NEXT_DAY)
    with nothing_moves(), pytest.raises(CaseUnfit):
        cases.close_case(other.id, "wallet", "x", by=BY, at=NEXT_DAY)
    assert cases.ends_of(other) == ("stands",)


def missing(shop: Shop) -> tuple[Deduction, Break]:
    """A debit that stands in no file."""
    made = deduction_of(paid(shop))
    taken_in(shop, written([]))
    return made, Break.objects.get(deduction=made)


@pytest.mark.parametrize("placed_first", [False, True])
def test_a_debit_said_never_to_have_been_taken_is_gone_once(power_bank: Shop, *, placed_first: bool) -> None:
    made, row = missing(power_bank)
    if placed_first:
        placed(row)
    take_back(made.id, LATER, by=BY, at=NEXT_DAY)
    if not placed_first:
        not_placed(row)
    assert (clearing(power_bank), "suspense" in balances(power_bank)) == (0, False)


def test_a_debit_that_is_with_the_channel_again_can_be_missing_there_still(power_bank: Shop) -> None:
    made, row = missing(power_bank)
    dispute = take_back(made.id, Withdrawal("by-hand", yuan("6"), "not_received"), by=BY, at=NEXT_DAY)
    assert dispute is not None
    contest_dispute(dispute.id, "x", by=BY, at=NEXT_DAY)
    rule_dispute(dispute.id, won=True, because="x", by=BY, at=NEXT_DAY)
    assert clearing(power_bank) == 600
    placed(row)
    assert (clearing(power_bank), balances(power_bank)["suspense"]) == (0, -600)


def judged_after(shop: Shop, txn: str) -> Deduction:
    """A refund failed at the bank and went after all; meanwhile the bank took back what was left then."""
    order = paid(shop, behaviour="hard_decline")
    give_back(order, "2")
    part = RefundPart.objects.get()
    PARTS.settle_all([MovementReport(part.id, Taken("late-1", part.amount), "callback")], by=BY, at=NOON)
    made = deduction_of(order)
    assert take_back(made.id, Withdrawal(txn, yuan("4"), "not_received"), by=BY, at=NOON) is None
    after_all = Case.objects.get(kind="refunded_after_failure")
    cases.close_case(after_all.id, "merchant", "x", by=BY, at=NOON)
    assert clearing(shop) == 0, "6 came, 2 went back, 4 were taken back"
    return made


def test_a_return_that_did_not_fit_and_does_by_now_leaves_suspense_when_it_is_told_again(power_bank: Shop) -> None:
    made = judged_after(power_bank, BACK)
    line = STRAY | {"kind": "return", "transaction": BACK, "amount": 400, "number": made.number}
    taken_in(power_bank, written([line]))
    assert (clearing(power_bank), balances(power_bank)["disputed"]) == (0, 400)
    assert "suspense" not in balances(power_bank)
    case = Case.objects.get(kind="taken_back_wrong_amount")
    assert (case.closed_at is not None, case.resolution) == (True, "")
    assert Dispute.objects.get().channel_txn == BACK
    with nothing_moves():
        take_back(made.id, Withdrawal(BACK, yuan("4"), "statement"), by=BY, at=NEXT_DAY)


def test_a_return_whose_case_was_judged_is_nothing_when_it_is_told_again(power_bank: Shop) -> None:
    made = judged_after(power_bank, BACK)
    case = Case.objects.get(kind="taken_back_wrong_amount")
    cases.close_case(case.id, "platform", "x", by=BY, at=NOON)
    with nothing_moves():
        assert take_back(made.id, Withdrawal(BACK, yuan("4"), "not_received"), by=BY, at=NOON) is None
    assert balances(power_bank)["losses"] == 400


def test_a_return_that_is_later_another_debits_under_its_number_stays_one_case(power_bank: Shop) -> None:
    made, others = deduction_of(paid(power_bank)), deduction_of(paid(power_bank))
    for _ in range(2):
        take_back(made.id, Withdrawal(BACK, yuan("5"), "no_funds"), by=BY, at=NOON)
        take_back(others.id, Withdrawal(BACK, yuan("6"), "no_funds"), by=BY, at=NOON)
    assert Case.objects.get().kind == "taken_back_wrong_amount"
    assert balances(power_bank)["suspense"] == -500


def unsure(shop: Shop) -> Deduction:
    order = completed(shop, someone(shop, "timeout_then_paid"), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)
    return deduction_of(order)


def said(made: Deduction, *amounts: str, txn: str = "T-1") -> None:
    for amount in amounts:
        settle_all([Report(made.id, Taken(txn, yuan(amount)), "query")], by=BY, at=NOON)


@pytest.mark.parametrize("amounts", [("5.99", "6"), ("5.99", "5.98", "6"), ("5.99", "5.98", "5.99", "6", "5.99")])
def test_a_wrong_amount_that_the_channel_puts_right_is_booked_once(power_bank: Shop, amounts: tuple[str, ...]) -> None:
    made = unsure(power_bank)
    said(made, *amounts)
    assert (clearing(power_bank), "suspense" in balances(power_bank)) == (600, False)
    assert not Case.objects.filter(closed_at=None).exists()


def test_of_a_wrong_amount_that_is_told_anew_the_last_word_stands_in_suspense(power_bank: Shop) -> None:
    made = unsure(power_bank)
    said(made, "5.99", "5.98", "5.98")
    assert (clearing(power_bank), balances(power_bank)["suspense"]) == (598, 598)
    assert Case.objects.get(closed_at=None).detail["amount"] == 598


def test_another_transaction_of_the_wrong_amount_stays_where_it_is(power_bank: Shop) -> None:
    made = unsure(power_bank)
    said(made, "5.99", txn="T-0")
    said(made, "6")
    assert (clearing(power_bank), balances(power_bank)["suspense"]) == (1199, 599)


@pytest.mark.parametrize("placed_first", [False, True])
def test_a_nameless_line_and_the_success_it_was_are_one_movement(power_bank: Shop, *, placed_first: bool) -> None:
    made = unsure(power_bank)
    taken_in(power_bank, written([STRAY | {"transaction": "T-1", "amount": 600}]))
    row = Break.objects.get(kind="missing_here")
    if placed_first:
        placed(row)
    said(made, "6")
    if not placed_first:
        not_placed(row)
    assert (clearing(power_bank), "suspense" in balances(power_bank)) == (600, False)


@pytest.mark.parametrize("placed_first", [False, True])
def test_a_nameless_line_and_the_case_of_it_are_one_movement(power_bank: Shop, *, placed_first: bool) -> None:
    made = deduction_of(paid(power_bank))
    line = STRAY | {"number": made.number, "transaction": made.channel_txn, "amount": 600}
    taken_in(power_bank, written([line, STRAY | {"transaction": "T-2", "amount": 600}]))
    row = Break.objects.get()
    if placed_first:
        placed(row)
    said(made, "6", txn="T-2")
    if not placed_first:
        not_placed(row)
    assert (clearing(power_bank), balances(power_bank)["suspense"]) == (1200, 600)


@pytest.mark.parametrize("placed_first", [False, True])
def test_a_nameless_line_and_the_refund_it_was_are_one_movement(power_bank: Shop, *, placed_first: bool) -> None:
    order = paid(power_bank, behaviour="timeout_then_paid")
    give_back(order, "2")
    back = STRAY | {"kind": "refund", "transaction": "R-1", "amount": 200}
    taken_in(power_bank, written([back, back | {"transaction": "R-2"}]))
    row = Break.objects.filter(line__channel_txn="R-1").get()
    if placed_first:
        placed(row)
    PARTS.settle_all([MovementReport(RefundPart.objects.get().id, Taken("R-1", yuan("2")), "query")], by=BY, at=NOON)
    if not placed_first:
        not_placed(row)
    assert (clearing(power_bank), "suspense" in balances(power_bank)) == (400, False)
