"""A promise that is broken again and again is made good once."""

from datetime import timedelta

from billing.channels import bank_returns
from billing.services.callbacks import deliver_callbacks
from billing.services.pay import pay_now
from credit.models import Profile
from tests.billing.bench import deduction_of, paid
from tests.conftest import BY, NOON, Shop, state_of

HOUR = timedelta(hours=1)


def test_nobody_raises_their_score_by_having_payments_returned(power_bank: Shop) -> None:
    order = paid(power_bank)
    scores = []
    for hours in range(4):
        at = NOON + hours * HOUR
        assert bank_returns.take_back(deduction_of(order).number, "no_funds", at=at)
        assert deliver_callbacks(power_bank.realm_id, at=at) == 1
        assert state_of(order) == "overdue"
        pay_now(order.id, by=BY, at=at)
        assert state_of(order) == "deducted"
        scores.append(Profile.objects.get(pk=order.person_id).score)
    assert scores == [scores[0]] * 4
