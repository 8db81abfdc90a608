"""The notices of a person with a payment plan: each part as it is deducted, and none for what was overdue before."""

from datetime import timedelta
from time import monotonic

import pytest

from accounts.models import Notice, User
from billing.channels import bank
from billing.models import Instrument
from billing.services.clock_advance import SweepRunner
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from billing.services.reminders import remind_all
from kernel.money import Money
from orders import services as orders
from orders.models import Order
from orders.rules import PlanOffer
from tests.billing.helpers import agree_three_instalments, bank_debits_of, overdue_with_fees, token_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def announced_and_taken(shop: Shop, order: Order, *days: int) -> tuple[list[str], list[Money]]:
    """The amounts that were announced the day before each of these days, and what was taken on them."""
    before = len(bank_debits_of(order.person))
    for day in days:
        remind_all(shop.realm_id, at=NOON + (day - 1) * DAY)
        deduct_due(shop.realm_id, at=NOON + day * DAY)
    told = Notice.objects.filter(person_id=order.person_id, stage="debit_planned").order_by("id")
    amounts = [notice.body.partition("¥")[2].partition(" ")[0] for notice in told]
    return amounts, bank_debits_of(order.person)[before:]


@pytest.mark.usefixtures("all_attempted")
def test_each_part_of_a_plan_is_announced_with_its_amount(fees: Shop) -> None:
    order = overdue_with_fees(fees)
    agree_three_instalments(order)
    bank.change_account(token_of(order), bank.Behaviour("pays"))
    announced, taken = announced_and_taken(fees, order, 36, 66, 96)
    assert announced == ["33.67", "33.67", "33.66"]  # the fee of ¥1.00 is in the last part alone
    assert taken == [yuan(amount) for amount in announced]


def with_a_fee_of_its_own_days(shop: Shop) -> Order:
    """Of what is left ¥0.50 is for what was used, due in a week, and ¥1.00 is a fee, due in two weeks and three."""
    order = overdue_with_fees(shop)
    at = NOON + 6 * DAY
    bank.change_account(token_of(order), bank.Behaviour("pays"))
    pay_now(order.id, amount_minor=9_950, by=BY, at=at)
    asked = orders.request_plan(order.person_id, order.id, PlanOffer(3, 7), "慢一点", by=BY, at=at)
    orders.grant_plan(asked.id, PlanOffer(3, 7), "好的", by=BY, at=at)
    return order


@pytest.mark.usefixtures("all_attempted")
def test_a_late_fee_planned_alone_is_announced(fees: Shop) -> None:
    order = with_a_fee_of_its_own_days(fees)
    announced, taken = announced_and_taken(fees, order, 13, 20, 27)
    assert announced == ["0.50", "0.50", "0.50"]
    assert taken == [yuan(amount) for amount in announced]


def test_an_advanced_clock_sends_reminders_at_the_same_times(fees: Shop) -> None:
    order = with_a_fee_of_its_own_days(fees)
    days = SweepRunner(fees.realm_id, lambda moment: moment)
    assert days.run_until(NOON + 6 * DAY, NOON + 30 * DAY, until=monotonic() + 60)
    told = Notice.objects.filter(person_id=order.person_id, stage="debit_planned").order_by("id")
    assert [notice.at for notice in told] == [NOON + day * DAY for day in (12, 19, 26)]
    assert days.work["remind"] < 20  # nothing is looked for again and again


def test_a_deduction_that_no_instrument_can_make_is_announced_as_such(power_bank: Shop) -> None:
    """One person has no card any more, and the only card of the other is limited to less."""
    bare, limited = (
        make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("12.34"), due_at=NOON + 5 * DAY)
        for _ in range(2)
    )
    Instrument.objects.filter(person_id=bare.person_id).update(state="removed")
    Instrument.objects.filter(person_id=limited.person_id).update(most_minor=500)
    User.objects.filter(pk=limited.person.user_id).update(language="en")
    remind_all(power_bank.realm_id, at=NOON + 4 * DAY)
    said = dict(Notice.objects.filter(stage="debit_planned").values_list("order_id", "body"))
    assert "¥12.34 应于 11月25日 12:00 扣款，但您还没有可用的扣款方式。提前付款、改期，或反馈问题：" in said[bare.id]
    assert "is to be deducted on 25 Nov, 12:00, but it exceeds the spending limits you set. To" in said[limited.id]
