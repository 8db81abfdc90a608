"""What was planned while the clock stood still is put off by the rest of that alone."""

from datetime import datetime, timedelta

from billing.services.ask import ask_unknown
from billing.services.deduct import deduct_due
from orders import services as orders
from tests.conftest import BY, NOON, Shop, completed, someone, yuan

DAY = timedelta(days=1)


def test_a_plan_made_while_it_stood_still_goes_on_where_it_stood(power_bank: Shop) -> None:
    person = someone(power_bank, "timeout_then_not_paid")
    order = completed(power_bank, person, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    assert order.obligations.get().in_flight
    concern = orders.report_problem(order.id, "wrong_amount", "?", by=BY, at=NOON)
    at = NOON
    while order.obligations.get().in_flight:
        at += timedelta(hours=6)
        ask_unknown(power_bank.realm_id, at=at)
        assert at < NOON + 9 * DAY
    kept = order.obligations.get().plan
    back = NOON + 10 * DAY
    orders.withdraw_concern(concern.id, by=BY, at=back)
    found = [datetime.fromisoformat(one["at"]) for one in order.obligations.get().plan]
    assert found == [datetime.fromisoformat(one["at"]) + (back - NOON) for one in kept]
    assert back < found[0] <= back + DAY
