"""Cases, breaks and disputes about one movement correct the ledger once, in whatever order they are handled."""

from collections.abc import Iterator

import pytest

from billing.channels import Closed, Declined, Succeeded
from billing.models import Break, Case, Deduction, Dispute, RefundPart
from billing.planning import FailureClass
from billing.refusals import CaseUnfit, NothingToPost
from billing.services import case_resolutions, cases
from billing.services.breaks import resolve_break
from billing.services.deduct import deduct_due
from billing.services.deduction_outcomes import DeductionReport, settle_all
from billing.services.dispute_evidence import contest_dispute
from billing.services.disputes import record_chargeback, record_ruling
from billing.services.instruments import open_wallet
from billing.services.movements import MovementReport
from billing.services.refund_outcomes import REFUND_PARTS
from billing.services.stray_chargebacks import Chargeback
from bnpl.invariants import find_violations
from tests.billing.helpers import balances, issue_refund, latest_deduction_of, paid_order
from tests.billing.statements import NEXT_DAY, STRAY, import_file, statement_of
from tests.billing.test_cases import OF_THE_BANK
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.breaks_invariants  # the bank knows nothing of these lines
BACK, LATER = "rt-1", Chargeback("by-hand", yuan("6"), "no_funds")


@pytest.fixture(autouse=True)
def _all_but_the_bank(db: None) -> Iterator[None]:
    yield
    assert {one.name for one in find_violations()} <= OF_THE_BANK


def clearing(shop: Shop) -> int:
    return balances(shop).get("clearing:sandbox", 0)


def move_to_suspense(row: Break) -> None:
    resolve_break(row.id, Break.Resolution.SUSPENSE, "x", by=BY, at=NEXT_DAY)


def assert_not_placeable(row: Break) -> None:
    with assert_unchanged(), pytest.raises(NothingToPost):
        move_to_suspense(row)


def unpaid_refund(shop: Shop) -> tuple[Case, Break]:
    """The channel says that a refund never went, and its file has the debit alone."""
    order = paid_order(shop)
    open_wallet(order.person, at=NOON)
    issue_refund(order, "2")
    part = RefundPart.objects.latest("id")
    REFUND_PARTS.settle_all([MovementReport(part.id, Declined("x", FailureClass.HARD), "callback")], by=BY, at=NOON)
    made = latest_deduction_of(order)
    line = STRAY | {"number": made.number, "transaction": made.channel_txn, "amount": 600}
    import_file(shop, statement_of([line]))
    return Case.objects.get(refund_part=part), Break.objects.get(refund_part=part)


def test_unpaid_refund_is_credited_once_if_its_case_closes_first(power_bank: Shop) -> None:
    case, row = unpaid_refund(power_bank)
    cases.close_case(case.id, "wallet", "x", by=BY, at=NEXT_DAY)
    assert_not_placeable(row)
    assert (clearing(power_bank), balances(power_bank)["wallet"]) == (600, 200)


def test_unpaid_refund_is_credited_once_if_its_break_closes_first(power_bank: Shop) -> None:
    case, row = unpaid_refund(power_bank)
    move_to_suspense(row)
    assert balances(power_bank)["suspense"] == 200
    cases.close_case(case.id, "wallet", "x", by=BY, at=NEXT_DAY)
    assert (clearing(power_bank), balances(power_bank)["wallet"]) == (600, 200)
    assert "suspense" not in balances(power_bank)


def test_refund_reported_unpaid_twice_is_credited_once(power_bank: Shop) -> None:
    case, _ = unpaid_refund(power_bank)
    REFUND_PARTS.settle_all([MovementReport(case.refund_part_id, Closed(), "query")], by=BY, at=NOON)
    other = Case.objects.latest("id")
    cases.close_case(case.id, "wallet", "x", by=BY, at=NEXT_DAY)
    with assert_unchanged(), pytest.raises(CaseUnfit):
        cases.close_case(other.id, "wallet", "x", by=BY, at=NEXT_DAY)
    assert case_resolutions.allowed_resolutions(other) == ("stands",)


