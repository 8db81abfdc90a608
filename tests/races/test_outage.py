"""A channel outage is declared while collection runs: no debt is deducted twice, none is forgotten."""

from functools import partial

import pytest

from billing.services.deduct import deduct_due
from billing.services.outage import apply_outages, begin_outage, end_outage
from billing.services.pay import pay_now
from tests.architecture.test_lock_order import record_locks
from tests.billing.helpers import bank_debits_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, state_of, yuan
from tests.threads import run_concurrently


@pytest.mark.django_db(transaction=True)
def test_pausing_sweeping_paying_and_resuming_at_once_have_one_result(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    owing = [make_due_order(power_bank, make_person(power_bank), yuan("6")) for _ in range(6)]
    begin_outage("sandbox", "银行维护", by=BY, at=NOON)
    sweep = partial(deduct_due, power_bank.realm_id, at=NOON)
    round_ = partial(apply_outages, real=NOON)
    pays = partial(pay_now, owing[0].id, by=BY, at=NOON)
    with record_locks(monkeypatch) as watch:
        round_()
    assert watch.violations == []
    run_concurrently(round_, sweep, round_, sweep, pays)
    assert [state_of(order) for order in owing] == ["deducted"] + ["completed"] * 5
    end_outage("sandbox", "恢复了", by=BY, at=NOON)
    run_concurrently(round_, sweep, round_, sweep)
    sweep()
    assert {state_of(order) for order in owing} == {"deducted"}
    assert [bank_debits_of(order.person) for order in owing] == [[yuan("6")]] * 6
