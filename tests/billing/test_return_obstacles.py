"""What befalls an order while a parcel is on its way: the return ends all the same, and what passes is no refusal."""

from typing import Any

import pytest

from billing.channels import bank, bank_returns
from billing.models import Dispute, Refund, Return, ReturnPolicy
from billing.refusals import RefundTooMuch
from billing.services.ask_parts import ask_parts
from billing.services.callbacks import deliver_callbacks
from billing.services.disputes import accept_dispute
from billing.services.pay import pay_now
from billing.services.return_ends import confirm_return, deny_return, refuse_return
from billing.services.watch_returns import watch_returns
from kernel.refusal import Busy
from kernel.versions import publish_version
from orders import services as orders
from orders.models import Order, Pause
from orders.refusals import WrittenOff
from tests.billing.bench import balances, deduction_of, give_back, paid, token_of
from tests.billing.returning import ONE_DAY, now, sent_back
from tests.conftest import BY, NOON, Shop, completed, fresh, someone, yuan
from tests.stillness import nothing_moves


@pytest.fixture
def nobody_is_trusted(power_bank: Shop) -> None:
    terms = ReturnPolicy.objects.get().terms | {"score_min": 950}
    publish_version(ReturnPolicy, terms, "x", after=1, by=BY, at=NOON)


def silence(shop: Shop, *days: int) -> None:
    for day in days:
        watch_returns(shop.realm_id, at=NOON + day * ONE_DAY)


def why_not(row: Return) -> Any:
    return row.history.get(kind="not_refunded").data


@pytest.mark.parametrize("refused", [False, True])
def test_what_was_paid_elsewhere_meanwhile_ends_without_a_refund_of_ours(power_bank: Shop, *, refused: bool) -> None:
    order = completed(power_bank, someone(power_bank, "no_funds"), yuan("6"))
    row = sent_back(order)
    orders.mark_paid(order.id, NOON, "cash", by=BY, at=NOON)
    if refused:
        refuse_return(row.id, "x", by=BY, at=NOON)
    confirm_return(row.id, by=BY, at=NOON)
    assert (now(row).state, why_not(row)) == ("confirmed", {"because": "paid_elsewhere"})
    assert (balances(power_bank), Refund.objects.count()) == ({}, 0)


@pytest.mark.usefixtures("nobody_is_trusted")
def test_what_was_written_off_meanwhile_is_confirmed_by_silence_and_can_be_sent_back_no_more(power_bank: Shop) -> None:
    order = paid(power_bank)
    row = sent_back(order)
    assert bank_returns.take_back(deduction_of(order).number, "no_funds", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    orders.resume_order(order.id, "return_under_way", by=BY, at=NOON)  # else nobody gives it up
    orders.write_off(order.id, "x", by=BY, at=NOON)
    before = balances(power_bank)
    silence(power_bank, 7, 10)
    assert (now(row).state, why_not(row)) == ("confirmed", {"because": "written_off"})
    assert balances(power_bank) == before
    assert not Pause.objects.filter(ended_at=None).exists()
    with nothing_moves(), pytest.raises(WrittenOff):
        sent_back(order, number="SF2")


def test_a_refund_without_an_outcome_is_waited_for_and_is_no_refusal(power_bank: Shop) -> None:
    order = paid(power_bank, behaviour="timeout_then_paid")
    give_back(order, "2")
    row = sent_back(order, 600)
    with nothing_moves(), pytest.raises(Busy):
        confirm_return(row.id, by=BY, at=NOON)
    silence(power_bank, 7, 10)
    assert now(row).state == "open"
    ask_parts(power_bank.realm_id, at=NOON + 10 * ONE_DAY)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    silence(power_bank, 11)
    assert (now(row).state, fresh(order.id).refunded_minor) == ("confirmed", 600)


def test_a_dispute_that_nobody_has_decided_is_waited_for(power_bank: Shop) -> None:
    order = paid(power_bank)
    assert bank_returns.take_back(deduction_of(order).number, "not_received", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    row = sent_back(order)
    silence(power_bank, 7, 10)
    assert now(row).state == "open"
    accept_dispute(Dispute.objects.get().id, "merchant", "x", by=BY, at=NOON + 10 * ONE_DAY)
    silence(power_bank, 11)
    assert (now(row).state, fresh(order.id).refunded_minor) == ("confirmed", 600), "it went back by the dispute"
    assert not Refund.objects.exists()


def test_more_than_there_is_stays_refused(power_bank: Shop) -> None:
    order = paid(power_bank)
    with nothing_moves(), pytest.raises(RefundTooMuch):
        sent_back(order, 601)


def denied_and_paid(shop: Shop, amount: str, returned: int) -> Order:
    order = paid(shop, amount)
    row = sent_back(order, returned)
    refuse_return(row.id, "x", by=BY, at=NOON)
    deny_return(row.id, "x", by=BY, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    assert fresh(order.id).state == "deducted"
    return order


def test_what_was_paid_again_after_a_denied_return_the_merchant_may_give_back_and_bears(power_bank: Shop) -> None:
    order = denied_and_paid(power_bank, "9.99", 333)
    give_back(order, "6.66")
    assert (fresh(order.id).refunded_minor, fresh(order.id).advanced_minor) == (999, 333)
    give_back(order, "1.11")
    left = balances(power_bank)
    assert left["payable"] + left["fees"] == left["clearing:sandbox"] == 222
    assert (fresh(order.id).refunded_minor, fresh(order.id).advanced_minor) == (999, 222)
    give_back(order, "2.22")
    assert balances(power_bank) == {}
    with nothing_moves(), pytest.raises(RefundTooMuch):
        give_back(order, "0.01")


def test_what_cannot_be_given_back_of_it_the_merchant_does_not_bear(power_bank: Shop) -> None:
    order = denied_and_paid(power_bank, "6", 600)
    before = balances(power_bank)
    bank.change_account(token_of(order), bank.Behaviour.HARD_DECLINE)
    assert give_back(order, "6").state == "failed"
    assert (balances(power_bank), fresh(order.id).advanced_minor) == (before, 600)


def test_a_second_return_goes_ahead_only_of_what_was_bought(power_bank: Shop) -> None:
    order = denied_and_paid(power_bank, "9", 300)
    row = sent_back(order, number="SF2")
    assert row.amount == yuan("6")
    confirm_return(row.id, by=BY, at=NOON)
    assert (fresh(order.id).refunded_minor, fresh(order.id).advanced_minor) == (900, 300)
    give_back(order, "3")
    assert balances(power_bank) == {}