def missing_deduction(shop: Shop) -> tuple[Deduction, Break]:
    """A debit that stands in no file."""
    made = latest_deduction_of(paid_order(shop))
    import_file(shop, statement_of([]))
    return made, Break.objects.get(deduction=made)


@pytest.mark.parametrize("placed_first", [False, True])
def test_debit_reported_as_not_taken_is_reversed_once(power_bank: Shop, *, placed_first: bool) -> None:
    made, row = missing_deduction(power_bank)
    if placed_first:
        move_to_suspense(row)
    record_chargeback(made.id, LATER, by=BY, at=NEXT_DAY)
    if not placed_first:
        assert_not_placeable(row)
    assert (clearing(power_bank), "suspense" in balances(power_bank)) == (0, False)


def test_debit_won_back_in_a_dispute_can_still_be_missing(power_bank: Shop) -> None:
    made, row = missing_deduction(power_bank)
    dispute = record_chargeback(made.id, Chargeback("by-hand", yuan("6"), "not_received"), by=BY, at=NEXT_DAY)
    assert dispute is not None
    contest_dispute(dispute.id, "x", by=BY, at=NEXT_DAY)
    record_ruling(dispute.id, won=True, reason="x", by=BY, at=NEXT_DAY)
    assert clearing(power_bank) == 600
    move_to_suspense(row)
    assert (clearing(power_bank), balances(power_bank)["suspense"]) == (0, -600)


def deduction_with_stray_chargeback(shop: Shop, txn: str) -> Deduction:
    """A refund failed at the bank and went after all; meanwhile the bank took back what was left then."""
    order = paid_order(shop, behaviour="hard_decline")
    issue_refund(order, "2")
    part = RefundPart.objects.get()
    REFUND_PARTS.settle_all([MovementReport(part.id, Succeeded("late-1", part.amount), "callback")], by=BY, at=NOON)
    made = latest_deduction_of(order)
    assert record_chargeback(made.id, Chargeback(txn, yuan("4"), "not_received"), by=BY, at=NOON) is None
    after_all = Case.objects.get(kind="refunded_after_failure")
    cases.close_case(after_all.id, "merchant", "x", by=BY, at=NOON)
    assert clearing(shop) == 0, "6 came, 2 went back, 4 were taken back"
    return made


def test_stray_chargeback_that_fits_later_leaves_suspense(power_bank: Shop) -> None:
    made = deduction_with_stray_chargeback(power_bank, BACK)
    line = STRAY | {"kind": "return", "transaction": BACK, "amount": 400, "number": made.number}
    import_file(power_bank, statement_of([line]))
    assert (clearing(power_bank), balances(power_bank)["disputed"]) == (0, 400)
    assert "suspense" not in balances(power_bank)
    case = Case.objects.get(kind="taken_back_wrong_amount")
    assert (case.closed_at is not None, case.resolution) == (True, "")
    assert Dispute.objects.get().channel_txn == BACK
    with assert_unchanged():
        record_chargeback(made.id, Chargeback(BACK, yuan("4"), "statement"), by=BY, at=NEXT_DAY)


def test_chargeback_of_a_closed_case_is_ignored_when_repeated(power_bank: Shop) -> None:
    made = deduction_with_stray_chargeback(power_bank, BACK)
    case = Case.objects.get(kind="taken_back_wrong_amount")
    cases.close_case(case.id, "platform", "x", by=BY, at=NOON)
    with assert_unchanged():
        assert record_chargeback(made.id, Chargeback(BACK, yuan("4"), "not_received"), by=BY, at=NOON) is None
    assert balances(power_bank)["losses"] == 400


def test_stray_chargeback_number_reused_by_another_debit_keeps_its_case(power_bank: Shop) -> None:
    made, others = latest_deduction_of(paid_order(power_bank)), latest_deduction_of(paid_order(power_bank))
    for _ in range(2):
        record_chargeback(made.id, Chargeback(BACK, yuan("5"), "no_funds"), by=BY, at=NOON)
        record_chargeback(others.id, Chargeback(BACK, yuan("6"), "no_funds"), by=BY, at=NOON)
    assert Case.objects.get().kind == "taken_back_wrong_amount"
    assert balances(power_bank)["suspense"] == -500


