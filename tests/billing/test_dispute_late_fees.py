"""A debit that paid late fees is disputed after the rest of the fees was waived."""

from datetime import timedelta

import pytest

from billing.channels import bank, bank_disputes
from billing.models import Dispute
from billing.services import dispute_deadlines as pressing
from billing.services.callbacks import deliver_callbacks
from billing.services.pay import pay_now
from orders import services as orders
from orders.models import Obligation, Order
from tests.billing.helpers import latest_deduction_of, paid_order, token_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, reload_order, yuan
from tests.overdue import make_overdue

A_DAY = timedelta(days=1)
LATER = NOON + 10 * A_DAY


@pytest.fixture
def late(db: None) -> Shop:
    """A shop with late fees: half a percent a day, a fifth at most."""
    return make_shop("飞鸽", late_fee_daily_bps=50, late_fee_cap_bps=2000, ceiling_minor=50_000)


def order_with_waived_fees(shop: Shop) -> Order:
    """Overdue, then paid but for the last of its late fee, which was forgiven."""
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("100"))
    for day in range(4, 10):
        make_overdue(shop.realm_id, at=NOON + day * A_DAY, limit=100)
        orders.close_days(shop.realm_id, at=NOON + day * A_DAY, limit=100)
    fee = order.obligations.get(kind="late_fee").amount_minor
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    pay_now(order.id, amount_minor=10_000 + fee - 50, by=BY, at=LATER)
    orders.waive_fees(order.id, "goodwill", by=BY, at=LATER)
    assert reload_order(order.id).state == "deducted"
    return order


def dispute_order(shop: Shop, order: Order, code: str) -> None:
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, code, at=LATER)
    assert deliver_callbacks(shop.realm_id, at=LATER) == 1


def late_fee_of(order: Order) -> Obligation:
    return order.obligations.get(kind="late_fee")


def test_paid_late_fee_stays_paid_when_the_rest_is_waived(late: Shop) -> None:
    order = order_with_waived_fees(late)
    fee = late_fee_of(order)
    assert (fee.state, fee.owed.minor, fee.paid_minor) == ("paid", 0, fee.amount_minor)
    assert fee.history.latest("id").kind == "waived"


def test_disputed_late_fee_is_owed_again_but_the_waived_part_is_not(late: Shop) -> None:
    order = order_with_waived_fees(late)
    had = late_fee_of(order).paid_minor
    dispute_order(late, order, "no_funds")

    assert Dispute.objects.get().state == "lost"
    assert reload_order(order.id).state == "overdue"
    assert {row.kind: row.owed.minor for row in order.obligations.all()} == {"principal": 10_000, "late_fee": had}


def test_dispute_of_a_paid_late_fee_can_make_the_person_liable(late: Shop) -> None:
    order = order_with_waived_fees(late)
    dispute_order(late, order, "not_authorised")
    pressing.process_due_disputes(late.realm_id, at=LATER + 7 * A_DAY)
    assert (Dispute.objects.get().state, reload_order(order.id).state) == ("lost", "overdue")


def test_a_failing_dispute_does_not_stop_the_others(late: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = paid_order(late, "40"), paid_order(late, "50")
    for order in (bad, good):
        assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "not_received", at=NOON)
    assert deliver_callbacks(late.realm_id, at=NOON) == 2
    poison, real = Dispute.objects.get(deduction=latest_deduction_of(bad)), pressing.disputes.mark_lost

    def trip(dispute: Dispute, *args: object, **more: object) -> None:
        if dispute.id == poison.id:
            raise ZeroDivisionError("poison")
        real(dispute, *args, **more)

    monkeypatch.setattr(pressing.disputes, "mark_lost", trip)
    with pytest.raises(ZeroDivisionError):
        pressing.process_due_disputes(late.realm_id, at=NOON + 7 * A_DAY)

    assert Dispute.objects.get(deduction=latest_deduction_of(good)).state == "lost"
    poison = Dispute.objects.get(pk=poison.pk)
    assert (poison.state, poison.act_at) == ("open", NOON + 7 * A_DAY + pressing.RETRY_AFTER), "and it comes again"
