"""A reported problem stops the clock as soon as something is owed, however it comes to be owed."""

from datetime import timedelta

from billing.channels import bank_returns
from billing.services.callbacks import deliver_callbacks
from billing.services.return_ends import deny_return, refuse_return
from orders import services as orders
from orders.models import Obligation, Pause
from tests.billing.bench import deduction_of, paid
from tests.billing.returning import sent_back
from tests.conftest import BY, NOON, Shop, state_of

DAY = timedelta(days=1)


def test_what_a_channel_takes_back_of_a_reported_order_stands_still(fees: Shop) -> None:
    order = paid(fees, "100")
    orders.report_problem(order.id, "not_received", "?", by=BY, at=NOON)
    assert bank_returns.take_back(deduction_of(order).number, "no_funds", at=NOON)
    assert deliver_callbacks(fees.realm_id, at=NOON) == 1
    assert state_of(order) == "overdue"
    orders.close_days(fees.realm_id, at=NOON + 5 * DAY, limit=10)
    assert not Obligation.objects.filter(order=order, kind="late_fee").exists()
    assert Pause.objects.filter(order=order, reason="problem_reported", ended_at=None).exists()


def test_so_does_what_a_denied_return_leaves(power_bank: Shop) -> None:
    order = paid(power_bank)
    row = sent_back(order)
    orders.report_problem(order.id, "other", "?", by=BY, at=NOON)
    refuse_return(row.id, "空盒", by=BY, at=NOON)
    deny_return(row.id, "空盒", by=BY, at=NOON)
    assert order.obligations.get(kind="advance").paused_at is not None
