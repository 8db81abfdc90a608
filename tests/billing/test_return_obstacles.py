"""Other changes of an order during its return: the return still ends, and temporary obstacles do not refuse it."""

from typing import Any

import pytest

from billing.channels import bank, bank_disputes
from billing.models import Dispute, Refund, Return, ReturnPolicy
from billing.refusals import RefundTooMuch
from billing.services.callbacks import deliver_callbacks
from billing.services.disputes import accept_dispute
from billing.services.movement_polling import poll_refund_parts
from billing.services.pay import pay_now
from billing.services.return_deadlines import process_due_returns
from billing.services.return_decisions import confirm_return, deny_return, refuse_return
from kernel.policy_versions import publish_version
from kernel.refusal import Busy
from orders import services as orders
from orders.models import Order, Pause
from orders.refusals import WrittenOff
from tests.billing.helpers import balances, issue_refund, latest_deduction_of, paid_order, token_of
from tests.billing.return_helpers import ONE_DAY, opened_return, reloaded
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, reload_order, yuan
from tests.unchanged import assert_unchanged


@pytest.fixture
def nobody_is_trusted(power_bank: Shop) -> None:
    terms = ReturnPolicy.objects.get().terms | {"score_min": 950}
    publish_version(ReturnPolicy, terms, "x", after=1, by=BY, at=NOON)


def pass_days_unanswered(shop: Shop, *days: int) -> None:
    for day in days:
        process_due_returns(shop.realm_id, at=NOON + day * ONE_DAY)


def last_refusal_code(row: Return) -> Any:
    return row.history.get(kind="not_refunded").data


@pytest.mark.parametrize("refused", [False, True])
def test_order_paid_elsewhere_during_its_return_is_not_refunded(power_bank: Shop, *, refused: bool) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    row = opened_return(order)
    orders.mark_paid(order.id, NOON, "cash", by=BY, at=NOON)
    if refused:
        refuse_return(row.id, "x", by=BY, at=NOON)
    confirm_return(row.id, by=BY, at=NOON)
    assert (reloaded(row).state, last_refusal_code(row)) == ("confirmed", {"because": "paid_elsewhere"})
    assert (balances(power_bank), Refund.objects.count()) == ({}, 0)


@pytest.mark.usefixtures("nobody_is_trusted")
def test_order_written_off_during_its_return_is_confirmed_without_refund(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    row = opened_return(order)
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    orders.resume_order(order.id, "return_under_way", by=BY, at=NOON)  # else nobody gives it up
    orders.write_off(order.id, "x", by=BY, at=NOON)
    before = balances(power_bank)
    pass_days_unanswered(power_bank, 7, 10)
    assert (reloaded(row).state, last_refusal_code(row)) == ("confirmed", {"because": "written_off"})
    assert balances(power_bank) == before
    assert not Pause.objects.filter(ended_at=None).exists()
    with assert_unchanged(), pytest.raises(WrittenOff):
        opened_return(order, number="SF2")


def test_return_waits_for_a_pending_refund(power_bank: Shop) -> None:
    order = paid_order(power_bank, behaviour="timeout_then_paid")
    issue_refund(order, "2")
    row = opened_return(order, 600)
    with assert_unchanged(), pytest.raises(Busy):
        confirm_return(row.id, by=BY, at=NOON)
    pass_days_unanswered(power_bank, 7, 10)
    assert reloaded(row).state == "open"
    poll_refund_parts(power_bank.realm_id, at=NOON + 10 * ONE_DAY)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    pass_days_unanswered(power_bank, 11)
    assert (reloaded(row).state, reload_order(order.id).refunded_minor) == ("confirmed", 600)


def test_return_waits_for_an_open_dispute(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "not_received", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    row = opened_return(order)
    pass_days_unanswered(power_bank, 7, 10)
    assert reloaded(row).state == "open"
    accept_dispute(Dispute.objects.get().id, "merchant", "x", by=BY, at=NOON + 10 * ONE_DAY)
    pass_days_unanswered(power_bank, 11)
    assert (reloaded(row).state, reload_order(order.id).refunded_minor) == ("confirmed", 600), (
        "it went back by the dispute"
    )
    assert not Refund.objects.exists()


def test_return_of_more_than_is_left_stays_refused(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    with assert_unchanged(), pytest.raises(RefundTooMuch):
        opened_return(order, 601)


def order_repaid_after_denial(shop: Shop, amount: str, returned: int) -> Order:
    order = paid_order(shop, amount)
    row = opened_return(order, returned)
    refuse_return(row.id, "x", by=BY, at=NOON)
    deny_return(row.id, "x", by=BY, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    assert reload_order(order.id).state == "deducted"
    return order


def test_repaid_denied_return_may_be_refunded_by_the_merchant(power_bank: Shop) -> None:
    order = order_repaid_after_denial(power_bank, "9.99", 333)
    issue_refund(order, "6.66")
    assert (reload_order(order.id).refunded_minor, reload_order(order.id).advanced_minor) == (999, 333)
    issue_refund(order, "1.11")
    left = balances(power_bank)
    assert left["payable"] + left["fees"] == left["clearing:sandbox"] == 222
    assert (reload_order(order.id).refunded_minor, reload_order(order.id).advanced_minor) == (999, 222)
    issue_refund(order, "2.22")
    assert balances(power_bank) == {}
    with assert_unchanged(), pytest.raises(RefundTooMuch):
        issue_refund(order, "0.01")


def test_merchant_is_not_charged_for_a_failed_refund_of_a_repayment(power_bank: Shop) -> None:
    order = order_repaid_after_denial(power_bank, "6", 600)
    before = balances(power_bank)
    bank.change_account(token_of(order), bank.Behaviour.HARD_DECLINE)
    assert issue_refund(order, "6").state == "failed"
    assert (balances(power_bank), reload_order(order.id).advanced_minor) == (before, 600)


def test_second_return_gets_an_early_refund_of_the_purchase_only(power_bank: Shop) -> None:
    order = order_repaid_after_denial(power_bank, "9", 300)
    row = opened_return(order, number="SF2")
    assert row.amount == yuan("6")
    confirm_return(row.id, by=BY, at=NOON)
    assert (reload_order(order.id).refunded_minor, reload_order(order.id).advanced_minor) == (900, 300)
    issue_refund(order, "3")
    assert balances(power_bank) == {}
