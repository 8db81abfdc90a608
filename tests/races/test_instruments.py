"""Payment methods in two places at once: removed during a deduction, paid in two tabs, reordered twice."""

from datetime import timedelta
from functools import partial

import pytest

from accounts.models import Person
from billing.channels.bank import Behaviour
from billing.models import Deduction, Instrument
from billing.services import deduct, instruments
from billing.services.deduct import deduct_due
from billing.services.instruments import Script, add_bank_account, move_instrument, remove_instrument
from billing.services.outcome_polling import poll_deductions
from billing.services.pay import pay_now
from orders import services as orders
from orders.models import Obligation
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, state_of, yuan
from tests.races.checks import deducted_from, ledger_collected_from, rounds
from tests.threads import pause_before, refusals, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)


def another(person: Person) -> Instrument:
    return add_bank_account(person, Script(Behaviour.PAYS), by=BY, at=NOON)


def test_removing_while_paying_is_one_before_the_other(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    another(ada)
    for _ in rounds("remove, pay"):
        mine = another(ada)
        order = make_order(power_bank, agreement, ceiling=300)
        orders.complete_order(
            order.id, orders.CompletionRequest(total=300, due_at=NOON + timedelta(days=1)), by=BY, at=NOON
        )

        outcomes = run_concurrently(
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
    assert deducted_from(ada) == ledger_collected_from(ada)


def test_removing_while_the_plan_takes_leaves_nothing_without_a_way(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    for _ in rounds("remove, sweep"):
        mine = ada.instruments.filter(state="active").earliest("priority")
        another(ada)
        order = make_order(power_bank, agreement, ceiling=300)
        orders.complete_order(order.id, orders.CompletionRequest(total=300), by=BY, at=NOON)

        outcomes = run_concurrently(
            partial(remove_instrument, ada.id, mine.id, by=BY, at=NOON),
            partial(deduct_due, power_bank.realm_id, at=NOON),
        )

        assert refusals(outcomes) in ([], ["instrument_in_use"], ["no_instrument"])
        deduct_due(power_bank.realm_id, at=NOON)
        poll_deductions(power_bank.realm_id, at=NOON + timedelta(minutes=2))
        assert state_of(order) == "deducted"
    assert deducted_from(ada) == ledger_collected_from(ada)
    late = Deduction.objects.filter(instrument__state="removed", state__in=Deduction.LIVE)
    assert not late.exists()


def test_whoever_takes_while_it_is_being_removed_waits_and_takes_nothing(power_bank: Shop, ada: Person) -> None:
    mine, order = ada.instruments.get(), make_due_order(power_bank, ada, yuan("3"))
    another(ada)
    with pause_before(instruments, "_record_change") as halt:  # it is locked and removed, and that is not committed
        outcomes = run_concurrently(
            partial(remove_instrument, ada.id, mine.id, by=BY, at=NOON),
            partial(halt.run_while_paused, partial(pay_now, order.id, instrument_id=mine.id, by=BY, at=NOON)),
        )
    assert refusals(outcomes) == ["no_instrument"]
    assert (deducted_from(ada), Deduction.objects.count()) == (0, 0)
    assert Obligation.objects.get(order=order).in_flight is None


def test_whoever_removes_it_while_it_is_being_taken_from_waits_and_is_refused(power_bank: Shop) -> None:
    person = make_person(power_bank, "timeout_then_paid")
    mine, order = person.instruments.get(), make_due_order(power_bank, person, yuan("3"))
    another(person)
    with pause_before(deduct, "_build_line") as halt:  # it is held, and the deduction about to be written down
        outcomes = run_concurrently(
            partial(pay_now, order.id, instrument_id=mine.id, by=BY, at=NOON),
            partial(halt.run_while_paused, partial(remove_instrument, person.id, mine.id, by=BY, at=NOON)),
        )
    assert refusals(outcomes) == ["instrument_in_use"]
    mine.refresh_from_db()
    assert mine.state == "active"


def test_two_tabs_pay_one_order_once(power_bank: Shop, ada: Person) -> None:
    agreement, other = make_agreement(power_bank, ada), another(ada)
    for _ in rounds("two tabs"):
        order = make_order(power_bank, agreement, ceiling=300)
        orders.complete_order(
            order.id, orders.CompletionRequest(total=300, due_at=NOON + timedelta(days=1)), by=BY, at=NOON
        )
        before = deducted_from(ada)

        run_concurrently(
            partial(pay_now, order.id, instrument_id=other.id, amount_minor=300, by=BY, at=NOON),
            partial(pay_now, order.id, amount_minor=300, by=BY, at=NOON),
        )

        assert (deducted_from(ada) - before, state_of(order)) == (300, "deducted")
    assert deducted_from(ada) == ledger_collected_from(ada)


def test_two_orders_of_instruments_at_once_are_one_after_the_other(power_bank: Shop, ada: Person) -> None:
    rows = [ada.instruments.get(), *(another(ada) for _ in range(3))]
    for _ in rounds("put, put"):
        run_concurrently(*[partial(move_instrument, ada.id, row.id, 0, by=BY, at=NOON) for row in rows[2:]])
        places = list(ada.instruments.order_by("priority").values_list("priority", flat=True))
        assert places == [1, 2, 3, 4]
