"""Moving the next attempt: what goes along with it."""

from datetime import datetime, timedelta

import pytest

from billing import queries as billing
from billing.channels import bank, bank_returns
from billing.channels.bank import Behaviour
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from billing.services.plan import move_next
from orders import services as orders
from orders.models import Obligation
from tests.billing.bench import deduction_of, in_three_parts, late_with_fees, taken_from, token_of
from tests.conftest import BY, NOON, Shop, completed, someone, yuan

DAY = timedelta(days=1)


def moved(row: Obligation, *, days: int = 0) -> datetime:
    """As the person's page does it; to when."""
    at = NOON + days * DAY
    policy = billing.policies_at([row.order.service.retry_policy], at)[row.order.service.retry_policy]
    to = billing.moves_of(row, policy, zone=row.person.zone, at=at)[1]
    move_next(row.id, to, at=at)
    return to


@pytest.mark.usefixtures("all_asked")
def test_moving_one_part_of_a_plan_leaves_the_fee_of_a_later_part_where_it_was(fees: Shop) -> None:
    order = late_with_fees(fees)
    in_three_parts(order)
    first = order.obligations.filter(kind="principal").earliest("due_at")
    fee = order.obligations.filter(kind="late_fee").latest("due_at")
    assert fee.due_at > first.due_at + 50 * DAY
    moved(first, days=6)
    fee = order.obligations.get(pk=fee.pk)
    assert (fee.collect_at, fee.moved_at) == (fee.due_at, None)


def test_only_the_part_that_was_moved_is_taken_on_the_day_it_was_moved_to(fees: Shop) -> None:
    order = late_with_fees(fees)
    concern = in_three_parts(order)
    day = moved(order.obligations.earliest("due_at"), days=6)
    bank.change_account(token_of(order), Behaviour.PAYS)
    deduct_due(fees.realm_id, at=day)
    assert [money.minor for money in taken_from(order.person)] == [concern.plan["due"][0]["minor"]]


@pytest.mark.usefixtures("all_asked")
def test_moving_what_is_planned_leaves_the_fee_that_is_paid_by_hand(fees: Shop) -> None:
    person = someone(fees)
    order = completed(fees, person, yuan("100"), due_at=NOON + DAY)
    pay_now(order.id, amount_minor=4000, by=BY, at=NOON)
    assert bank_returns.take_back(deduction_of(order).number, "no_funds", at=NOON)
    assert deliver_callbacks(fees.realm_id, at=NOON) == 1
    bank.change_account(person.instruments.get(channel="sandbox").token, Behaviour.NO_FUNDS)
    deduct_due(fees.realm_id, at=NOON + DAY)
    orders.mark_overdue(fees.realm_id, at=NOON + 5 * DAY, limit=9)
    orders.close_days(fees.realm_id, at=NOON + 6 * DAY, limit=9)
    rows = order.obligations.filter(kind="late_fee").values_list("by_hand", flat=True)
    assert sorted(rows) == [False, True]
    moved(order.obligations.get(kind="principal", by_hand=False), days=6)
