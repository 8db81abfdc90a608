"""While an order's clock stands still nobody is told of attempts to come; and what is one debit is one attempt."""

from datetime import timedelta

import pytest

from accounts.models import Notice
from billing.services.ask import ask_unknown
from billing.services.deduct import deduct_due
from kernel.actor import Actor
from merchants.models import Event
from orders import services as orders
from orders.models import Order
from orders.wire import PlannedAttempt, order_out
from tests.billing.bench import late_with_fees
from tests.billing.test_home_page import home
from tests.conftest import BY, NOON, Shop, completed, fresh, someone, yuan
from tests.visiting import it_is

pytestmark = pytest.mark.django_db


def coming(order: Order) -> list[PlannedAttempt]:
    return order_out(fresh(order.id), list(order.obligations.all())).collection.next_attempts


def test_a_late_fee_that_is_taken_with_its_debt_is_no_attempt_of_its_own(fees: Shop) -> None:
    attempts = coming(late_with_fees(fees))
    assert len(attempts) == len({attempt.at for attempt in attempts}) == 12


def test_no_attempt_is_told_of_while_the_clock_stands_still(fees: Shop) -> None:
    order = late_with_fees(fees)
    orders.pause_order(order.id, "problem_reported", by=BY, at=NOON + timedelta(days=6))
    it_is(NOON + timedelta(days=6), order.person)
    assert coming(order) == []
    assert "即将扣款" not in home(order.person)
    orders.resume_order(order.id, "problem_reported", by=BY, at=NOON + timedelta(days=7))
    assert len(coming(order)) == 12


def test_what_fails_after_its_clock_was_stopped_is_not_said_to_be_tried_again_then(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "timeout_then_not_paid"), yuan("12.34"))
    deduct_due(power_bank.realm_id, at=NOON)
    person, at = Actor.person(order.person_id), NOON + timedelta(seconds=1)
    orders.report_problem(order.id, "not_mine", "不是我的", by=person, at=at)
    for seconds in (5, 35, 335, 4_000, 90_000):
        ask_unknown(power_bank.realm_id, at=NOON + timedelta(seconds=seconds))
    told = Notice.objects.get(stage="debit_failed").body
    assert "订单已暂停，暂停期间不会扣款。" in told
    assert "再次扣款" not in told
    assert Event.objects.get(type="deduction.failed").data["next_attempt_at"] is None
