"""What a channel took back, and what a denied return left to be paid, is paid by the person's own hand alone."""

from datetime import timedelta

import pytest

from billing.channels import bank_returns
from billing.channels.bank import Behaviour
from billing.models import Dispute
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.disputes import accept_dispute
from billing.services.instruments import Script, add_bank_account, limit_instrument
from billing.services.pay import collect_now, pay_all, pay_now
from billing.services.return_ends import deny_return, refuse_return
from orders import services as orders
from orders.models import Order
from orders.refusals import PaidByHand
from orders.rules import Offer
from tests.billing.bench import balances, deduction_of, owed_of, paid, taken_from
from tests.billing.returning import sent_back
from tests.conftest import BY, NOON, Shop, completed, fresh, make_shop, someone, state_of, yuan
from tests.stillness import nothing_moves

A_DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def take_back(shop: Shop, order: Order, code: str = "no_funds") -> None:
    assert bank_returns.take_back(deduction_of(order).number, code, at=NOON)
    assert deliver_callbacks(shop.realm_id, at=NOON) == 1


def bounced(shop: Shop) -> Order:
    order = paid(shop)
    take_back(shop, order)
    return order


def denied(shop: Shop) -> Order:
    """Its goods did not come back: the person owes us what we gave back ahead."""
    order = paid(shop)
    row = sent_back(order)
    refuse_return(row.id, "空盒", by=BY, at=NOON)
    deny_return(row.id, "空盒", by=BY, at=NOON)
    return order


@pytest.mark.parametrize("owing", [bounced, denied])
def test_a_new_instrument_is_not_debited_for_it_by_itself(power_bank: Shop, owing: object) -> None:
    order = owing(power_bank)  # type: ignore[operator]
    add_bank_account(order.person, Script(Behaviour.PAYS), by=BY, at=NOON)
    for days in (0, 1, 30):
        deduct_due(power_bank.realm_id, at=NOON + days * A_DAY)
    assert state_of(order) == "overdue"
    pay_now(order.id, by=BY, at=NOON)
    assert state_of(order) == "deducted"


def test_nor_where_the_person_lets_more_be_taken(power_bank: Shop) -> None:
    order = paid(power_bank)
    account = order.person.instruments.get(channel="sandbox")
    limit_instrument(order.person_id, account.id, yuan("1"), None, by=BY, at=NOON)
    take_back(power_bank, order)
    limit_instrument(order.person_id, account.id, yuan("50"), None, by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON + A_DAY)
    assert state_of(order) == "overdue"


@pytest.mark.parametrize("owing", [bounced, denied])
def test_its_merchant_cannot_have_it_collected(power_bank: Shop, owing: object) -> None:
    order = owing(power_bank)  # type: ignore[operator]
    with nothing_moves(), pytest.raises(PaidByHand):
        collect_now(order.id, by=BY, at=NOON + HOUR)
    pay_all(order.person_id, by=BY, at=NOON + HOUR)
    assert state_of(order) == "deducted"


def test_nor_what_the_person_told_their_bank_was_not_theirs(power_bank: Shop) -> None:
    order = paid(power_bank)
    take_back(power_bank, order, "not_authorised")
    accept_dispute(Dispute.objects.get().id, "person", "x", by=BY, at=NOON)
    with nothing_moves(), pytest.raises(PaidByHand):
        collect_now(order.id, by=BY, at=NOON + HOUR)


def test_a_part_that_was_paid_by_hand_is_owed_beside_what_is_planned(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank), yuan("60"), due_at=NOON + 10 * A_DAY)
    pay_now(order.id, amount_minor=2000, by=BY, at=NOON)
    take_back(power_bank, order)

    rows = order.obligations.order_by("sequence")
    assert [(row.state, row.owed.minor, row.by_hand) for row in rows] == [
        ("pending", 4000, False),
        ("pending", 2000, True),
    ]
    assert state_of(order) == "completed"
    deduct_due(power_bank.realm_id, at=NOON + 10 * A_DAY)
    assert taken_from(order.person) == [yuan("20"), yuan("40")]
    orders.mark_overdue(power_bank.realm_id, at=NOON + 13 * A_DAY, limit=10)
    assert state_of(order) == "overdue"
    pay_now(order.id, by=BY, at=NOON + 13 * A_DAY)
    assert (state_of(order), balances(power_bank)["clearing:sandbox"]) == ("deducted", 6000)


def test_its_merchant_collects_what_is_planned_and_nothing_beside(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank), yuan("60"), due_at=NOON + 10 * A_DAY)
    pay_now(order.id, amount_minor=2000, by=BY, at=NOON)
    take_back(power_bank, order)
    (made,) = collect_now(order.id, by=BY, at=NOON + 10 * A_DAY)
    assert made.amount == yuan("40")


def test_late_fees_on_it_are_left_to_the_same_hand(db: None) -> None:
    shop = make_shop("飞鸽", ceiling_minor=200_00, late_fee_daily_bps=50, late_fee_cap_bps=1000)
    order = paid(shop, "100")
    take_back(shop, order)
    orders.close_days(shop.realm_id, at=NOON + 5 * A_DAY, limit=10)
    fee = order.obligations.get(kind="late_fee")
    assert (fee.by_hand, fee.plan) == (True, [])
    add_bank_account(order.person, Script(Behaviour.PAYS), by=BY, at=NOON + 5 * A_DAY)
    deduct_due(shop.realm_id, at=NOON + 6 * A_DAY)
    assert state_of(order) == "overdue"


def test_a_plan_that_its_person_agrees_to_is_collected_like_any_other(power_bank: Shop) -> None:
    order = bounced(power_bank)
    orders.ease(order.person_id, order.id, Offer(2, 14), expected=[yuan("6")], by=BY, at=NOON)
    for days in (14, 28):
        deduct_due(power_bank.realm_id, at=NOON + days * A_DAY)
    assert fresh(order.id).state == "deducted"


def test_it_can_bounce_again_and_is_one_debt_still(power_bank: Shop) -> None:
    order = bounced(power_bank)
    pay_now(order.id, amount_minor=200, by=BY, at=NOON)
    take_back(power_bank, order)
    assert (owed_of(order).owed, owed_of(order).by_hand) == (yuan("6"), True)
