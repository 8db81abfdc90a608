"""A clock that a return stopped goes on when the return is over, however it ended."""

from datetime import timedelta
from typing import Any

import pytest

from billing.channels import Taken, bank, bank_returns
from billing.models import Case, Deduction, RefundPart
from billing.services import cases
from billing.services.callbacks import deliver_callbacks
from billing.services.movements import MovementReport
from billing.services.pay import pay_now
from billing.services.return_ends import bear_return, deny_return, refuse_return
from billing.services.settle_parts import PARTS
from orders.models import Pause
from tests.billing.bench import token_of
from tests.billing.returning import now, sent_back
from tests.conftest import BY, NOON, Shop, completed, someone, state_of, yuan

pytestmark = pytest.mark.breaks_the_house
DAY = timedelta(days=1)


@pytest.mark.parametrize("end", [deny_return, bear_return])
def test_it_goes_on_where_the_money_went_ahead_after_all(power_bank: Shop, end: Any) -> None:
    order = completed(power_bank, someone(power_bank), yuan("10"), due_at=NOON + DAY)
    pay_now(order.id, amount_minor=400, by=BY, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    assert state_of(order) == "deducted"
    bank.change_account(token_of(order), bank.Behaviour.HARD_DECLINE)
    row = sent_back(order)
    assert now(row).state == "advanced"
    assert set(RefundPart.objects.values_list("state", flat=True)) == {"failed"}
    first = Deduction.objects.earliest("id")
    assert bank_returns.take_back(first.number, "no_funds", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    assert Pause.objects.filter(order=order, reason="return_under_way", ended_at=None).exists()
    part = RefundPart.objects.get(taken__deduction=Deduction.objects.latest("id"))
    PARTS.settle_all([MovementReport(part.id, Taken("late", part.amount), "callback")], by=BY, at=NOON)
    cases.close_case(Case.objects.get(kind="refunded_after_failure").id, "ahead", "x", by=BY, at=NOON)
    refuse_return(row.id, "x", by=BY, at=NOON)
    end(row.id, "x", by=BY, at=NOON)
    assert not Pause.objects.filter(order=order, ended_at=None).exists()
    assert not order.obligations.filter(paused_at__isnull=False).exists()
