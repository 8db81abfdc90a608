"""The first page says how much is really taken next, of each debt, and what is owed although nobody asks for it."""

from datetime import timedelta

import pytest

from billing.services.deduct import deduct_due
from orders import services as orders
from orders.rules import Offer
from tests.billing.bench import in_three_parts, late_with_fees
from tests.billing.test_by_hand import denied
from tests.billing.test_home_page import home
from tests.conftest import BY, NOON, Shop, completed, someone, yuan
from tests.visiting import it_is

pytestmark = pytest.mark.django_db
A_DAY = timedelta(days=1)


@pytest.mark.usefixtures("all_asked")
def test_the_next_deduction_is_shown_with_the_late_fee_that_goes_with_it(fees: Shop) -> None:
    order = late_with_fees(fees)
    it_is(NOON + 6 * A_DAY, order.person)
    assert "即将扣款 11月21日周六 10:00 ¥101.00" in home(order.person)
    in_three_parts(order)
    said = home(order.person)
    for part in ("12月26日周六 12:00 ¥33.67", "1月25日周一 12:00 ¥33.67", "2月24日周三 12:00 ¥33.66"):
        assert part in said


def test_what_is_owed_for_a_return_that_did_not_stand_is_among_it_once_it_is_planned(power_bank: Shop) -> None:
    order = denied(power_bank)
    it_is(NOON, order.person)
    assert "即将扣款" not in home(order.person)
    orders.ease(order.person_id, order.id, Offer(2, 14), expected=[yuan("6")], by=BY, at=NOON)
    assert "即将扣款 12月4日周五 12:00 ¥3.00" in home(order.person)


def test_of_a_long_plan_the_parts_that_are_not_shown_are_counted(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "no_funds"), yuan("24"))
    it_is(NOON, order.person)
    asked = orders.ask_for_help(order.person_id, order.id, Offer(12, 30), "慢一点", by=BY, at=NOON)
    orders.grant_ease(asked.id, Offer(12, 30), "好的", by=BY, at=NOON)
    assert "还有 7 笔" in home(order.person)


def test_what_was_given_up_is_not_said_to_be_paid(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "no_funds"), yuan("8"))
    deduct_due(power_bank.realm_id, at=NOON)
    orders.mark_overdue(power_bank.realm_id, at=NOON + 3 * A_DAY, limit=10)
    orders.write_off(order.id, "查无此人", by=BY, at=NOON + 3 * A_DAY)
    it_is(NOON + 3 * A_DAY, order.person)
    said = home(order.person, "en")
    assert "We no longer pursue CN¥8.00 because it has been overdue for a long time. It still counts as overdue" in said
    assert "Nothing due" not in said
    assert "is paid" not in said
