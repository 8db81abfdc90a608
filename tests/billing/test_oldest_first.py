"""What is paid by hand goes to the oldest debt."""

from datetime import timedelta

import pytest

from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from orders import queries
from orders import services as orders
from orders.rules import Offer
from tests.billing.bench import token_of
from tests.conftest import BY, NOON, Shop, completed, make_shop, someone, state_of, yuan

DAY = timedelta(days=1)


@pytest.fixture
def fees(db: None) -> Shop:
    return make_shop("飞鸽", ceiling_minor=200_00, late_fee_daily_bps=50, late_fee_cap_bps=1000)


def test_who_pays_exactly_what_is_late_of_a_plan_is_late_no_more(fees: Shop) -> None:
    order = completed(fees, someone(fees, "no_funds"), yuan("100"))
    deduct_due(fees.realm_id, at=NOON)
    orders.mark_overdue(fees.realm_id, at=NOON + 4 * DAY, limit=9)
    orders.close_days(fees.realm_id, at=NOON + 6 * DAY, limit=9)
    at = NOON + 6 * DAY
    owed = queries.easing_of(order.person_id, order.id, at=at).sums
    orders.ease(order.person_id, order.id, Offer(3, 30), expected=owed, by=BY, at=at)
    for days in (36, 66):
        deduct_due(fees.realm_id, at=NOON + days * DAY)
    orders.mark_overdue(fees.realm_id, at=NOON + 39 * DAY, limit=9)
    assert state_of(order) == "overdue"
    late = sum(row.owed.minor for row in order.obligations.filter(state="overdue"))
    bank.change_account(token_of(order), Behaviour.PAYS)
    first = order.obligations.get(state="overdue")
    assert first.kind == "principal"
    pay_now(order.id, amount_minor=late, by=BY, at=NOON + 39 * DAY)
    assert state_of(order) == "completed"
    orders.mark_overdue(fees.realm_id, at=NOON + 69 * DAY, limit=9)
    assert state_of(order) == "overdue"
    late = sum(row.owed.minor for row in order.obligations.filter(state="overdue"))
    pay_now(order.id, amount_minor=late, by=BY, at=NOON + 69 * DAY)
    assert state_of(order) == "completed"
