"""R2, R6: two actions on one order at once. Whichever wins, the money is deducted once and the ledger agrees."""

import os
from datetime import timedelta
from functools import partial

import pytest

from accounts.models import Person
from billing.models import Deduction, DeductionLine
from billing.services.deduct import deduct_due
from billing.services.pay import collect_now, pay_now
from ledger.models import Posting
from orders import services as orders
from orders.models import Obligation, Order
from tests.conftest import (
    BY,
    NOON,
    Shop,
    make_agreement,
    make_due_order,
    make_order,
    make_person,
    reload_order,
    state_of,
    yuan,
)
from tests.races.checks import count_events, deducted_from, ledger_collected_from, rounds
from tests.threads import refusals, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)

#: `make evidence-races` has two hundred.
DUES = int(os.environ.get("RACE_DUES", "60"))


def test_two_different_completions_at_once_are_one_completion(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    for _ in rounds("two completions"):
        order = make_order(power_bank, agreement, ceiling=1_000)
        acts = [
            partial(orders.complete_order, order.id, orders.CompletionRequest(total=total), by=BY, at=NOON)
            for total in (300, 500)
        ]

        outcomes = run_concurrently(*acts)

        assert refusals(outcomes) == ["order_state"]
        owed = Obligation.objects.get(order=order).amount_minor
        assert owed == reload_order(order.id).total_minor
        assert owed in (300, 500)
        assert count_events(order, "order.completed") == 1
        deduct_due(power_bank.realm_id, at=NOON)
    assert deducted_from(ada) == ledger_collected_from(ada) > 0


def test_the_same_completion_twenty_times_at_once_is_one_completion(power_bank: Shop, ada: Person) -> None:
    order = make_order(power_bank, make_agreement(power_bank, ada))

    outcomes = run_concurrently(
        *[
            partial(orders.complete_order, order.id, orders.CompletionRequest(total=300), by=BY, at=NOON)
            for _ in range(20)
        ]
    )

    assert {outcome.id for outcome in outcomes} == {order.id}
    assert Posting.objects.filter(kind="completed").count() == 1
    assert Obligation.objects.count() == 1


def test_completing_and_cancelling_at_once_leaves_one_of_both_ends(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    for _ in rounds("complete, cancel"):
        order = make_order(power_bank, agreement, ceiling=1_000)

        outcomes = run_concurrently(
            partial(orders.complete_order, order.id, orders.CompletionRequest(total=300), by=BY, at=NOON),
            partial(orders.cancel_order, order.id, "x", by=BY, at=NOON),
        )

        # Completed first and then cancelled is legal; cancelled first leaves nothing to complete.
        assert refusals(outcomes) in ([], ["order_state"])
        assert state_of(order) == "cancelled"
        assert {row.state for row in Obligation.objects.filter(order=order)} <= {"waived"}
        assert deduct_due(power_bank.realm_id, at=NOON) == 0
    assert deducted_from(ada) == ledger_collected_from(ada) == 0


def test_a_cancelled_order_is_not_deducted_and_a_deducted_one_not_cancelled(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    expected = 0
    for _ in rounds("cancel, deduct"):
        order = make_order(power_bank, agreement, ceiling=1_000)
        orders.complete_order(order.id, orders.CompletionRequest(total=300), by=BY, at=NOON)

        outcomes = run_concurrently(
            partial(deduct_due, power_bank.realm_id, at=NOON),
            partial(orders.cancel_order, order.id, "x", by=BY, at=NOON),
        )
        deduct_due(power_bank.realm_id, at=NOON)

        cancelled = state_of(order) == "cancelled"
        expected += 0 if cancelled else 300
        assert state_of(order) in ("cancelled", "deducted")
        assert bool(refusals(outcomes)) != cancelled
        assert deducted_from(ada) == ledger_collected_from(ada) == expected


@pytest.mark.parametrize("other", ["sweep", "pay_now", "collect_now"])
def test_paying_by_hand_while_something_else_collects_takes_the_money_once(
    power_bank: Shop, ada: Person, other: str
) -> None:
    agreement = make_agreement(power_bank, ada)
    for turn in rounds(f"pay now, {other} twice"):
        order = make_order(power_bank, agreement, ceiling=1_000)
        orders.complete_order(order.id, orders.CompletionRequest(total=300), by=BY, at=NOON)
        rivals = {
            "sweep": partial(deduct_due, power_bank.realm_id, at=NOON),
            "pay_now": partial(pay_now, order.id, by=BY, at=NOON),
            "collect_now": partial(collect_now, order.id, by=BY, at=NOON),
        }

        outcomes = run_concurrently(partial(pay_now, order.id, by=BY, at=NOON), rivals[other], rivals[other])

        assert set(refusals(outcomes)) <= {"deduction_in_flight", "order_state"}
        assert state_of(order) == "deducted"
        assert deducted_from(ada) == ledger_collected_from(ada) == 300 * turn
        assert Deduction.objects.filter(lines__order=order).count() == 1


def test_a_double_click_on_a_part_pays_that_part_once_or_twice_but_never_more_than_is_owed(
    power_bank: Shop, ada: Person
) -> None:
    order = make_due_order(power_bank, ada, yuan("5"))

    run_concurrently(*[partial(pay_now, order.id, amount_minor=200, by=BY, at=NOON) for _ in range(6)])

    assert deducted_from(ada) == ledger_collected_from(ada) == Obligation.objects.get().paid_minor
    assert deducted_from(ada) in (200, 400)


def test_two_sweeps_at_once_over_many_dues_take_each_exactly_once(power_bank: Shop) -> None:
    people = [make_person(power_bank) for _ in range(20)]
    agreements = [make_agreement(power_bank, person) for person in people]
    for agreement in agreements:
        for _ in range(DUES // len(people)):
            order = make_order(power_bank, agreement, ceiling=100)
            orders.complete_order(order.id, orders.CompletionRequest(total=100), by=BY, at=NOON)

    def sweep() -> int:
        seen, total = 1, 0
        while seen:
            seen = deduct_due(power_bank.realm_id, at=NOON, limit=30)
            total += seen
        return total

    assert sum(run_concurrently(sweep, sweep)) >= DUES  # what was another's turn was looked at too
    assert set(Order.objects.values_list("state", flat=True)) == {"deducted"}
    for person in people:
        assert deducted_from(person) == ledger_collected_from(person) == 100 * DUES // len(people)
    lines = DeductionLine.objects.filter(deduction__state="succeeded")
    assert lines.count() == DeductionLine.objects.count() == DUES
    assert lines.values("obligation").distinct().count() == DUES
    assert Deduction.objects.exclude(state="succeeded").count() == 0


def test_falling_overdue_while_it_is_deducted_ends_paid(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    for turn in rounds("overdue, deduct"):
        order = make_order(power_bank, agreement, ceiling=1_000, at=NOON)
        orders.complete_order(order.id, orders.CompletionRequest(total=300), by=BY, at=NOON)
        late = NOON + timedelta(days=4)

        run_concurrently(
            partial(deduct_due, power_bank.realm_id, at=late),
            partial(orders.mark_overdue, power_bank.realm_id, at=late, limit=10),
        )
        deduct_due(power_bank.realm_id, at=late)

        assert state_of(order) == "deducted"
        assert deducted_from(ada) == ledger_collected_from(ada) == 300 * turn
        ada.profile.refresh_from_db()
        assert ada.profile.overdue_orders == 0
        assert ada.profile.breached_orders == Order.objects.filter(overdue_at__isnull=False).count()


def test_lowering_the_total_while_it_is_deducted_never_takes_more_than_is_owed(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    expected = 0
    for _ in rounds("lower, deduct"):
        order = make_order(power_bank, agreement, ceiling=1_000)
        orders.complete_order(order.id, orders.CompletionRequest(total=300), by=BY, at=NOON)

        run_concurrently(
            partial(deduct_due, power_bank.realm_id, at=NOON),
            partial(orders.reduce_total, order.id, 100, "x", by=BY, at=NOON),
        )
        deduct_due(power_bank.realm_id, at=NOON)

        expected += reload_order(order.id).total_minor or 0
        assert reload_order(order.id).total_minor in (100, 300)
        assert deducted_from(ada) == ledger_collected_from(ada) == expected
