"""Moving the next attempt: which late fees move with it."""

from datetime import datetime, timedelta

import pytest

from billing import queries as billing
from billing.channels import bank, bank_disputes
from billing.channels.bank import Behaviour
from billing.services.attempt_plans import move_next_attempt
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from orders import services as orders
from orders.models import Obligation
from tests.billing.helpers import (
    agree_three_instalments,
    bank_debits_of,
    latest_deduction_of,
    overdue_with_fees,
    token_of,
)
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan

DAY = timedelta(days=1)


def moved(row: Obligation, *, days: int = 0) -> datetime:
    """Move the next attempt as the person's page does. Returns the new time."""
    at = NOON + days * DAY
    policy = billing.retry_policies_at([row.order.service.retry_policy], at)[row.order.service.retry_policy]
    to = billing.rescheduling_options(row, policy, zone=row.person.zone, at=at)[1]
    move_next_attempt(row.id, to, at=at)
    return to


@pytest.mark.usefixtures("all_attempted")
def test_moving_a_part_leaves_the_fee_of_a_later_part(fees: Shop) -> None:
    order = overdue_with_fees(fees)
    agree_three_instalments(order)
    first = order.obligations.filter(kind="principal").earliest("due_at")
    fee = order.obligations.filter(kind="late_fee").latest("due_at")
    assert fee.due_at > first.due_at + 50 * DAY
    moved(first, days=6)
    fee = order.obligations.get(pk=fee.pk)
    assert (fee.collect_at, fee.moved_at) == (fee.due_at, None)


def test_only_the_moved_part_is_deducted_on_its_new_day(fees: Shop) -> None:
    order = overdue_with_fees(fees)
    concern = agree_three_instalments(order)
    day = moved(order.obligations.earliest("due_at"), days=6)
    bank.change_account(token_of(order), Behaviour.PAYS)
    deduct_due(fees.realm_id, at=day)
    assert [money.minor for money in bank_debits_of(order.person)] == [concern.plan["due"][0]["minor"]]


@pytest.mark.usefixtures("all_attempted")
def test_moving_an_attempt_leaves_a_fee_the_person_pays(fees: Shop) -> None:
    person = make_person(fees)
    order = make_due_order(fees, person, yuan("100"), due_at=NOON + DAY)
    pay_now(order.id, amount_minor=4000, by=BY, at=NOON)
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=NOON)
    assert deliver_callbacks(fees.realm_id, at=NOON) == 1
    bank.change_account(person.instruments.get(channel="sandbox").token, Behaviour.NO_FUNDS)
    deduct_due(fees.realm_id, at=NOON + DAY)
    orders.mark_overdue(fees.realm_id, at=NOON + 5 * DAY, limit=9)
    orders.close_days(fees.realm_id, at=NOON + 6 * DAY, limit=9)
    rows = order.obligations.filter(kind="late_fee").values_list("by_hand", flat=True)
    assert sorted(rows) == [False, True]
    moved(order.obligations.get(kind="principal", by_hand=False), days=6)
