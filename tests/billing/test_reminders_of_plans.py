"""What a person who pays by a plan hears of: each part as it is taken, and nothing any more of what was late."""

from datetime import timedelta
from time import monotonic

import pytest

from accounts.models import Notice
from billing.channels import bank
from billing.services.deduct import deduct_due
from billing.services.passing import Passing
from billing.services.pay import pay_now
from billing.services.remind import remind_due
from kernel.money import Money
from orders import services as orders
from orders.models import Order
from orders.rules import Offer
from tests.billing.bench import in_three_parts, late_with_fees, taken_from, token_of
from tests.conftest import BY, NOON, Shop, yuan

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def announced_and_taken(shop: Shop, order: Order, *days: int) -> tuple[list[str], list[Money]]:
    """The amounts that were announced the day before each of these days, and what was taken on them."""
    before = len(taken_from(order.person))
    for day in days:
        remind_due(shop.realm_id, at=NOON + (day - 1) * DAY)
        deduct_due(shop.realm_id, at=NOON + day * DAY)
    told = Notice.objects.filter(person_id=order.person_id, stage="debit_planned").order_by("id")
    amounts = [notice.body.partition("¥")[2].partition(" ")[0] for notice in told]
    return amounts, taken_from(order.person)[before:]


@pytest.mark.usefixtures("all_asked")
def test_each_part_of_a_plan_is_announced_with_what_is_taken_then(fees: Shop) -> None:
    order = late_with_fees(fees)
    in_three_parts(order)
    bank.change_account(token_of(order), bank.Behaviour("pays"))
    announced, taken = announced_and_taken(fees, order, 36, 66, 96)
    assert announced == ["33.67", "33.67", "33.66"]  # the fee of ¥1.00 is in the last part alone
    assert taken == [yuan(amount) for amount in announced]


def with_a_fee_of_its_own_days(shop: Shop) -> Order:
    """Of what is left ¥0.50 is for what was used, due in a week, and ¥1.00 is a fee, due in two weeks and three."""
    order = late_with_fees(shop)
    at = NOON + 6 * DAY
    bank.change_account(token_of(order), bank.Behaviour("pays"))
    pay_now(order.id, amount_minor=9_950, by=BY, at=at)
    asked = orders.ask_for_help(order.person_id, order.id, Offer(3, 7), "慢一点", by=BY, at=at)
    orders.grant_ease(asked.id, Offer(3, 7), "好的", by=BY, at=at)
    return order


@pytest.mark.usefixtures("all_asked")
def test_a_late_fee_that_has_a_part_of_its_own_is_announced(fees: Shop) -> None:
    order = with_a_fee_of_its_own_days(fees)
    announced, taken = announced_and_taken(fees, order, 13, 20, 27)
    assert announced == ["0.50", "0.50", "0.50"]
    assert taken == [yuan(amount) for amount in announced]


def test_a_clock_that_is_moved_on_meets_the_same_moments(fees: Shop) -> None:
    order = with_a_fee_of_its_own_days(fees)
    days = Passing(fees.realm_id, lambda moment: moment)
    assert days.live(NOON + 6 * DAY, NOON + 30 * DAY, until=monotonic() + 60)
    told = Notice.objects.filter(person_id=order.person_id, stage="debit_planned").order_by("id")
    assert [notice.at for notice in told] == [NOON + day * DAY for day in (12, 19, 26)]
    assert days.work["remind"] < 20  # nothing is looked for again and again
