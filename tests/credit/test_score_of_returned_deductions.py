"""Points for a breach are given back only once, however often a payment is returned."""

from datetime import timedelta

from billing.channels import bank_disputes
from billing.services.callbacks import deliver_callbacks
from billing.services.pay import pay_now
from credit.models import Profile
from tests.billing.helpers import latest_deduction_of, paid_order
from tests.conftest import BY, NOON, Shop, state_of

HOUR = timedelta(hours=1)


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
