"""An instrument added while a debt was paused."""

from datetime import timedelta

from billing.channels.bank import Behaviour
from billing.services.deduct import deduct_due
from billing.services.instruments import Script, add_bank_account, add_instrument, set_instrument_limits
from orders import services as orders
from tests.billing.helpers import bank_debits_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, state_of, yuan

DAY = timedelta(days=1)


def test_a_debt_paused_when_an_instrument_was_added_is_collected_later(power_bank: Shop) -> None:
    person = make_person(power_bank, "hard_decline")
    order = make_due_order(power_bank, person, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    assert order.obligations.get().plan == []
    concern = orders.report_problem(order.id, "wrong_amount", "?", by=BY, at=NOON)
    add_bank_account(person, Script(Behaviour.PAYS), by=BY, at=NOON + DAY)
    orders.withdraw_concern(concern.id, by=BY, at=NOON + 2 * DAY)
    for days in range(2, 60):
        deduct_due(power_bank.realm_id, at=NOON + days * DAY)
    assert state_of(order) == "deducted"


def test_a_debt_paused_when_limits_were_raised_is_collected_later(power_bank: Shop) -> None:
    person = make_person(power_bank)
    account = person.instruments.get()
    set_instrument_limits(person.id, account.id, yuan("1"), None, by=BY, at=NOON)
    order = make_due_order(power_bank, person, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    assert order.obligations.get().plan == []
    concern = orders.report_problem(order.id, "wrong_amount", "?", by=BY, at=NOON)
    set_instrument_limits(person.id, account.id, yuan("10"), None, by=BY, at=NOON + DAY)
    orders.withdraw_concern(concern.id, by=BY, at=NOON + 2 * DAY)
    for days in range(2, 60):
        deduct_due(power_bank.realm_id, at=NOON + days * DAY)
    assert bank_debits_of(person) == [yuan("6")]


def test_adding_the_same_account_twice_adds_one_instrument(power_bank: Shop) -> None:
    person = make_person(power_bank)
    first, again = (add_instrument(person, "sandbox", "t-1", "新卡", at=NOON) for _ in range(2))
    assert first == again
    assert person.instruments.filter(token="t-1").count() == 1
