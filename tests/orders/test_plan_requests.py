"""A plan is requested only while something is owed that a plan could be made of."""

from datetime import timedelta

import pytest

from billing.services.deduct import deduct_due
from kernel.actor import Actor
from orders import services as orders
from orders.models import Concern
from orders.refusals import NothingToReschedule
from orders.rules import PlanOffer
from tests.browsing import client_for, visible_text
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan
from tests.unchanged import assert_unchanged

DAY = timedelta(days=1)


def test_no_plan_is_requested_while_nothing_is_owed(power_bank: Shop) -> None:
    lost = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("10"))
    paid = make_due_order(power_bank, make_person(power_bank), yuan("10"))
    deduct_due(power_bank.realm_id, at=NOON)
    orders.mark_overdue(power_bank.realm_id, at=NOON + 4 * DAY, limit=9)
    orders.write_off(lost.id, "x", by=BY, at=NOON + 4 * DAY)
    with assert_unchanged():
        for row in (lost, paid):
            by = Actor.person(row.person_id)
            for order_id in (row.id, None):
                with pytest.raises(NothingToReschedule):
                    orders.request_plan(row.person_id, order_id, PlanOffer(10, 30), "x", by=by, at=NOON + 4 * DAY)


def test_the_page_offers_no_request_while_nothing_is_owed(power_bank: Shop) -> None:
    browser = client_for(make_person(power_bank))
    page = visible_text(browser.get("/hardship/"))
    assert "您目前没有可以分期的欠款" in page
    assert "都不合适" not in page
    form = {"token": "3" * 24, "parts": "3", "every_days": "30", "text": "x"}
    assert browser.post("/hardship/ask", form).status_code == 409
    assert not Concern.objects.exists()
