"""A reported problem pauses the order as soon as something is owed, for whatever reason."""

from datetime import timedelta

from billing.channels import bank_disputes
from billing.services.callbacks import deliver_callbacks
from billing.services.return_decisions import deny_return, refuse_return
from orders import services as orders
from orders.models import Obligation, Pause
from tests.billing.helpers import latest_deduction_of, paid_order
from tests.billing.return_helpers import opened_return
from tests.conftest import BY, NOON, Shop, state_of

DAY = timedelta(days=1)


def test_a_returned_deduction_of_a_reported_order_is_paused(fees: Shop) -> None:
    order = paid_order(fees, "100")
    orders.report_problem(order.id, "not_received", "?", by=BY, at=NOON)
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=NOON)
    assert deliver_callbacks(fees.realm_id, at=NOON) == 1
    assert state_of(order) == "overdue"
    orders.close_days(fees.realm_id, at=NOON + 5 * DAY, limit=10)
    assert not Obligation.objects.filter(order=order, kind="late_fee").exists()
    assert Pause.objects.filter(order=order, reason="problem_reported", ended_at=None).exists()


def test_a_rejected_return_of_a_reported_order_is_paused(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    row = opened_return(order)
    orders.report_problem(order.id, "other", "?", by=BY, at=NOON)
    refuse_return(row.id, "空盒", by=BY, at=NOON)
    deny_return(row.id, "空盒", by=BY, at=NOON)
    assert order.obligations.get(kind="advance").paused_at is not None
