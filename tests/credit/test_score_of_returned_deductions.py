"""Points for a kept promise go with its payment; those for a breach come back once, however often it is returned."""

from datetime import timedelta

import pytest

from billing.channels import bank_disputes
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from credit.models import Profile, ScoreChange
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import latest_deduction_of, paid_order
from tests.browsing import client_for, visible_text
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, state_of, yuan

HOUR = timedelta(hours=1)


def record_of(order: Order) -> tuple[int, int]:
    profile = Profile.objects.get(pk=order.person_id)
    return profile.score, profile.kept_orders


def test_points_of_a_kept_promise_go_with_the_payment(power_bank: Shop) -> None:
    """If it turns out that the order was paid on time after all, they come back once."""
    order = paid_order(power_bank)
    assert record_of(order) == (722, 1)
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=NOON + HOUR)
    assert deliver_callbacks(power_bank.realm_id, at=NOON + HOUR) == 1
    assert record_of(order) == (680, 0)
    browser = client_for(order.person)
    assert visible_text(browser.get("/credit/")).count("守约加的分已收回") == 1
    orders.mark_paid(order.id, NOON, "till", by=BY, at=NOON + 2 * HOUR)
    assert record_of(order) == (722, 1)
    changes = ScoreChange.objects.filter(order_id=order.id).order_by("id").values_list("reason", "delta")
    assert list(changes) == [("kept", 2), ("unkept", -2), ("breached", -40), ("righted", 40), ("kept", 2)]


@pytest.mark.parametrize(("score", "paid", "returned"), [(950, 950, 910), (949, 950, 909), (350, 352, 350)])
def test_as_much_is_withdrawn_as_the_promise_gave(score: int, paid: int, returned: int, power_bank: Shop) -> None:
    """Near the upper bound of the score a kept promise gives fewer points, or none."""
    order = make_due_order(power_bank, make_person(power_bank), yuan("6"))
    Profile.objects.filter(pk=order.person_id).update(score=score)
    deduct_due(power_bank.realm_id, at=NOON)
    assert record_of(order) == (paid, 1)
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=NOON)
    assert deliver_callbacks(power_bank.realm_id, at=NOON) == 1
    assert record_of(order) == (returned, 0)


def test_nobody_raises_their_score_by_having_payments_returned(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    scores = []
    for hours in range(4):
        at = NOON + hours * HOUR
        assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=at)
        assert deliver_callbacks(power_bank.realm_id, at=at) == 1
        assert state_of(order) == "overdue"
        pay_now(order.id, by=BY, at=at)
        assert state_of(order) == "deducted"
        scores.append(Profile.objects.get(pk=order.person_id).score)
    assert scores == [scores[0]] * 4
