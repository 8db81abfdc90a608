"""A payment method is added at the moment a debt is found to have none."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import IntegrityError

from billing.channels.bank import Behaviour
from billing.services import deduct
from billing.services.deduct import deduct_due
from billing.services.instruments import Script, add_bank_account, add_instrument
from orders import services as orders
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, state_of
from tests.threads import pause_before, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_given_up_while_an_instrument_is_added_is_taken_from_it(power_bank: Shop) -> None:
    person = make_person(power_bank, "hard_decline")
    agreement = make_agreement(power_bank, person)
    first, order = (make_order(power_bank, agreement, ceiling=300) for _ in range(2))
    orders.complete_order(first.id, orders.CompletionRequest(total=300), by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    orders.complete_order(order.id, orders.CompletionRequest(total=300), by=BY, at=NOON)
    with pause_before(deduct, "_release_uncollectable") as halt:
        run_concurrently(
            partial(deduct_due, power_bank.realm_id, at=NOON),
            partial(halt.run_while_paused, partial(add_bank_account, person, Script(Behaviour.PAYS), by=BY, at=NOON)),
        )
    for days in range(60):
        deduct_due(power_bank.realm_id, at=NOON + timedelta(days=days))
    assert (state_of(first), state_of(order)) == ("deducted", "deducted")


def test_eight_who_name_the_same_account_at_once_name_one(power_bank: Shop) -> None:
    person, stranger = make_person(power_bank), make_person(power_bank)
    name = partial(add_instrument, channel="sandbox", token="t-1", label="新卡💴", at=NOON)
    made = run_concurrently(*(partial(name, person) for _ in range(8)))
    assert len({row.id for row in made}) == 1
    assert person.instruments.filter(token="t-1").count() == 1
    with pytest.raises(IntegrityError):
        name(stranger)
    assert not stranger.instruments.filter(token="t-1").exists()