def unknown_deduction(shop: Shop) -> Deduction:
    order = make_due_order(shop, make_person(shop, "timeout_then_paid"), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)
    return latest_deduction_of(order)


def report_amounts(made: Deduction, *amounts: str, txn: str = "T-1") -> None:
    for amount in amounts:
        settle_all([DeductionReport(made.id, Succeeded(txn, yuan(amount)), "query")], by=BY, at=NOON)


@pytest.mark.parametrize("amounts", [("5.99", "6"), ("5.99", "5.98", "6"), ("5.99", "5.98", "5.99", "6", "5.99")])
def test_wrong_amount_corrected_by_the_channel_is_booked_once(power_bank: Shop, amounts: tuple[str, ...]) -> None:
    made = unknown_deduction(power_bank)
    report_amounts(made, *amounts)
    assert (clearing(power_bank), "suspense" in balances(power_bank)) == (600, False)
    assert not Case.objects.filter(closed_at=None).exists()


def test_last_reported_wrong_amount_is_in_suspense(power_bank: Shop) -> None:
    made = unknown_deduction(power_bank)
    report_amounts(made, "5.99", "5.98", "5.98")
    assert (clearing(power_bank), balances(power_bank)["suspense"]) == (598, 598)
    assert Case.objects.get(closed_at=None).detail["amount"] == 598


def test_other_transaction_of_wrong_amount_stays_in_suspense(power_bank: Shop) -> None:
    made = unknown_deduction(power_bank)
    report_amounts(made, "5.99", txn="T-0")
    report_amounts(made, "6")
    assert (clearing(power_bank), balances(power_bank)["suspense"]) == (1199, 599)


@pytest.mark.parametrize("placed_first", [False, True])
def test_unnumbered_line_and_its_later_success_are_booked_once(power_bank: Shop, *, placed_first: bool) -> None:
    made = unknown_deduction(power_bank)
    import_file(power_bank, statement_of([STRAY | {"transaction": "T-1", "amount": 600}]))
    row = Break.objects.get(kind="missing_here")
    if placed_first:
        move_to_suspense(row)
    report_amounts(made, "6")
    if not placed_first:
        assert_not_placeable(row)
    assert (clearing(power_bank), "suspense" in balances(power_bank)) == (600, False)


@pytest.mark.parametrize("placed_first", [False, True])
def test_unnumbered_line_and_its_later_case_are_booked_once(power_bank: Shop, *, placed_first: bool) -> None:
    made = latest_deduction_of(paid_order(power_bank))
    line = STRAY | {"number": made.number, "transaction": made.channel_txn, "amount": 600}
    import_file(power_bank, statement_of([line, STRAY | {"transaction": "T-2", "amount": 600}]))
    row = Break.objects.get()
    if placed_first:
        move_to_suspense(row)
    report_amounts(made, "6", txn="T-2")
    if not placed_first:
        assert_not_placeable(row)
    assert (clearing(power_bank), balances(power_bank)["suspense"]) == (1200, 600)


@pytest.mark.parametrize("placed_first", [False, True])
def test_unnumbered_line_and_its_later_refund_are_booked_once(power_bank: Shop, *, placed_first: bool) -> None:
    order = paid_order(power_bank, behaviour="timeout_then_paid")
    issue_refund(order, "2")
    back = STRAY | {"kind": "refund", "transaction": "R-1", "amount": 200}
    import_file(power_bank, statement_of([back, back | {"transaction": "R-2"}]))
    row = Break.objects.filter(line__channel_txn="R-1").get()
    if placed_first:
        move_to_suspense(row)
    REFUND_PARTS.settle_all(
        [MovementReport(RefundPart.objects.get().id, Succeeded("R-1", yuan("2")), "query")], by=BY, at=NOON
    )
    if not placed_first:
        assert_not_placeable(row)
    assert (clearing(power_bank), "suspense" in balances(power_bank)) == (400, False)
