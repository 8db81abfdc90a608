"""A debt reopened by a dispute or a denied return is only paid by the person, never deducted automatically."""

from datetime import timedelta

import pytest

from billing.channels import bank_disputes
from billing.channels.bank import Behaviour
from billing.models import Dispute
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.disputes import accept_dispute
from billing.services.instruments import Script, add_bank_account, set_instrument_limits
from billing.services.pay import collect_now, pay_all, pay_now
from billing.services.return_decisions import deny_return, refuse_return
from orders import services as orders
from orders.models import Order
from orders.refusals import PaidByHand
from orders.rules import PlanOffer
from tests.billing.helpers import balances, bank_debits_of, latest_deduction_of, obligation_of, paid_order
from tests.billing.return_helpers import opened_return
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, reload_order, state_of, yuan
from tests.unchanged import assert_unchanged

A_DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def dispute_at_bank(shop: Shop, order: Order, code: str = "no_funds") -> None:
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, code, at=NOON)
    assert deliver_callbacks(shop.realm_id, at=NOON) == 1


def order_with_lost_dispute(shop: Shop) -> Order:
    order = paid_order(shop)
    dispute_at_bank(shop, order)
    return order


def order_with_denied_return(shop: Shop) -> Order:
    """Its goods did not come back: the person owes us what we gave back ahead."""
    order = paid_order(shop)
    row = opened_return(order)
    refuse_return(row.id, "空盒", by=BY, at=NOON)
    deny_return(row.id, "空盒", by=BY, at=NOON)
    return order


@pytest.mark.parametrize("owing", [order_with_lost_dispute, order_with_denied_return])
def test_new_instrument_is_not_debited_for_a_reopened_debt(power_bank: Shop, owing: object) -> None:
    order = owing(power_bank)  # type: ignore[operator]
    add_bank_account(order.person, Script(Behaviour.PAYS), by=BY, at=NOON)
    for days in (0, 1, 30):
        deduct_due(power_bank.realm_id, at=NOON + days * A_DAY)
    assert state_of(order) == "overdue"
    pay_now(order.id, by=BY, at=NOON)
    assert state_of(order) == "deducted"


def test_higher_limit_does_not_debit_a_reopened_debt(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    account = order.person.instruments.get(channel="sandbox")
    set_instrument_limits(order.person_id, account.id, yuan("1"), None, by=BY, at=NOON)
    dispute_at_bank(power_bank, order)
    set_instrument_limits(order.person_id, account.id, yuan("50"), None, by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON + A_DAY)
    assert state_of(order) == "overdue"


@pytest.mark.parametrize("owing", [order_with_lost_dispute, order_with_denied_return])
def test_merchant_cannot_collect_a_reopened_debt(power_bank: Shop, owing: object) -> None:
    order = owing(power_bank)  # type: ignore[operator]
    with assert_unchanged(), pytest.raises(PaidByHand):
        collect_now(order.id, by=BY, at=NOON + HOUR)
    pay_all(order.person_id, by=BY, at=NOON + HOUR)
    assert state_of(order) == "deducted"


def test_merchant_cannot_collect_an_unauthorised_debit_again(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    dispute_at_bank(power_bank, order, "not_authorised")
    accept_dispute(Dispute.objects.get().id, "person", "x", by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(PaidByHand):
        collect_now(order.id, by=BY, at=NOON + HOUR)


def test_reopened_part_is_owed_beside_planned_debts(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("60"), due_at=NOON + 10 * A_DAY)
    pay_now(order.id, amount_minor=2000, by=BY, at=NOON)
    dispute_at_bank(power_bank, order)

    rows = order.obligations.order_by("sequence")
    assert [(row.state, row.owed.minor, row.by_hand) for row in rows] == [
        ("pending", 4000, False),
        ("pending", 2000, True),
    ]
    assert state_of(order) == "completed"
    deduct_due(power_bank.realm_id, at=NOON + 10 * A_DAY)
    assert bank_debits_of(order.person) == [yuan("20"), yuan("40")]
    orders.mark_overdue(power_bank.realm_id, at=NOON + 13 * A_DAY, limit=10)
    assert state_of(order) == "overdue"
    pay_now(order.id, by=BY, at=NOON + 13 * A_DAY)
    assert (state_of(order), balances(power_bank)["clearing:sandbox"]) == ("deducted", 6000)


def test_merchant_collects_planned_debts_only(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("60"), due_at=NOON + 10 * A_DAY)
    pay_now(order.id, amount_minor=2000, by=BY, at=NOON)
    dispute_at_bank(power_bank, order)
    (made,) = collect_now(order.id, by=BY, at=NOON + 10 * A_DAY)
    assert made.amount == yuan("40")


def test_late_fees_of_a_reopened_debt_are_not_debited(db: None) -> None:
    shop = make_shop("飞鸽", ceiling_minor=200_00, late_fee_daily_bps=50, late_fee_cap_bps=1000)
    order = paid_order(shop, "100")
    dispute_at_bank(shop, order)
    orders.close_days(shop.realm_id, at=NOON + 5 * A_DAY, limit=10)
    fee = order.obligations.get(kind="late_fee")
    assert (fee.by_hand, fee.plan) == (True, [])
    add_bank_account(order.person, Script(Behaviour.PAYS), by=BY, at=NOON + 5 * A_DAY)
    deduct_due(shop.realm_id, at=NOON + 6 * A_DAY)
    assert state_of(order) == "overdue"


def test_payment_plan_for_a_reopened_debt_is_collected(power_bank: Shop) -> None:
    order = order_with_lost_dispute(power_bank)
    orders.choose_plan(order.person_id, order.id, PlanOffer(2, 14), expected=[yuan("6")], by=BY, at=NOON)
    for days in (14, 28):
        deduct_due(power_bank.realm_id, at=NOON + days * A_DAY)
    assert reload_order(order.id).state == "deducted"


def test_repeated_dispute_is_still_one_debt(power_bank: Shop) -> None:
    order = order_with_lost_dispute(power_bank)
    pay_now(order.id, amount_minor=200, by=BY, at=NOON)
    dispute_at_bank(power_bank, order)
    assert (obligation_of(order).owed, obligation_of(order).by_hand) == (yuan("6"), True)
