"""Two hands at what a person pays from: removed while it is taken from, paid in two tabs, put in two orders."""

from datetime import timedelta
from functools import partial

import pytest

from accounts.models import Person
from billing.channels.bank import Behaviour
from billing.models import Deduction, Instrument
from billing.services import deduct, instruments
from billing.services.ask import ask_unknown
from billing.services.deduct import deduct_due
from billing.services.instruments import Script, add_bank_account, put_instrument, remove_instrument
from billing.services.pay import pay_now
from orders import services as orders
from orders.models import Obligation
from tests.conftest import BY, NOON, Shop, completed, opened, ordered, someone, state_of, yuan
from tests.races.ground import booked, rounds, taken_from
from tests.threads import at_once, halted, refusals

pytestmark = pytest.mark.django_db(transaction=True)


def another(person: Person) -> Instrument:
    return add_bank_account(person, Script(Behaviour.PAYS), by=BY, at=NOON)


def test_removing_while_paying_is_one_before_the_other(power_bank: Shop, ada: Person) -> None:
    agreement = opened(power_bank, ada)
    another(ada)
    for _ in rounds("remove, pay"):
        mine = another(ada)
        order = ordered(power_bank, agreement, ceiling=300)
        orders.complete_order(order.id, orders.Final(total=300, due_at=NOON + timedelta(days=1)), by=BY, at=NOON)

        outcomes = at_once(
            partial(remove_instrument, ada.id, mine.id, by=BY, at=NOON),
            partial(pay_now, order.id, instrument_id=mine.id, by=BY, at=NOON),
        )

        mine.refresh_from_db()
        refused = refusals(outcomes)
        assert refused in ([], ["instrument_in_use"], ["no_instrument"])
        assert (mine.state == "removed") == (refused != ["instrument_in_use"])
        assert (state_of(order) == "deducted") == (refused != ["no_instrument"])
        if mine.state == "active":
            remove_instrument(ada.id, mine.id, by=BY, at=NOON)
        if state_of(order) != "deducted":
            pay_now(order.id, by=BY, at=NOON)
    assert taken_from(ada) == booked(ada)


def test_removing_while_the_plan_takes_leaves_nothing_without_a_way(power_bank: Shop, ada: Person) -> None:
    agreement = opened(power_bank, ada)
    for _ in rounds("remove, sweep"):
        mine = ada.instruments.filter(state="active").earliest("priority")
        another(ada)
        order = ordered(power_bank, agreement, ceiling=300)
        orders.complete_order(order.id, orders.Final(total=300), by=BY, at=NOON)

        outcomes = at_once(
            partial(remove_instrument, ada.id, mine.id, by=BY, at=NOON),
            partial(deduct_due, power_bank.realm_id, at=NOON),
        )

        assert refusals(outcomes) in ([], ["instrument_in_use"], ["no_instrument"])
        deduct_due(power_bank.realm_id, at=NOON)
        ask_unknown(power_bank.realm_id, at=NOON + timedelta(minutes=2))
        assert state_of(order) == "deducted"
    assert taken_from(ada) == booked(ada)
    late = Deduction.objects.filter(instrument__state="removed", state__in=Deduction.LIVE)
    assert not late.exists()


def test_whoever_takes_while_it_is_being_removed_waits_and_takes_nothing(power_bank: Shop, ada: Person) -> None:
    mine, order = ada.instruments.get(), completed(power_bank, ada, yuan("3"))
    another(ada)
    with halted(instruments, "_note") as halt:  # it is locked and removed, and that is not committed
        outcomes = at_once(
            partial(remove_instrument, ada.id, mine.id, by=BY, at=NOON),
            partial(halt.then, partial(pay_now, order.id, instrument_id=mine.id, by=BY, at=NOON)),
        )
    assert refusals(outcomes) == ["no_instrument"]
    assert (taken_from(ada), Deduction.objects.count()) == (0, 0)
    assert Obligation.objects.get(order=order).in_flight is None


def test_whoever_removes_it_while_it_is_being_taken_from_waits_and_is_refused(power_bank: Shop) -> None:
    person = someone(power_bank, "timeout_then_paid")
    mine, order = person.instruments.get(), completed(power_bank, person, yuan("3"))
    another(person)
    with halted(deduct, "_line") as halt:  # it is held, and the deduction about to be written down
        outcomes = at_once(
            partial(pay_now, order.id, instrument_id=mine.id, by=BY, at=NOON),
            partial(halt.then, partial(remove_instrument, person.id, mine.id, by=BY, at=NOON)),
        )
    assert refusals(outcomes) == ["instrument_in_use"]
    mine.refresh_from_db()
    assert mine.state == "active"


def test_two_tabs_pay_one_order_once(power_bank: Shop, ada: Person) -> None:
    agreement, other = opened(power_bank, ada), another(ada)
    for _ in rounds("two tabs"):
        order = ordered(power_bank, agreement, ceiling=300)
        orders.complete_order(order.id, orders.Final(total=300, due_at=NOON + timedelta(days=1)), by=BY, at=NOON)
        before = taken_from(ada)

        at_once(
            partial(pay_now, order.id, instrument_id=other.id, amount_minor=300, by=BY, at=NOON),
            partial(pay_now, order.id, amount_minor=300, by=BY, at=NOON),
        )

        assert (taken_from(ada) - before, state_of(order)) == (300, "deducted")
    assert taken_from(ada) == booked(ada)


def test_two_orders_of_instruments_at_once_are_one_after_the_other(power_bank: Shop, ada: Person) -> None:
    rows = [ada.instruments.get(), *(another(ada) for _ in range(3))]
    for _ in rounds("put, put"):
        at_once(*[partial(put_instrument, ada.id, row.id, 0, by=BY, at=NOON) for row in rows[2:]])
        places = list(ada.instruments.order_by("priority").values_list("priority", flat=True))
        assert places == [1, 2, 3, 4]
