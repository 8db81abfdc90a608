"""R1: a limit is never passed, however many ask at once."""

from functools import partial
from itertools import count

import pytest

from credit.models import Decision, Profile
from merchants.models import Event
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, opened, someone
from tests.races.ground import rounds
from tests.threads import at_once

THREADS, EACH, LIMIT = 40, 100, 1_000
pytestmark = pytest.mark.django_db(transaction=True)


def test_forty_orders_of_100_at_once_on_a_limit_of_1000_are_exactly_ten(power_bank: Shop) -> None:
    numbers = count()
    for _ in rounds("40 orders, one limit"):
        person = someone(power_bank)
        agreement = opened(power_bank, person)
        Profile.objects.filter(pk=person.id).update(limit_minor=LIMIT)

        def ask(number: int, agreement_id: object = agreement.id) -> orders.Opening:
            wish = orders.Wish(
                agreement_id=agreement_id,  # type: ignore[arg-type]
                out_order_no=f"R-{number}",
                title="x",
                currency="CNY",
                ceiling=EACH,
            )
            return orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON)

        outcomes = at_once(*(partial(ask, next(numbers)) for _ in range(THREADS)))

        accepted = [outcome.order for outcome in outcomes if outcome.order]
        assert len(accepted) == LIMIT // EACH
        profile = Profile.objects.get(pk=person.id)
        assert (profile.held_minor, profile.open_orders) == (LIMIT, LIMIT // EACH)
        assert Order.objects.filter(person=person).count() == LIMIT // EACH
        decisions = Decision.objects.filter(person=person, occasion="order")
        assert decisions.filter(approved=True).count() == LIMIT // EACH
        assert decisions.filter(approved=False, reasons=["limit_reached"]).count() == THREADS - LIMIT // EACH
        told = Event.objects.filter(type="order.opened", subject_id__in=[order.id for order in accepted])
        assert told.count() == LIMIT // EACH


def test_the_limit_of_twenty_open_orders_holds_at_once_too(power_bank: Shop) -> None:
    person = someone(power_bank)
    agreement = opened(power_bank, person)

    def ask(number: int) -> orders.Opening:
        wish = orders.Wish(agreement_id=agreement.id, out_order_no=f"R-{number}", title="x", currency="CNY", ceiling=1)
        return orders.open_order(power_bank.merchant.id, wish, by=BY, at=NOON)

    outcomes = at_once(*(partial(ask, number) for number in range(30)))

    assert sum(outcome.order is not None for outcome in outcomes) == 20
    assert Profile.objects.get(pk=person.id).open_orders == 20
