"""A new instrument is added at the moment at which a debt is found to have nothing to be taken from."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import IntegrityError

from billing.channels.bank import Behaviour
from billing.services import deduct
from billing.services.deduct import deduct_due
from billing.services.instruments import Script, add_bank_account, add_instrument
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


def test_eight_who_name_the_same_account_at_once_name_one(power_bank: Shop) -> None:
    person, stranger = someone(power_bank), someone(power_bank)
    name = partial(add_instrument, channel="sandbox", token="t-1", label="新卡💴", at=NOON)
    made = at_once(*(partial(name, person) for _ in range(8)))
    assert len({row.id for row in made}) == 1
    assert person.instruments.filter(token="t-1").count() == 1
    with pytest.raises(IntegrityError):
        name(stranger)
    assert not stranger.instruments.filter(token="t-1").exists()
