"""What only a person can judge: each kind of case is closed in each way that fits it, and the book follows."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from billing.channels import Absent, Answer, Declined, Lost, Taken, bank
from billing.models import Case, Deduction, Payout, Refund, RefundPart, Wallet
from billing.planning import Kind
from billing.refusals import CaseClosed, CaseUnfit, NoWallet, RefundTooMuch, TransactionUsed
from billing.services import cases
from billing.services.deduct import deduct_due
from billing.services.disputes import Withdrawal, take_back
from billing.services.instruments import open_wallet
from billing.services.movements import MovementReport
from billing.services.refund import Asked, refund_order
from billing.services.settle import Report, settle_all
from billing.services.settle_parts import PARTS
from billing.services.settle_payouts import PAYOUTS
from billing.services.settlement import settle_due
from billing.services.unsettled import unsettled
from bnpl.invariants import violations
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import Invalid, NotFound, SecondNeeded
from orders.models import Order
from tests.billing.bench import balances, deduction_of, give_back, owed_of, paid, token_of
from tests.conftest import BY, NOON, Shop, completed, fresh, make_shop, someone, state_of, yuan
from tests.settlement.bench import MIDNIGHT, day_ends
from tests.stillness import nothing_moves
from tests.visiting import visiting, words

MEI, BOSS = (Actor.staff(uuid4()) for _ in range(2))
LATER = NOON + timedelta(days=4)
#: The bank never said what these tests make it say; everything else must hold.
OF_THE_BANK = {
    "the_bank_agrees",
    "the_bank_agrees_on_refunds",
    "the_bank_agrees_on_payouts",
    "the_bank_agrees_on_disputes",
}
pytestmark = pytest.mark.breaks_the_house


@pytest.fixture(autouse=True)
def _all_but_the_bank(db: None) -> Any:
    yield
    assert {one.name for one in violations(often=True)} <= OF_THE_BANK


def heard(row: Deduction, *answers: Answer) -> Case:
    for answer in answers:
        settle_all([Report(row.id, answer, "callback")], by=BY, at=NOON)
    return Case.objects.latest("id")


def lost_at(shop: Shop, amount: str = "6") -> Order:
    order = completed(shop, someone(shop, "timeout_then_not_paid"), yuan(amount))
    deduct_due(shop.realm_id, at=NOON)
    return order


def part_of(shop: Shop, order: Order, *answers: Answer) -> Case:
    give_back(order, "2")
    part = RefundPart.objects.latest("id")
    for answer in answers:
        PARTS.settle_all([MovementReport(part.id, answer, "callback")], by=BY, at=NOON)
    return Case.objects.latest("id")


def payout_of(shop: Shop, *answers: Answer) -> Case:
    paid(shop)
    day_ends(shop, MIDNIGHT)
    for answer in answers:
        PAYOUTS.settle_all([MovementReport(Payout.objects.get().id, answer, "callback")], by=BY, at=MIDNIGHT)
    return Case.objects.latest("id")


def closed(case: Case, resolution: str, because: str = "银行已确认") -> Case:
    return cases.close_case(case.id, resolution, because, by=MEI, at=LATER)


def test_what_was_taken_twice_goes_back_to_the_channel_or_to_the_person(power_bank: Shop) -> None:
    order = paid(power_bank)
    first = heard(deduction_of(order), Taken("t-2", yuan("6")))
    second = heard(deduction_of(order), Taken("t-3", yuan("7")))
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
    assert "平台更正入账" in words(visiting(order.person).get("/wallet/"))
    assert "suspense" not in balances(power_bank)
    with nothing_moves("billing_channelreport"):
        heard(deduction_of(order), Taken("t-2", yuan("6")), Taken("t-3", yuan("7")))
    with nothing_moves(), pytest.raises(CaseClosed):
        closed(second, "returned")


@pytest.mark.parametrize("end", ["returned", "wallet"])
def test_another_amount_than_was_asked_for_frees_the_debt_when_it_is_judged(power_bank: Shop, end: str) -> None:
    order = lost_at(power_bank)
    open_wallet(order.person, at=NOON)
    case = heard(deduction_of(order), Taken("t-1", yuan("9")))
    assert owed_of(order).in_flight is not None
    closed(case, end)
    assert (deduction_of(order).state, owed_of(order).in_flight) == ("failed", None)
    assert deduction_of(order).failure_code == "wrong_amount"
    assert owed_of(order).paid_minor == 0
    assert "suspense" not in balances(power_bank)
    assert Wallet.objects.get(pk=order.person_id).balance_minor == (900 if end == "wallet" else 0)
    assert deduction_of(order).history.filter(kind="case_closed").get().data == {"case": case.public_id}
    with nothing_moves("billing_channelreport"):
        heard(deduction_of(order), Taken("t-1", yuan("9")))


def test_money_in_another_currency_goes_into_no_wallet(power_bank: Shop) -> None:
    order = lost_at(power_bank)
    open_wallet(order.person, at=NOON)
    case = heard(deduction_of(order), Taken("t-1", Money(600, "USD")))
    with nothing_moves(), pytest.raises(NoWallet):
        closed(case, "wallet")
    closed(case, "returned")
    assert deduction_of(order).state == "failed"


def test_what_was_taken_after_a_failure_stands_in_the_persons_stored_value(power_bank: Shop) -> None:
    order = lost_at(power_bank)
    open_wallet(order.person, at=NOON)
    case = heard(deduction_of(order), Declined("insufficient_funds", Kind.SOFT), Taken("t-1", yuan("6")))
    with nothing_moves():
        for unfit in ("merchant", "platform", "stands", "said", "x", ""):
            with pytest.raises(CaseUnfit):
                closed(case, unfit)
    closed(case, "wallet")
    assert balances(power_bank)["wallet"] == 600


def test_a_word_against_a_success_is_closed_as_it_stands(power_bank: Shop) -> None:
    order = paid(power_bank)
    case = heard(deduction_of(order), Declined("account_closed", Kind.HARD))
    before = balances(power_bank)
    closed(case, "stands")
    assert (balances(power_bank), state_of(order)) == (before, "deducted")


def test_a_refund_that_went_twice_is_borne_by_us_or_comes_back(power_bank: Shop) -> None:
    order = paid(power_bank)
    case = part_of(power_bank, order, Taken("x-1", yuan("2")))
    assert (case.kind, balances(power_bank)["suspense"]) == ("refunded_twice", -200)
    closed(case, "platform")
    assert (balances(power_bank)["losses"], "suspense" in balances(power_bank)) == (200, False)
    again = part_of(power_bank, paid(power_bank), Taken("x-2", yuan("2")))
    closed(again, "returned")
    assert "suspense" not in balances(power_bank)


def test_a_refund_that_went_after_all_is_the_merchants(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="timeout_then_not_paid")
    answers = (Declined("account_closed", Kind.HARD), Taken("x-1", yuan("2")))
    case = part_of(power_bank, order, *answers)
    assert case.kind == "refunded_after_failure"
    owed, fees = (balances(power_bank)[code] for code in ("payable", "fees"))
    closed(case, "merchant")
    assert "suspense" not in balances(power_bank)
    back = fees - balances(power_bank)["fees"]
    assert (back > 0, balances(power_bank)["payable"]) == (True, owed - 200 + back), "its fee comes along"
    left = order.total.minor - 200
    assert fresh(order.id).refunded_minor == 200
    with nothing_moves(), pytest.raises(RefundTooMuch):
        refund_order(order.id, Asked(amount_minor=left + 1, reason="x"), by=BY, at=NOON)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    refund_order(order.id, Asked(amount_minor=left, reason="x"), by=BY, at=NOON)
    assert fresh(order.id).refunded_minor == order.total.minor
    assert {wrong.name for wrong in violations()} <= OF_THE_BANK


@pytest.mark.parametrize(("end", "state"), [("returned", "failed"), ("stands", "succeeded")])
def test_a_refund_of_another_amount_ends_when_it_is_judged(power_bank: Shop, end: str, state: str) -> None:
    order = paid(power_bank, behaviour="timeout_then_not_paid")
    case = part_of(power_bank, order, Taken("x-1", yuan("3")))
    assert (case.kind, RefundPart.objects.get().state) == ("refund_of_wrong_amount", "unknown")
    closed(case, end)
    assert (RefundPart.objects.get().state, Refund.objects.get().state) == (state, state)


def test_a_refund_that_the_channel_takes_back_its_word_on_stands_in_the_wallet(power_bank: Shop) -> None:
    order = paid(power_bank)
    open_wallet(order.person, at=NOON)
    case = part_of(power_bank, order, Declined("account_closed", Kind.HARD))
    assert case.kind == "declined_after_refund"
    closed(case, "wallet")
    assert Wallet.objects.get(pk=order.person_id).balance_minor == 200


@pytest.mark.parametrize(
    ("answers", "end", "payable"),
    [
        ([Taken("x", yuan("5.96"))], "merchant", -596),
        ([Taken("x", yuan("5.96"))], "returned", 0),
        ([Taken("x", yuan("5.96"))], "platform", 0),
        ([Declined("account_closed", Kind.HARD)], "merchant", 596),
        ([Declined("account_closed", Kind.HARD)], "stands", 0),
    ],
)
def test_what_a_bank_says_against_a_payout_is_the_merchants_or_not(
    power_bank: Shop, answers: list[Answer], end: str, payable: int
) -> None:
    case = payout_of(power_bank, *answers)
    closed(case, end)
    assert balances(power_bank).get("payable", 0) == payable
    assert "suspense" not in balances(power_bank)
    assert unsettled(power_bank.merchant, most=9) == bool(payable)
    settle_due(power_bank.realm_id, at=MIDNIGHT + timedelta(days=1))


def test_what_a_channel_took_back_and_never_had_is_borne(power_bank: Shop) -> None:
    order = paid(power_bank)
    take_back(deduction_of(order).id, Withdrawal("x-1", yuan("7"), "no_funds"), by=BY, at=NOON)
    closed(Case.objects.get(), "platform")
    assert balances(power_bank)["losses"] == 700


def test_a_large_one_takes_two(power_bank: Shop) -> None:
    shop = make_shop("大件", ceiling_minor=500_000)
    order = paid(shop, "1000")
    case = heard(deduction_of(order), Taken("t-2", yuan("1000")))
    with nothing_moves(), pytest.raises(SecondNeeded):
        closed(case, "returned")
    done = cases.close_case(case.id, "returned", "x", by=MEI.agreed(BOSS), at=LATER)
    assert done.closed_by == str(MEI.agreed(BOSS))


@pytest.mark.parametrize(("txn", "state"), [("x-9", "succeeded"), ("", "failed")])
def test_how_a_refund_ended_that_nobody_knows_is_said_by_two(power_bank: Shop, txn: str, state: str) -> None:
    order = paid(power_bank, behaviour="timeout_then_not_paid")
    give_back(order, "2")
    part = RefundPart.objects.get()
    for days in (0, 4):
        report = MovementReport(part.id, Lost("timeout"), "query")
        PARTS.settle_all([report], by=BY, at=NOON + timedelta(days=days))
    case = Case.objects.get()
    assert (case.kind, cases.ends_of(case), cases.sayable(case)) == ("unknown_too_long", (), True)
    both = MEI.agreed(BOSS)
    with nothing_moves():
        with pytest.raises(SecondNeeded):
            cases.say_movement(case.id, txn=txn, evidence="对账单", by=MEI, at=LATER)
        with pytest.raises(Invalid):
            cases.say_movement(case.id, txn=txn, evidence=" ", by=both, at=LATER)
        with pytest.raises(CaseUnfit):
            cases.close_case(case.id, "stands", "x", by=both, at=LATER)
        with pytest.raises(NotFound):
            cases.close_case(uuid4(), "stands", "x", by=both, at=LATER)
    done = cases.say_movement(case.id, txn=txn, evidence="对账单", reason="银行函", by=both, at=LATER)
    assert (done.resolution, done.closed_because, RefundPart.objects.get().state) == ("said", "银行函", state)
    assert Refund.objects.get().state == state


def test_a_transaction_is_said_of_one_refund_only(power_bank: Shop) -> None:
    give_back(paid(power_bank), "1")
    used = RefundPart.objects.get().channel_txn
    give_back(paid(power_bank, behaviour="timeout_then_not_paid"), "2")
    part = RefundPart.objects.latest("id")
    for days in (0, 4):
        report = MovementReport(part.id, Absent() if days else Lost("timeout"), "query")
        PARTS.settle_all([report], by=BY, at=NOON + timedelta(days=days))
    with nothing_moves(), pytest.raises(TransactionUsed):
        cases.say_movement(Case.objects.get().id, txn=str(used), evidence="x", by=MEI.agreed(BOSS), at=LATER)


def test_no_kind_of_case_is_left_that_nobody_can_close(power_bank: Shop) -> None:
    """Also one that a later version of us opens and this one does not know."""
    order = paid(power_bank)
    row = Case.objects.create(
        realm_id=power_bank.realm_id, kind="never_heard_of", deduction=deduction_of(order), opened_at=NOON
    )
    old = Case.objects.create(
        realm_id=power_bank.realm_id, kind="unknown_too_long", deduction=deduction_of(order), opened_at=NOON
    )
    for case in (row, old):
        assert closed(case, "stands").closed_at == LATER
