"""Each kind of case is closed with each resolution it allows, and the ledger follows."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from billing.channels import Answer, Declined, NumberNotFound, Succeeded, Unknown, bank
from billing.models import Case, Deduction, Payout, Refund, RefundPart, Wallet
from billing.planning import FailureClass
from billing.refusals import CaseClosed, CaseUnfit, NoWallet, RefundTooMuch, TransactionUsed
from billing.services import case_resolutions, cases
from billing.services.deduct import deduct_due
from billing.services.deduction_outcomes import DeductionReport, settle_all
from billing.services.disputes import Chargeback, record_chargeback
from billing.services.instruments import open_wallet
from billing.services.movements import MovementReport
from billing.services.payout_outcomes import PAYOUTS
from billing.services.refund_outcomes import REFUND_PARTS
from billing.services.refunds import RefundDetails, refund_order
from billing.services.settlements import settle_due
from billing.services.unsettled_postings import count_unsettled
from bnpl.invariants import find_violations
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import ApprovalRequired, Invalid, NotFound
from orders.models import Order
from tests.billing.helpers import balances, issue_refund, latest_deduction_of, obligation_of, paid_order, token_of
from tests.browsing import client_for, visible_text
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, reload_order, state_of, yuan
from tests.settlement.helpers import MIDNIGHT, settle_and_pay_out
from tests.unchanged import assert_unchanged

MEI, BOSS = (Actor.staff(uuid4()) for _ in range(2))
LATER = NOON + timedelta(days=4)
#: The bank never said what these tests make it say; everything else must hold.
OF_THE_BANK = {
    "deductions_match_the_bank",
    "refunds_match_the_bank",
    "payouts_match_the_bank",
    "disputes_match_the_bank",
}
pytestmark = pytest.mark.breaks_invariants


@pytest.fixture(autouse=True)
def _all_but_the_bank(db: None) -> Any:
    yield
    assert {one.name for one in find_violations(prepared=True)} <= OF_THE_BANK


def case_after_reports(row: Deduction, *answers: Answer) -> Case:
    for answer in answers:
        settle_all([DeductionReport(row.id, answer, "callback")], by=BY, at=NOON)
    return Case.objects.latest("id")


def order_with_unknown_result(shop: Shop, amount: str = "6") -> Order:
    order = make_due_order(shop, make_person(shop, "timeout_then_not_paid"), yuan(amount))
    deduct_due(shop.realm_id, at=NOON)
    return order


def case_of_refund_part(shop: Shop, order: Order, *answers: Answer) -> Case:
    issue_refund(order, "2")
    part = RefundPart.objects.latest("id")
    for answer in answers:
        REFUND_PARTS.settle_all([MovementReport(part.id, answer, "callback")], by=BY, at=NOON)
    return Case.objects.latest("id")


def case_of_payout(shop: Shop, *answers: Answer) -> Case:
    paid_order(shop)
    settle_and_pay_out(shop, MIDNIGHT)
    for answer in answers:
        PAYOUTS.settle_all([MovementReport(Payout.objects.get().id, answer, "callback")], by=BY, at=MIDNIGHT)
    return Case.objects.latest("id")


def closed(case: Case, resolution: str, because: str = "银行已确认") -> Case:
    return cases.close_case(case.id, resolution, because, by=MEI, at=LATER)


def test_duplicate_deduction_is_returned_or_credited_to_the_wallet(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    first = case_after_reports(latest_deduction_of(order), Succeeded("t-2", yuan("6")))
    second = case_after_reports(latest_deduction_of(order), Succeeded("t-3", yuan("7")))
    assert balances(power_bank)["suspense"] == 1300
    done = closed(first, "returned")
    assert (done.resolution, done.closed_because, done.closed_by, done.at_stake_minor) == (
        "returned",
        "银行已确认",
        str(MEI),
        600,
    )
    assert balances(power_bank)["suspense"] == 700
    closed(second, "wallet")  # opened for it
    assert Wallet.objects.get(pk=order.person_id).balance_minor == 700
    assert "平台更正入账" in visible_text(client_for(order.person).get("/wallet/"))
    assert "suspense" not in balances(power_bank)
    with assert_unchanged("billing_channelreport"):
        case_after_reports(latest_deduction_of(order), Succeeded("t-2", yuan("6")), Succeeded("t-3", yuan("7")))
    with assert_unchanged(), pytest.raises(CaseClosed):
        closed(second, "returned")


@pytest.mark.parametrize("end", ["returned", "wallet"])
def test_closing_a_wrong_amount_case_releases_the_debt(power_bank: Shop, end: str) -> None:
    order = order_with_unknown_result(power_bank)
    open_wallet(order.person, at=NOON)
    case = case_after_reports(latest_deduction_of(order), Succeeded("t-1", yuan("9")))
    assert obligation_of(order).in_flight is not None
    closed(case, end)
    assert (latest_deduction_of(order).state, obligation_of(order).in_flight) == ("failed", None)
    assert latest_deduction_of(order).failure_code == "wrong_amount"
    assert obligation_of(order).paid_minor == 0
    assert "suspense" not in balances(power_bank)
    assert Wallet.objects.get(pk=order.person_id).balance_minor == (900 if end == "wallet" else 0)
    assert latest_deduction_of(order).history.filter(kind="case_closed").get().data == {"case": case.public_id}
    with assert_unchanged("billing_channelreport"):
        case_after_reports(latest_deduction_of(order), Succeeded("t-1", yuan("9")))


def test_money_in_another_currency_goes_into_no_wallet(power_bank: Shop) -> None:
    order = order_with_unknown_result(power_bank)
    open_wallet(order.person, at=NOON)
    case = case_after_reports(latest_deduction_of(order), Succeeded("t-1", Money(600, "USD")))
    with assert_unchanged(), pytest.raises(NoWallet):
        closed(case, "wallet")
    closed(case, "returned")
    assert latest_deduction_of(order).state == "failed"


def test_deduction_after_failure_is_credited_to_the_wallet(power_bank: Shop) -> None:
    order = order_with_unknown_result(power_bank)
    open_wallet(order.person, at=NOON)
    case = case_after_reports(
        latest_deduction_of(order), Declined("insufficient_funds", FailureClass.SOFT), Succeeded("t-1", yuan("6"))
    )
    with assert_unchanged():
        for unfit in ("merchant", "platform", "stands", "said", "x", ""):
            with pytest.raises(CaseUnfit):
                closed(case, unfit)
    closed(case, "wallet")
    assert balances(power_bank)["wallet"] == 600


def test_contradicted_success_can_only_be_closed_unchanged(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    case = case_after_reports(latest_deduction_of(order), Declined("account_closed", FailureClass.HARD))
    before = balances(power_bank)
    closed(case, "stands")
    assert (balances(power_bank), state_of(order)) == (before, "deducted")


def test_duplicate_refund_is_a_platform_loss_or_returned(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    case = case_of_refund_part(power_bank, order, Succeeded("x-1", yuan("2")))
    assert (case.kind, balances(power_bank)["suspense"]) == ("refunded_twice", -200)
    closed(case, "platform")
    assert (balances(power_bank)["losses"], "suspense" in balances(power_bank)) == (200, False)
    again = case_of_refund_part(power_bank, paid_order(power_bank), Succeeded("x-2", yuan("2")))
    closed(again, "returned")
    assert "suspense" not in balances(power_bank)


def test_refund_paid_after_failure_is_charged_to_the_merchant(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="timeout_then_not_paid")
    answers = (Declined("account_closed", FailureClass.HARD), Succeeded("x-1", yuan("2")))
    case = case_of_refund_part(power_bank, order, *answers)
    assert case.kind == "refunded_after_failure"
    owed, fees = (balances(power_bank)[code] for code in ("payable", "fees"))
    closed(case, "merchant")
    assert "suspense" not in balances(power_bank)
    back = fees - balances(power_bank)["fees"]
    assert (back > 0, balances(power_bank)["payable"]) == (True, owed - 200 + back), "its fee comes along"
    left = order.total.minor - 200
    assert reload_order(order.id).refunded_minor == 200
    with assert_unchanged(), pytest.raises(RefundTooMuch):
        refund_order(order.id, RefundDetails(amount_minor=left + 1, reason="x"), by=BY, at=NOON)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    refund_order(order.id, RefundDetails(amount_minor=left, reason="x"), by=BY, at=NOON)
    assert reload_order(order.id).refunded_minor == order.total.minor
    assert {wrong.name for wrong in find_violations()} <= OF_THE_BANK


@pytest.mark.parametrize(("end", "state"), [("returned", "failed"), ("stands", "succeeded")])
def test_refund_of_wrong_amount_ends_when_its_case_is_closed(power_bank: Shop, end: str, state: str) -> None:
    order = paid_order(power_bank, behaviour="timeout_then_not_paid")
    case = case_of_refund_part(power_bank, order, Succeeded("x-1", yuan("3")))
    assert (case.kind, RefundPart.objects.get().state) == ("refund_of_wrong_amount", "unknown")
    closed(case, end)
    assert (RefundPart.objects.get().state, Refund.objects.get().state) == (state, state)


def test_refund_reported_unpaid_is_credited_to_the_wallet(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    open_wallet(order.person, at=NOON)
    case = case_of_refund_part(power_bank, order, Declined("account_closed", FailureClass.HARD))
    assert case.kind == "declined_after_refund"
    closed(case, "wallet")
    assert Wallet.objects.get(pk=order.person_id).balance_minor == 200


@pytest.mark.parametrize(
    ("answers", "end", "payable"),
    [
        ([Succeeded("x", yuan("5.96"))], "merchant", -596),
        ([Succeeded("x", yuan("5.96"))], "returned", 0),
        ([Succeeded("x", yuan("5.96"))], "platform", 0),
        ([Declined("account_closed", FailureClass.HARD)], "merchant", 596),
        ([Declined("account_closed", FailureClass.HARD)], "stands", 0),
    ],
)
def test_contradicted_payout_is_owed_to_the_merchant_or_not(
    power_bank: Shop, answers: list[Answer], end: str, payable: int
) -> None:
    case = case_of_payout(power_bank, *answers)
    closed(case, end)
    assert balances(power_bank).get("payable", 0) == payable
    assert "suspense" not in balances(power_bank)
    assert count_unsettled(power_bank.merchant, most=9) == bool(payable)
    settle_due(power_bank.realm_id, at=MIDNIGHT + timedelta(days=1))


def test_stray_chargeback_is_a_platform_loss(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    record_chargeback(latest_deduction_of(order).id, Chargeback("x-1", yuan("7"), "no_funds"), by=BY, at=NOON)
    closed(Case.objects.get(), "platform")
    assert balances(power_bank)["losses"] == 700


def test_closing_a_large_case_needs_approval(power_bank: Shop) -> None:
    shop = make_shop("大件", ceiling_minor=500_000)
    order = paid_order(shop, "1000")
    case = case_after_reports(latest_deduction_of(order), Succeeded("t-2", yuan("1000")))
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        closed(case, "returned")
    done = cases.close_case(case.id, "returned", "x", by=MEI.approved_by(BOSS), at=LATER)
    assert done.closed_by == str(MEI.approved_by(BOSS))


@pytest.mark.parametrize(("txn", "state"), [("x-9", "succeeded"), ("", "failed")])
def test_unknown_refund_result_is_recorded_by_two_people(power_bank: Shop, txn: str, state: str) -> None:
    order = paid_order(power_bank, behaviour="timeout_then_not_paid")
    issue_refund(order, "2")
    part = RefundPart.objects.get()
    for days in (0, 4):
        report = MovementReport(part.id, Unknown("timeout"), "query")
        REFUND_PARTS.settle_all([report], by=BY, at=NOON + timedelta(days=days))
    case = Case.objects.get()
    assert (case.kind, case_resolutions.allowed_resolutions(case), cases.can_record_outcome(case)) == (
        "unknown_too_long",
        (),
        True,
    )
    both = MEI.approved_by(BOSS)
    with assert_unchanged():
        with pytest.raises(ApprovalRequired):
            cases.record_movement_outcome(case.id, txn=txn, evidence="对账单", by=MEI, at=LATER)
        with pytest.raises(Invalid):
            cases.record_movement_outcome(case.id, txn=txn, evidence=" ", by=both, at=LATER)
        with pytest.raises(CaseUnfit):
            cases.close_case(case.id, "stands", "x", by=both, at=LATER)
        with pytest.raises(NotFound):
            cases.close_case(uuid4(), "stands", "x", by=both, at=LATER)
    done = cases.record_movement_outcome(case.id, txn=txn, evidence="对账单", reason="银行函", by=both, at=LATER)
    assert (done.resolution, done.closed_because, RefundPart.objects.get().state) == ("said", "银行函", state)
    assert Refund.objects.get().state == state


def test_a_transaction_is_recorded_for_one_refund_only(power_bank: Shop) -> None:
    issue_refund(paid_order(power_bank), "1")
    used = RefundPart.objects.get().channel_txn
    issue_refund(paid_order(power_bank, behaviour="timeout_then_not_paid"), "2")
    part = RefundPart.objects.latest("id")
    for days in (0, 4):
        report = MovementReport(part.id, NumberNotFound() if days else Unknown("timeout"), "query")
        REFUND_PARTS.settle_all([report], by=BY, at=NOON + timedelta(days=days))
    with assert_unchanged(), pytest.raises(TransactionUsed):
        cases.record_movement_outcome(
            Case.objects.get().id, txn=str(used), evidence="x", by=MEI.approved_by(BOSS), at=LATER
        )


def test_every_kind_of_case_can_be_closed(power_bank: Shop) -> None:
    """Also one that a later version of us opens and this one does not know."""
    order = paid_order(power_bank)
    row = Case.objects.create(
        realm_id=power_bank.realm_id, kind="never_heard_of", deduction=latest_deduction_of(order), opened_at=NOON
    )
    old = Case.objects.create(
        realm_id=power_bank.realm_id, kind="unknown_too_long", deduction=latest_deduction_of(order), opened_at=NOON
    )
    for case in (row, old):
        assert closed(case, "stands").closed_at == LATER
