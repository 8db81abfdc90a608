"""A channel is declared out while everything goes on: no debt is taken twice, none is left standing."""

from functools import partial

import pytest

from billing.services.deduct import deduct_due
from billing.services.outage import begin_outage, end_outage, keep_outages
from billing.services.pay import pay_now
from tests.architecture.test_lock_order import watched
from tests.billing.bench import taken_from
from tests.conftest import BY, NOON, Shop, completed, someone, state_of, yuan
from tests.threads import at_once


@pytest.mark.django_db(transaction=True)
def test_holding_sweeping_paying_and_letting_go_at_once_come_to_one_end(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    owing = [completed(power_bank, someone(power_bank), yuan("6")) for _ in range(6)]
    begin_outage("sandbox", "银行维护", by=BY, at=NOON)
    sweep = partial(deduct_due, power_bank.realm_id, at=NOON)
    round_ = partial(keep_outages, real=NOON)
    pays = partial(pay_now, owing[0].id, by=BY, at=NOON)
    with watched(monkeypatch) as watch:
        round_()
    assert watch.violations == []
    at_once(round_, sweep, round_, sweep, pays)
    assert [state_of(order) for order in owing] == ["deducted"] + ["completed"] * 5
    end_outage("sandbox", "恢复了", by=BY, at=NOON)
    at_once(round_, sweep, round_, sweep)
    sweep()
    assert {state_of(order) for order in owing} == {"deducted"}
    assert [taken_from(order.person) for order in owing] == [[yuan("6")]] * 6
