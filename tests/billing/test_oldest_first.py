"""What is paid by hand goes to the oldest debt."""

from datetime import timedelta

from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from orders import services as orders
from tests.billing.helpers import agree_three_instalments, overdue_with_fees, token_of
from tests.conftest import BY, NOON, Shop, state_of

DAY = timedelta(days=1)


def test_paying_exactly_the_overdue_part_ends_overdue(fees: Shop) -> None:
    order = overdue_with_fees(fees)
    agree_three_instalments(order)
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
