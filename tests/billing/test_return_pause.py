"""An order paused by a return is resumed when the return ends, in whatever way."""

from datetime import timedelta
from typing import Any

import pytest

from billing.channels import Succeeded, bank, bank_disputes
from billing.models import Case, Deduction, RefundPart
from billing.services import cases
from billing.services.callbacks import deliver_callbacks
from billing.services.movements import MovementReport
from billing.services.pay import pay_now
from billing.services.refund_outcomes import REFUND_PARTS
from billing.services.return_decisions import absorb_return, deny_return, refuse_return
from orders.models import Pause
from tests.billing.helpers import token_of
from tests.billing.return_helpers import opened_return, reloaded
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, state_of, yuan

pytestmark = pytest.mark.breaks_invariants
DAY = timedelta(days=1)


@pytest.mark.parametrize("end", [deny_return, absorb_return])
def test_order_resumes_when_the_early_refund_was_paid_after_failure(power_bank: Shop, end: Any) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("10"), due_at=NOON + DAY)
    pay_now(order.id, amount_minor=400, by=BY, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    assert state_of(order) == "deducted"
    bank.change_account(token_of(order), bank.Behaviour.HARD_DECLINE)
    row = opened_return(order)
    assert reloaded(row).state == "advanced"
    assert set(RefundPart.objects.values_list("state", flat=True)) == {"failed"}
    first = Deduction.objects.earliest("id")
    assert bank_disputes.reverse_debit(first.number, "no_funds", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    assert Pause.objects.filter(order=order, reason="return_under_way", ended_at=None).exists()
    part = RefundPart.objects.get(taken__deduction=Deduction.objects.latest("id"))
    REFUND_PARTS.settle_all([MovementReport(part.id, Succeeded("late", part.amount), "callback")], by=BY, at=NOON)
    cases.close_case(Case.objects.get(kind="refunded_after_failure").id, "ahead", "x", by=BY, at=NOON)
    refuse_return(row.id, "x", by=BY, at=NOON)
    end(row.id, "x", by=BY, at=NOON)
    assert not Pause.objects.filter(order=order, ended_at=None).exists()
    assert not order.obligations.filter(paused_at__isnull=False).exists()
