"""The harm of it: money is taken weeks before the day that was agreed."""

from datetime import timedelta

import pytest

from billing import queries as billing
from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.services.deduct import deduct_due
from billing.services.plan import move_next
from orders import queries
from orders import services as orders
from orders.rules import Offer
from tests.billing.bench import taken_from, token_of
from tests.conftest import BY, NOON, Shop, completed, make_shop, someone, yuan

DAY = timedelta(days=1)


@pytest.fixture
def fees(db: None) -> Shop:
    return make_shop("飞鸽", ceiling_minor=200_00, late_fee_daily_bps=50, late_fee_cap_bps=1000)


def test_only_the_part_that_was_moved_is_taken_on_the_day_it_was_moved_to(fees: Shop) -> None:
    order = completed(fees, someone(fees, "no_funds"), yuan("100"))
    deduct_due(fees.realm_id, at=NOON)
    orders.mark_overdue(fees.realm_id, at=NOON + 4 * DAY, limit=9)
    orders.close_days(fees.realm_id, at=NOON + 6 * DAY, limit=9)
    at = NOON + 6 * DAY
    owed = queries.easing_of(order.person_id, order.id, at=at).sums
    concern = orders.ease(order.person_id, order.id, Offer(3, 30), expected=owed, by=BY, at=at)
    first = order.obligations.earliest("due_at")
    policy = billing.policies_at([order.service.retry_policy], at)[order.service.retry_policy]
    day = billing.moves_of(first, policy, zone=first.person.zone, at=at)[1]
    move_next(first.id, day, at=at)
    bank.change_account(token_of(order), Behaviour.PAYS)
    deduct_due(fees.realm_id, at=day)
    assert [money.minor for money in taken_from(order.person)] == [concern.plan["due"][0]["minor"]]
