"""Paused days do not count towards the retry days."""

from datetime import timedelta

import pytest

from billing.services.deduct import deduct_due
from orders import services as orders
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan

DAY = timedelta(days=1)


@pytest.mark.parametrize("stood", [0, 40, 100])
def test_a_paused_debt_gets_as_many_retries_as_any_other(power_bank: Shop, stood: int) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    concern = orders.report_problem(order.id, "wrong_amount", "?", by=BY, at=NOON)
    back = NOON + stood * DAY
    orders.withdraw_concern(concern.id, by=BY, at=back)
    assert deduct_due(power_bank.realm_id, at=back) == 1
    row = order.obligations.get()
    assert row.attempts == 1
    assert len(row.plan) == 12
    assert row.collect_at <= back + 2 * DAY
