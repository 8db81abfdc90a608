"""What merchants read of money that was taken back is what they bear: late fees and our own advances are not theirs."""

from datetime import timedelta

import pytest

from billing import disputed
from billing.channels import bank, bank_returns
from billing.models import Dispute
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.disputes import accept_dispute
from billing.services.pay import pay_now
from billing.services.return_ends import deny_return, refuse_return
from billing.wire import dispute_out
from merchants.models import Event
from orders import services as orders
from orders.models import Order
from tests.billing.bench import balances, paid, token_of
from tests.billing.returning import sent_back
from tests.billing.test_disputes import bank_takes_back
from tests.conftest import BY, NOON, Shop, completed, fresh, make_shop, someone, yuan

LATE = NOON + timedelta(days=7)


@pytest.fixture
def late(db: None) -> Shop:
    """One percent a day of what is late."""
    return make_shop("晚", late_fee_daily_bps=100, late_fee_cap_bps=1000)


def paid_late(shop: Shop) -> Order:
    """50.00 and a late fee, by one debit."""
    order = completed(shop, someone(shop, "no_funds"), yuan("50"))
    deduct_due(shop.realm_id, at=NOON)
    orders.mark_overdue(shop.realm_id, at=NOON + timedelta(days=4), limit=9)
    orders.close_days(shop.realm_id, at=NOON + timedelta(days=6), limit=9)
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    pay_now(order.id, by=BY, at=LATE)
    assert fresh(order.id).state == "deducted"
    return order


def told(order: Order, event: str) -> list[tuple[str, int]]:
    rows = Event.objects.filter(subject_id=order.id, type=event).order_by("sequence")
    return [(row.data["bearer"], row.data["amount"]) for row in rows]


def read(shop: Shop) -> tuple[str, int, list[int]]:
    """The dispute as the merchant's program reads it."""
    out = dispute_out(disputed.part_of(shop.merchant.id, Dispute.objects.get()))
    return out.bearer, out.amount, [one.amount for one in out.orders]


@pytest.mark.usefixtures("all_asked")
def test_each_step_is_told_once_of_an_order_and_a_merchant_reads_what_they_bear(late: Shop) -> None:
    order = paid_late(late)
    before = balances(late)
    dispute = bank_takes_back(late, order, "not_received", at=LATE)
    assert dispute.amount_minor > 5_000, "a late fee was in it"
    assert told(order, "dispute.opened") == [("merchant", 5_000)]
    assert read(late) == ("merchant", 5_000, [5_000])

    accept_dispute(dispute.id, "merchant", "x", by=BY, at=LATE)
    after = balances(late)
    assert before["payable"] + before["fees"] - after.get("payable", 0) - after.get("fees", 0) == 5_000
    assert told(order, "dispute.lost") == [("merchant", 5_000)]


def test_what_was_paid_again_of_an_advance_is_ours_to_lose_whoever_was_meant(power_bank: Shop) -> None:
    order = paid(power_bank)
    row = sent_back(order)
    refuse_return(row.id, "空包裹", by=BY, at=NOON)
    deny_return(row.id, "x", by=BY, at=NOON)
    (made,) = pay_now(order.id, by=BY, at=NOON)
    assert bank_returns.take_back(made.number, "not_received", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    before = balances(power_bank)["payable"]
    assert (told(order, "dispute.opened"), read(power_bank)) == ([("platform", 600)], ("platform", 600, [600]))

    dispute = accept_dispute(Dispute.objects.get().id, "merchant", "x", by=BY, at=NOON)
    assert (dispute.bearer, told(order, "dispute.lost")) == ("platform", [("platform", 600)])
    assert (balances(power_bank)["payable"], balances(power_bank)["losses"]) == (before, 600)
