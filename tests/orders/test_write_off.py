"""Write-offs: the debt becomes a loss in the ledger, and the person may still pay it."""

from datetime import datetime, timedelta

import pytest

from accounts.models import Person
from billing.channels import bank
from billing.services.deduct import deduct_due
from billing.services.instruments import add_instrument
from billing.services.pay import collect_now, pay_all, pay_now
from billing.services.reminders import remind_all
from credit import services as credit
from kernel.refusal import Refusal
from ledger.accounts import LOSSES, RECOVERIES, payable, pending, receivable
from ledger.queries import balance
from merchants.models import Event
from orders import services as orders
from orders.models import Obligation, Order
from orders.refusals import OrderState, WrittenOff
from tests.billing.helpers import balances, bank_debits_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, reload_order, state_of, yuan
from tests.overdue import make_overdue
from tests.unchanged import assert_unchanged

LATE = NOON + timedelta(days=10)
pytestmark = pytest.mark.django_db


def overdue(shop: Shop, person: Person, amount: str = "6") -> Order:
    """A debt that could not be collected, long past its grace."""
    order = make_due_order(shop, person, yuan(amount))
    deduct_due(shop.realm_id, at=NOON)
    make_overdue(shop.realm_id, at=LATE, limit=9)
    assert state_of(order) == "overdue"
    return reload_order(order.id)


def revive(person: Person, at: datetime = LATE) -> None:
    """Give the person a working card and drop the plan: they pay by themselves."""
    card = add_instrument(person, "sandbox", f"{person.realm_id}:new-{person.id.hex}", "新卡", at=at)
    bank.open_account(card.token, bank.Behaviour.PAYS)


@pytest.mark.parametrize("funding", ["on_collection", "advance"])
def test_a_write_off_is_booked_to_whoever_took_the_risk(funding: str) -> None:
    shop = make_shop("风险", funding=funding, fee_bps=100)
    person = make_person(shop, "hard_decline")
    order = overdue(shop, person)

    lost = orders.write_off(order.id, "查无此人", by=BY, at=LATE)

    row = Obligation.objects.get(order=order)
    assert (lost.state, row.state, row.written_off_minor, row.plan) == ("overdue", "written_off", 600, [])
    stand = balances(shop)
    if funding == "advance":
        assert stand == {"losses": 600, "payable": 594, "fees": 6}
    else:
        assert stand == {}
    assert Event.objects.filter(subject_id=order.id).latest("sequence").type == "obligation.written_off"
    person.profile.refresh_from_db()
    assert (person.profile.outstanding_minor, person.profile.overdue_orders) == (0, 1)
    with assert_unchanged():
        orders.write_off(order.id, "查无此人", by=BY, at=LATE + timedelta(days=1))


def test_a_written_off_debt_is_not_collected(power_bank: Shop) -> None:
    person = make_person(power_bank, "no_funds")
    order = overdue(power_bank, person)
    orders.write_off(order.id, "x", by=BY, at=LATE)
    later = LATE + timedelta(days=40)

    with assert_unchanged():
        assert deduct_due(power_bank.realm_id, at=later) == 0
        assert orders.close_days(power_bank.realm_id, at=later, limit=9) == 0
        assert remind_all(power_bank.realm_id, at=later) == 0
        with pytest.raises(WrittenOff):
            collect_now(order.id, by=BY, at=later)
        for refused in (
            lambda: orders.cancel_order(order.id, "x", by=BY, at=later),
            lambda: orders.reduce_total(order.id, 100, "x", by=BY, at=later),
            lambda: orders.mark_paid(order.id, NOON, "till", by=BY, at=later),
        ):
            with pytest.raises(WrittenOff):
                refused()


@pytest.mark.parametrize("funding", ["on_collection", "advance"])
def test_a_later_payment_is_a_recovery_and_clears_the_person(funding: str) -> None:
    shop = make_shop("回收", funding=funding, fee_bps=100)
    person = make_person(shop, "hard_decline")
    order = overdue(shop, person)
    orders.write_off(order.id, "x", by=BY, at=LATE)
    revive(person)
    assert deduct_due(shop.realm_id, at=LATE) == 0

    pay_now(order.id, amount_minor=250, by=BY, at=LATE)
    assert (state_of(order), Obligation.objects.get(order=order).state) == ("overdue", "written_off")
    pay_all(person.id, by=BY, at=LATE)

    row = Obligation.objects.get(order=order)
    assert (state_of(order), row.state, row.paid_minor, row.written_off_minor) == ("deducted", "paid", 600, 600)
    how = {"realm_id": shop.realm_id, "currency": "CNY"}
    assert balance(receivable(person.id), **how).minor == balance(pending(shop.merchant.id), **how).minor == 0
    assert balance(payable(shop.merchant.id), **how).minor == 594
    ours = 600 if funding == "advance" else 0
    assert (balance(LOSSES, **how).minor, balance(RECOVERIES, **how).minor) == (ours, ours)
    person.profile.refresh_from_db()
    assert (person.profile.outstanding_minor, person.profile.overdue_orders) == (0, 0)


def test_part_paid_before_only_the_rest_is_lost_and_late_fees_with_it() -> None:
    shop = make_shop("滞纳", late_fee_daily_bps=100, late_fee_cap_bps=5000)
    person = make_person(shop, "partial_balance", balance_minor=200)
    order = make_due_order(shop, person, yuan("10"))
    pay_now(order.id, amount_minor=200, by=BY, at=NOON)
    make_overdue(shop.realm_id, at=LATE, limit=9)
    orders.close_days(shop.realm_id, at=LATE + timedelta(days=5), limit=9)

    orders.write_off(order.id, "x", by=BY, at=LATE + timedelta(days=5))

    rows = Obligation.objects.filter(order=order).order_by("sequence")
    assert [(row.kind, row.state, row.paid_minor, row.written_off_minor) for row in rows] == [
        ("principal", "written_off", 200, 800),
        ("late_fee", "written_off", 0, 40),
    ]
    stand = balances(shop)
    assert (stand.get("receivable"), stand["losses"], stand["late_fees"]) == (None, 40, 40)
    assert bank_debits_of(person) == [yuan("2")]


def test_only_overdue_debts_that_are_not_paused_are_written_off(power_bank: Shop) -> None:
    person = make_person(power_bank, "no_funds")
    order = make_due_order(power_bank, person, yuan("6"))
    with assert_unchanged(), pytest.raises(OrderState):
        orders.write_off(order.id, "x", by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    make_overdue(power_bank.realm_id, at=LATE, limit=9)
    orders.pause_order(order.id, "problem_reported", by=BY, at=LATE)
    with assert_unchanged(), pytest.raises(OrderState):
        orders.write_off(order.id, "x", by=BY, at=LATE)
    orders.resume_order(order.id, "problem_reported", by=BY, at=LATE)
    orders.write_off(order.id, "x", by=BY, at=LATE)


def test_the_agreement_lasts_until_the_debt_is_recovered(power_bank: Shop) -> None:
    person = make_person(power_bank, "hard_decline")
    order = overdue(power_bank, person)
    orders.write_off(order.id, "x", by=BY, at=LATE)
    credit.stop_agreement(order.agreement_id, by=BY, at=LATE)
    order.agreement.refresh_from_db(fields=["live_orders"])
    assert order.agreement.live_orders == 1
    revive(person)

    pay_now(order.id, by=BY, at=LATE)

    assert type(order.agreement).objects.get(pk=order.agreement_id).state == "terminated"
    with pytest.raises(Refusal):
        pay_now(order.id, by=BY, at=LATE)
