"""A new instrument is added at the moment at which a debt is found to have nothing to be taken from."""

from datetime import timedelta
from functools import partial

import pytest

from billing.channels.bank import Behaviour
from billing.services import deduct
from billing.services.deduct import deduct_due
from billing.services.instruments import Script, add_bank_account
from orders import services as orders
from tests.conftest import BY, NOON, Shop, opened, ordered, someone, state_of
from tests.threads import at_once, halted

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_given_up_while_an_instrument_is_added_is_taken_from_it(power_bank: Shop) -> None:
    person = someone(power_bank, "hard_decline")
    agreement = opened(power_bank, person)
    first, order = (ordered(power_bank, agreement, ceiling=300) for _ in range(2))
    orders.complete_order(first.id, orders.Final(total=300), by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    orders.complete_order(order.id, orders.Final(total=300), by=BY, at=NOON)
    with halted(deduct, "_give_up") as halt:
        at_once(
            partial(deduct_due, power_bank.realm_id, at=NOON),
            partial(halt.then, partial(add_bank_account, person, Script(Behaviour.PAYS), by=BY, at=NOON)),
        )
    for days in range(60):
        deduct_due(power_bank.realm_id, at=NOON + timedelta(days=days))
    assert (state_of(first), state_of(order)) == ("deducted", "deducted")
