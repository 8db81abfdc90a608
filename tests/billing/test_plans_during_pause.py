"""A plan made during a pause is postponed only by the rest of that pause."""

from datetime import datetime, timedelta

from billing.services.deduct import deduct_due
from billing.services.outcome_polling import poll_deductions
from orders import services as orders
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan

DAY = timedelta(days=1)


def test_a_plan_made_during_a_pause_is_shifted_by_the_rest_of_it(power_bank: Shop) -> None:
    person = make_person(power_bank, "timeout_then_not_paid")
    order = make_due_order(power_bank, person, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    assert order.obligations.get().in_flight
    concern = orders.report_problem(order.id, "wrong_amount", "?", by=BY, at=NOON)
    at = NOON
    while order.obligations.get().in_flight:
        at += timedelta(hours=6)
        poll_deductions(power_bank.realm_id, at=at)
        assert at < NOON + 9 * DAY
    kept = order.obligations.get().plan
    back = NOON + 10 * DAY
    orders.withdraw_concern(concern.id, by=BY, at=back)
    found = [datetime.fromisoformat(one["at"]) for one in order.obligations.get().plan]
    assert found == [datetime.fromisoformat(one["at"]) + (back - NOON) for one in kept]
    assert back < found[0] <= back + DAY
