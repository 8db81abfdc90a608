"""An instrument that came while a debt stood still."""

from datetime import timedelta

from billing.channels.bank import Behaviour
from billing.services.deduct import deduct_due
from billing.services.instruments import Script, add_bank_account, add_instrument, limit_instrument
from orders import services as orders
from tests.billing.bench import taken_from
from tests.conftest import BY, NOON, Shop, completed, someone, state_of, yuan

DAY = timedelta(days=1)


def test_what_stood_still_when_a_new_instrument_came_is_collected_from_it_afterwards(power_bank: Shop) -> None:
    person = someone(power_bank, "hard_decline")
    order = completed(power_bank, person, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    assert order.obligations.get().plan == []
    concern = orders.report_problem(order.id, "wrong_amount", "?", by=BY, at=NOON)
    add_bank_account(person, Script(Behaviour.PAYS), by=BY, at=NOON + DAY)
    orders.withdraw_concern(concern.id, by=BY, at=NOON + 2 * DAY)
    for days in range(2, 60):
        deduct_due(power_bank.realm_id, at=NOON + days * DAY)
    assert state_of(order) == "deducted"


def test_nor_where_more_is_let_through_meanwhile(power_bank: Shop) -> None:
    person = someone(power_bank)
    account = person.instruments.get()
    limit_instrument(person.id, account.id, yuan("1"), None, by=BY, at=NOON)
    order = completed(power_bank, person, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    assert order.obligations.get().plan == []
    concern = orders.report_problem(order.id, "wrong_amount", "?", by=BY, at=NOON)
    limit_instrument(person.id, account.id, yuan("10"), None, by=BY, at=NOON + DAY)
    orders.withdraw_concern(concern.id, by=BY, at=NOON + 2 * DAY)
    for days in range(2, 60):
        deduct_due(power_bank.realm_id, at=NOON + days * DAY)
    assert taken_from(person) == [yuan("6")]


def test_the_same_account_named_again_is_one(power_bank: Shop) -> None:
    person = someone(power_bank)
    first, again = (add_instrument(person, "sandbox", "t-1", "新卡", at=NOON) for _ in range(2))
    assert first == again
    assert person.instruments.filter(token="t-1").count() == 1
