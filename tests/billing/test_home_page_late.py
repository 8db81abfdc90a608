"""The home page with late fees, long plans, denied returns and written-off debts."""

from datetime import timedelta

import pytest

from billing.services.deduct import deduct_due
from orders import services as orders
from orders.rules import PlanOffer
from tests.billing.helpers import agree_three_instalments, overdue_with_fees
from tests.billing.test_home_page import home
from tests.billing.test_reopened_debts import order_with_denied_return
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan

pytestmark = pytest.mark.django_db
A_DAY = timedelta(days=1)


@pytest.mark.usefixtures("all_attempted")
def test_the_next_deduction_is_shown_with_the_late_fee_that_goes_with_it(fees: Shop) -> None:
    order = overdue_with_fees(fees)
    freeze_clock(NOON + 6 * A_DAY, order.person)
    assert "即将扣款 11月21日周六 10:00 ¥101.00" in home(order.person)
    agree_three_instalments(order)
    said = home(order.person)
    for part in ("12月26日周六 12:00 ¥33.67", "1月25日周一 12:00 ¥33.67", "2月24日周三 12:00 ¥33.66"):
        assert part in said


def test_a_debt_of_a_denied_return_is_shown_once_it_is_planned(power_bank: Shop) -> None:
    order = order_with_denied_return(power_bank)
    freeze_clock(NOON, order.person)
    assert "即将扣款" not in home(order.person)
    orders.choose_plan(order.person_id, order.id, PlanOffer(2, 14), expected=[yuan("6")], by=BY, at=NOON)
    assert "即将扣款 12月4日周五 12:00 ¥3.00" in home(order.person)


def test_instalments_that_are_not_shown_are_counted(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("24"))
    freeze_clock(NOON, order.person)
    asked = orders.request_plan(order.person_id, order.id, PlanOffer(12, 30), "慢一点", by=BY, at=NOON)
    orders.grant_plan(asked.id, PlanOffer(12, 30), "好的", by=BY, at=NOON)
    assert "还有 7 笔" in home(order.person)


def test_a_written_off_debt_is_not_shown_as_paid(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("8"))
    deduct_due(power_bank.realm_id, at=NOON)
    orders.mark_overdue(power_bank.realm_id, at=NOON + 3 * A_DAY, limit=10)
    orders.write_off(order.id, "查无此人", by=BY, at=NOON + 3 * A_DAY)
    freeze_clock(NOON + 3 * A_DAY, order.person)
    said = home(order.person, "en")
    assert "We no longer pursue CN¥8.00 because it has been overdue for a long time. It still counts as overdue" in said
    assert "Nothing due" not in said
    assert "You cannot place new orders until it is paid." in said
    browser = client_for(order.person)
    assert "逾期已久，仍可付清 · 立即支付 ¥8.00" in visible_text(browser.get("/credit/"))
    assert "付清前不能下新订单" in home(order.person)
    wish = orders.OrderRequest(agreement_id=order.agreement_id, out_order_no="N1", title="x", currency="CNY")
    assert orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON + 3 * A_DAY).order is None
