"""A channel repeats a transaction that is booked, with another amount: a case without money, once for each amount."""

import pytest

from billing.channels import Succeeded
from billing.models import Break, Case, Deduction, Payout, RefundPart
from billing.services.cases import close_case
from billing.services.deduction_outcomes import DeductionReport, settle_all
from billing.services.disputes import Chargeback, record_chargeback
from billing.services.movements import MovementReport
from billing.services.payout_outcomes import PAYOUTS
from billing.services.refund_outcomes import REFUND_PARTS
from tests.billing.helpers import issue_refund, latest_deduction_of, paid_order
from tests.billing.statements import STRAY, import_file, statement_of
from tests.conftest import BY, NOON, Shop, yuan
from tests.settlement.helpers import MIDNIGHT, settle_and_pay_out
from tests.unchanged import assert_unchanged

pytestmark = pytest.mark.breaks_invariants  # the bank never said so
REPORT_TABLE = "billing_channelreport"


def report(row: Deduction, txn: str, amount: str) -> None:
    settle_all([DeductionReport(row.id, Succeeded(txn, yuan(amount)), "callback")], by=BY, at=NOON)


def contradictions() -> list[tuple[str, int]]:
    cases = Case.objects.filter(kind="other_amount_reported").order_by("id")
    return [(case.detail["txn"], case.detail["amount"]) for case in cases]


def test_other_amount_of_a_known_debit_is_a_case_once(power_bank: Shop) -> None:
    row = latest_deduction_of(paid_order(power_bank))
    txn = row.channel_txn or ""
    with assert_unchanged(REPORT_TABLE, "billing_case"):
        report(row, txn, "5")
    with assert_unchanged(REPORT_TABLE):
        report(row, txn, "5")
        report(row, txn, "6")
    assert contradictions() == [(txn, 500)]
    close_case(Case.objects.get().id, "stands", "the bank was wrong", by=BY, at=NOON)
    report(row, txn, "5")
    report(row, txn, "4")
    assert contradictions() == [(txn, 500), (txn, 400)]


def test_other_amount_in_a_statement_is_its_discrepancy_and_no_case(power_bank: Shop) -> None:
    row = latest_deduction_of(paid_order(power_bank))
    import_file(power_bank, statement_of([STRAY | {"number": row.number, "transaction": row.channel_txn}]))
    assert (Break.objects.get().kind, Case.objects.count()) == ("amount", 0)


def test_other_amount_of_a_transaction_that_staff_resolved_is_a_case(power_bank: Shop) -> None:
    row = latest_deduction_of(paid_order(power_bank))
    report(row, "second", "6")
    close_case(Case.objects.get().id, "returned", "x", by=BY, at=NOON)
    with assert_unchanged(REPORT_TABLE):
        report(row, "second", "6")
    report(row, "second", "5")
    assert contradictions() == [("second", 500)]


def test_other_amount_of_a_known_return_is_a_case_once(power_bank: Shop) -> None:
    row = latest_deduction_of(paid_order(power_bank))
    dispute = record_chargeback(row.id, Chargeback("x-1", yuan("6"), "not_received"), by=BY, at=NOON)
    for _ in range(2):
        assert record_chargeback(row.id, Chargeback("x-1", yuan("5"), "not_received"), by=BY, at=NOON) == dispute
    assert contradictions() == [("x-1", 500)]


def test_other_amount_of_a_return_in_suspense_is_a_case_once(power_bank: Shop) -> None:
    row = latest_deduction_of(paid_order(power_bank))
    for amount in ("7", "8", "8"):
        record_chargeback(row.id, Chargeback("x-1", yuan(amount), "not_received"), by=BY, at=NOON)
    assert Case.objects.filter(kind="taken_back_wrong_amount").count() == 1
    assert contradictions() == [("x-1", 800)]


def test_other_amount_of_a_known_refund_is_a_case_once(power_bank: Shop) -> None:
    issue_refund(paid_order(power_bank), "2")
    part = RefundPart.objects.get()
    for txn, amount in ((part.channel_txn or "", "1"), ("second", "2"), ("second", "1")):
        for _ in range(2):
            report_of = MovementReport(part.id, Succeeded(txn, yuan(amount)), "callback")
            REFUND_PARTS.settle_all([report_of], by=BY, at=NOON)
    assert contradictions() == [(part.channel_txn, 100), ("second", 100)]


def test_other_amount_of_a_known_payout_is_a_case_once(power_bank: Shop) -> None:
    paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    payout = Payout.objects.get()
    for _ in range(2):
        PAYOUTS.settle_all(
            [MovementReport(payout.id, Succeeded(payout.channel_txn or "", yuan("1")), "callback")], by=BY, at=MIDNIGHT
        )
    assert contradictions() == [(payout.channel_txn, 100)]
