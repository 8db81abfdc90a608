"""While an order is paused no upcoming attempt is shown; and one deduction counts as one attempt."""

from datetime import timedelta

import pytest

from accounts.models import Notice
from billing.services.deduct import deduct_due
from billing.services.outcome_polling import poll_deductions
from kernel.actor import Actor
from merchants.models import Event
from orders import services as orders
from orders.models import Order
from orders.wire import PlannedAttempt, order_out
from tests.billing.helpers import overdue_with_fees
from tests.billing.test_home_page import home
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, reload_order, yuan

pytestmark = pytest.mark.django_db


def planned_attempts(order: Order) -> list[PlannedAttempt]:
    return order_out(reload_order(order.id), list(order.obligations.all())).collection.next_attempts


def test_a_late_fee_deducted_with_its_debt_is_not_an_attempt_of_its_own(fees: Shop) -> None:
    attempts = planned_attempts(overdue_with_fees(fees))
    assert len(attempts) == len({attempt.at for attempt in attempts}) == 12


def test_no_attempts_are_shown_while_the_order_is_paused(fees: Shop) -> None:
    order = overdue_with_fees(fees)
    orders.pause_order(order.id, "problem_reported", by=BY, at=NOON + timedelta(days=6))
    freeze_clock(NOON + timedelta(days=6), order.person)
    assert planned_attempts(order) == []
    assert "即将扣款" not in home(order.person)
    orders.resume_order(order.id, "problem_reported", by=BY, at=NOON + timedelta(days=7))
    assert len(planned_attempts(order)) == 12


def test_a_failure_during_a_pause_announces_no_next_attempt(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "timeout_then_not_paid"), yuan("12.34"))
    deduct_due(power_bank.realm_id, at=NOON)
    person, at = Actor.person(order.person_id), NOON + timedelta(seconds=1)
    orders.report_problem(order.id, "not_mine", "不是我的", by=person, at=at)
    for seconds in (5, 35, 335, 4_000, 90_000):
        poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=seconds))
    told = Notice.objects.get(stage="debit_failed").body
    assert "订单已暂停，暂停期间不会扣款。" in told
    assert "再次扣款" not in told
    assert Event.objects.get(type="deduction.failed").data["next_attempt_at"] is None
