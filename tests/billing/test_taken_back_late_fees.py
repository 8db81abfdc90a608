"""A debit that paid late fees is taken back, after somebody forgave what was left of them."""

from datetime import timedelta

import pytest

from billing.channels import bank, bank_returns
from billing.models import Dispute
from billing.services import press_disputes as pressing
from billing.services.callbacks import deliver_callbacks
from billing.services.pay import pay_now
from orders import services as orders
from orders.models import Obligation, Order
from tests.billing.bench import deduction_of, paid, token_of
from tests.conftest import BY, NOON, Shop, completed, fresh, make_shop, someone, yuan
from tests.falling import fall

A_DAY = timedelta(days=1)
LATER = NOON + 10 * A_DAY


@pytest.fixture
def late(db: None) -> Shop:
    """A shop with late fees: half a percent a day, a fifth at most."""
    return make_shop("飞鸽", late_fee_daily_bps=50, late_fee_cap_bps=2000, ceiling_minor=50_000)


def forgiven(shop: Shop) -> Order:
    """Overdue, then paid but for the last of its late fee, which was forgiven."""
    order = completed(shop, someone(shop, "no_funds"), yuan("100"))
    for day in range(4, 10):
        fall(shop.realm_id, at=NOON + day * A_DAY, limit=100)
        orders.close_days(shop.realm_id, at=NOON + day * A_DAY, limit=100)
    fee = order.obligations.get(kind="late_fee").amount_minor
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    pay_now(order.id, amount_minor=10_000 + fee - 50, by=BY, at=LATER)
    orders.waive_fees(order.id, "goodwill", by=BY, at=LATER)
    assert fresh(order.id).state == "deducted"
    return order


def taken_back(shop: Shop, order: Order, code: str) -> None:
    assert bank_returns.take_back(deduction_of(order).number, code, at=LATER)
    assert deliver_callbacks(shop.realm_id, at=LATER) == 1


def fee_of(order: Order) -> Obligation:
    return order.obligations.get(kind="late_fee")


def test_what_was_paid_of_a_late_fee_stays_paid_when_the_rest_is_forgiven(late: Shop) -> None:
    order = forgiven(late)
    fee = fee_of(order)
    assert (fee.state, fee.owed.minor, fee.paid_minor) == ("paid", 0, fee.amount_minor)
    assert fee.history.latest("id").kind == "waived"


def test_it_is_owed_again_when_its_debit_bounces_and_what_was_forgiven_is_not(late: Shop) -> None:
    order = forgiven(late)
    had = fee_of(order).paid_minor
    taken_back(late, order, "no_funds")

    assert Dispute.objects.get().state == "lost"
    assert fresh(order.id).state == "overdue"
    assert {row.kind: row.owed.minor for row in order.obligations.all()} == {"principal": 10_000, "late_fee": had}


def test_the_dispute_about_it_can_be_lost_to_the_person(late: Shop) -> None:
    order = forgiven(late)
    taken_back(late, order, "not_authorised")
    pressing.press_disputes(late.realm_id, at=LATER + 7 * A_DAY)
    assert (Dispute.objects.get().state, fresh(order.id).state) == ("lost", "overdue")


def test_a_dispute_that_cannot_be_seen_to_keeps_no_other_waiting(late: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = paid(late, "40"), paid(late, "50")
    for order in (bad, good):
        assert bank_returns.take_back(deduction_of(order).number, "not_received", at=NOON)
    assert deliver_callbacks(late.realm_id, at=NOON) == 2
    poison, real = Dispute.objects.get(deduction=deduction_of(bad)), pressing.disputes.lose

    def trip(dispute: Dispute, *args: object, **more: object) -> None:
        if dispute.id == poison.id:
            raise ZeroDivisionError("poison")
        real(dispute, *args, **more)

    monkeypatch.setattr(pressing.disputes, "lose", trip)
    with pytest.raises(ZeroDivisionError):
        pressing.press_disputes(late.realm_id, at=NOON + 7 * A_DAY)

    assert Dispute.objects.get(deduction=deduction_of(good)).state == "lost"
    poison = Dispute.objects.get(pk=poison.pk)
    assert (poison.state, poison.act_at) == ("open", NOON + 7 * A_DAY + pressing.WAIT), "and it comes again"
