"""Retries stay the policy's number of days after the due time, however often the order was paused."""

from datetime import datetime, timedelta

import pytest

from billing.planning import Policy
from billing.services.deduct import deduct_due
from billing.services.outcome_polling import poll_deductions
from orders import services as orders
from orders.models import Obligation, Order
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
STOOD = 20 * DAY


def paused_order(shop: Shop, behaviour: str) -> Order:
    """An order due at noon and paused for twenty days before the first attempt."""
    order = make_due_order(shop, make_person(shop, behaviour), yuan("60"))
    orders.pause_order(order.id, "problem_reported", by=BY, at=NOON)
    orders.resume_order(order.id, "problem_reported", by=BY, at=NOON + STOOD)
    return order


def days_after(moment: datetime, row: Obligation) -> list[int]:
    return [(datetime.fromisoformat(one["at"]).date() - moment.date()).days for one in row.plan]


def test_a_failure_in_a_second_pause_is_planned_after_both(power_bank: Shop) -> None:
    order = paused_order(power_bank, "timeout_then_not_paid")
    deduct_due(power_bank.realm_id, at=NOON + STOOD)
    at = NOON + STOOD
    orders.pause_order(order.id, "return_under_way", by=BY, at=at)
    while order.obligations.get().in_flight:
        at += timedelta(hours=6)
        poll_deductions(power_bank.realm_id, at=at)
    orders.resume_order(order.id, "return_under_way", by=BY, at=NOON + STOOD + 10 * DAY)
    row = order.obligations.get()
    retries = [one for one in row.plan if one["reason"].startswith("retry_")]
    assert [one["reason"] for one in retries] == [f"retry_{day}d" for day in Policy().retry_days]
    late = zip(days_after(NOON + STOOD + 10 * DAY, row)[-len(retries) :], Policy().retry_days, strict=True)
    assert {found - day for found, day in late} <= {0, 1}  # ten days later than without the second pause


@pytest.mark.usefixtures("all_attempted")
def test_a_late_fee_is_retried_with_its_debt(fees: Shop) -> None:
    order = paused_order(fees, "no_funds")
    deduct_due(fees.realm_id, at=NOON + STOOD)
    orders.mark_overdue(fees.realm_id, at=NOON + STOOD + 3 * DAY, limit=9)
    orders.close_days(fees.realm_id, at=NOON + STOOD + 30 * DAY, limit=9)  # the fee is at its highest
    deduct_due(fees.realm_id, at=NOON + STOOD + 30 * DAY)
    debt, fee = (order.obligations.get(kind=kind) for kind in ("principal", "late_fee"))
    assert fee.attempts == 1
    assert [one["at"] for one in fee.plan] == [one["at"] for one in debt.plan]
