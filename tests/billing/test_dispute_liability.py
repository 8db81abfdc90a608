"""Merchants see of a dispute what they are liable for: not late fees, and not advances of the platform."""

from datetime import timedelta

import pytest

from billing import dispute_queries
from billing.channels import bank, bank_disputes
from billing.models import Dispute
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.disputes import accept_dispute
from billing.services.pay import pay_now
from billing.services.return_decisions import deny_return, refuse_return
from billing.wire import dispute_out
from merchants.models import Event
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import balances, paid_order, token_of
from tests.billing.return_helpers import opened_return
from tests.billing.test_disputes import dispute_at_bank
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, reload_order, yuan

LATE = NOON + timedelta(days=7)


@pytest.fixture
def late(db: None) -> Shop:
    """One percent a day of what is late."""
    return make_shop("晚", late_fee_daily_bps=100, late_fee_cap_bps=1000)


def order_paid_late(shop: Shop) -> Order:
    """50.00 and a late fee, by one debit."""
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("50"))
    deduct_due(shop.realm_id, at=NOON)
    orders.mark_overdue(shop.realm_id, at=NOON + timedelta(days=4), limit=9)
    orders.close_days(shop.realm_id, at=NOON + timedelta(days=6), limit=9)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    pay_now(order.id, by=BY, at=LATE)
    assert reload_order(order.id).state == "deducted"
    return order


def amounts_published(order: Order, event: str) -> list[tuple[str, int]]:
    rows = Event.objects.filter(subject_id=order.id, type=event).order_by("sequence")
    return [(row.data["bearer"], row.data["amount"]) for row in rows]


def read_dispute(shop: Shop) -> tuple[str, int, list[int]]:
    """The dispute as the merchant's program reads it."""
    out = dispute_out(dispute_queries.merchant_dispute(shop.merchant.id, Dispute.objects.get()))
    return out.bearer, out.amount, [one.amount for one in out.orders]


@pytest.mark.usefixtures("all_attempted")
def test_each_step_is_published_once_with_the_merchants_liability(late: Shop) -> None:
    order = order_paid_late(late)
    before = balances(late)
    dispute = dispute_at_bank(late, order, "not_received", at=LATE)
    assert dispute.amount_minor > 5_000, "a late fee was in it"
    assert amounts_published(order, "dispute.opened") == [("merchant", 5_000)]
    assert read_dispute(late) == ("merchant", 5_000, [5_000])

    accept_dispute(dispute.id, "merchant", "x", by=BY, at=LATE)
    after = balances(late)
    assert before["payable"] + before["fees"] - after.get("payable", 0) - after.get("fees", 0) == 5_000
    assert amounts_published(order, "dispute.lost") == [("merchant", 5_000)]


def test_disputed_repayment_of_an_advance_is_a_platform_loss(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    row = opened_return(order)
    refuse_return(row.id, "空包裹", by=BY, at=NOON)
    deny_return(row.id, "x", by=BY, at=NOON)
    (made,) = pay_now(order.id, by=BY, at=NOON)
    assert bank_disputes.reverse_debit(made.number, "not_received", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    before = balances(power_bank)["payable"]
    assert (amounts_published(order, "dispute.opened"), read_dispute(power_bank)) == (
        [("platform", 600)],
        ("platform", 600, [600]),
    )

    dispute = accept_dispute(Dispute.objects.get().id, "merchant", "x", by=BY, at=NOON)
    assert (dispute.bearer, amounts_published(order, "dispute.lost")) == ("platform", [("platform", 600)])
    assert (balances(power_bank)["payable"], balances(power_bank)["losses"]) == (before, 600)
