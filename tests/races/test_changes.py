"""R6: a person or merchant changes something at the moment of the deduction."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest

from accounts.models import Person
from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.models import Deduction
from billing.services.attempt_plans import move_next_attempt
from billing.services.deduct import deduct_due
from billing.services.instruments import add_instrument
from billing.services.outcome_polling import poll_deductions
from billing.services.pay import pay_all, pay_now
from credit import services as credit
from credit.models import Agreement
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, state_of
from tests.races.checks import count_events, deducted_from, deductions_of, ledger_collected_from, rounds
from tests.threads import refusals, run_concurrently

MORNING = NOON + timedelta(hours=22)  # 10:00 in Shanghai
pytestmark = pytest.mark.django_db(transaction=True)


def owing(shop: Shop, agreement: Agreement, count: int = 1) -> list[Order]:
    """So many orders of ¥3, due now."""
    opened_now = [make_order(shop, agreement, ceiling=1_000) for _ in range(count)]
    return [
        orders.complete_order(order.id, orders.CompletionRequest(total=300), by=BY, at=NOON) for order in opened_now
    ]


def another_card(person: Person, *, works: bool = True) -> None:
    made = add_instrument(person, "sandbox", f"{person.realm_id}:{uuid4().hex}", "另一张卡", at=NOON)
    bank.open_account(made.token, Behaviour.PAYS if works else Behaviour.HARD_DECLINE)


def test_the_date_is_moved_or_the_money_is_taken_and_never_both(power_bank: Shop, ada: Person) -> None:
    agreement, expected = make_agreement(power_bank, ada), 0
    for _ in rounds("move date, deduct"):
        (order,) = owing(power_bank, agreement)
        later = NOON + timedelta(days=1)

        outcomes = run_concurrently(
            partial(move_next_attempt, order.obligations.get().id, later, at=NOON),
            partial(deduct_due, power_bank.realm_id, at=NOON),
        )

        row, codes = order.obligations.get(), refusals(outcomes)
        if codes:
            assert codes in (["deduction_in_flight"], ["nothing_planned"])
            assert (row.state, row.moved_at) == ("paid", None)
        else:
            assert (row.state, row.moved_at, row.collect_at, row.attempts) == ("pending", NOON, later, 0)
            deduct_due(power_bank.realm_id, at=later)
        expected += 300
        assert deducted_from(ada) == ledger_collected_from(ada) == expected


def test_an_instrument_dies_while_another_debt_is_taken_from_it_and_the_next_one_pays_both(power_bank: Shop) -> None:
    for _ in rounds("hard decline, deduct"):
        person = make_person(power_bank, "hard_decline")
        another_card(person)
        first, second = owing(power_bank, make_agreement(power_bank, person), 2)

        run_concurrently(
            partial(pay_now, first.id, by=BY, at=NOON),
            partial(deduct_due, power_bank.realm_id, at=NOON),
        )
        for hours in (0, 1, 22, 46):
            deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=hours))

        assert [state_of(order) for order in (first, second)] == ["deducted", "deducted"]
        assert deducted_from(person) == ledger_collected_from(person) == 600
        assert sorted(person.instruments.values_list("state", flat=True)) == ["active", "dead"]


def test_two_instruments_are_added_while_it_is_deducted(power_bank: Shop) -> None:
    for _ in rounds("add an instrument, deduct"):
        person = make_person(power_bank, "no_funds")
        (order,) = owing(power_bank, make_agreement(power_bank, person))

        run_concurrently(
            partial(another_card, person),
            partial(another_card, person),
            partial(deduct_due, power_bank.realm_id, at=NOON),
        )
        for hours in (0, 22):
            deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=hours))
        left = state_of(order) == "completed" and pay_now(
            order.id, instrument_id=person.instruments.latest("priority").id, by=BY, at=MORNING
        )

        assert state_of(order) == "deducted", left
        assert deducted_from(person) == ledger_collected_from(person) == 300
        assert person.instruments.count() == 3


def test_everything_one_order_and_the_sweep_at_once_take_each_debt_once(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    for turn in rounds("pay all, pay now, sweep"):
        made = owing(power_bank, agreement, 3)

        outcomes = run_concurrently(
            partial(pay_all, ada.id, by=BY, at=NOON),
            partial(pay_now, made[1].id, by=BY, at=NOON),
            partial(deduct_due, power_bank.realm_id, at=NOON),
        )

        assert set(refusals(outcomes)) <= {"deduction_in_flight", "order_state", "amount_invalid"}
        assert {state_of(order) for order in made} == {"deducted"}
        assert [len(deductions_of(order)) for order in made] == [1, 1, 1]
        assert deducted_from(ada) == ledger_collected_from(ada) == 900 * turn


def test_a_pause_comes_before_or_after_the_deduction_and_resumes_once(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    for turn in rounds("pause, deduct"):
        (order,) = owing(power_bank, agreement)

        outcomes = run_concurrently(
            partial(orders.pause_order, order.id, "problem_reported", by=BY, at=NOON),
            partial(deduct_due, power_bank.realm_id, at=NOON),
        )

        row = order.obligations.get()
        assert refusals(outcomes) in ([], ["order_state"])
        if row.owed:
            assert (row.paused_at, row.collect_at, row.attempts) == (NOON, None, 0)
        orders.resume_order(order.id, "problem_reported", by=BY, at=NOON + timedelta(hours=1))
        deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=1))
        assert state_of(order) == "deducted"
        assert deducted_from(ada) == ledger_collected_from(ada) == 300 * turn


def test_paid_elsewhere_or_paid_here_and_never_both(power_bank: Shop, ada: Person) -> None:
    agreement, expected = make_agreement(power_bank, ada), 0
    for turn in rounds("mark paid, pay now"):
        (order,) = owing(power_bank, agreement)

        outcomes = run_concurrently(
            partial(orders.mark_paid, order.id, NOON, f"till-{turn}", by=BY, at=NOON),
            partial(pay_now, order.id, by=BY, at=NOON),
        )

        codes, here = refusals(outcomes), len(deductions_of(order))
        assert codes in (["order_state"], ["already_collected"], ["deduction_in_flight"])
        assert here == (codes != ["order_state"])
        expected += 300 * here
        assert state_of(order) == "deducted"
        assert deducted_from(ada) == ledger_collected_from(ada) == expected
        assert count_events(order, "order.deducted") == 1


def test_the_person_says_yes_and_no_at_once(shop: Shop) -> None:
    agreement, numbers = make_agreement(shop, make_person(shop)), itertools.count()
    for _ in rounds("confirm, decline"):
        wish = orders.OrderRequest(
            agreement_id=agreement.id, out_order_no=f"Y-{next(numbers)}", title="x", currency="CNY", amount=100
        )
        order = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
        assert order

        outcomes = run_concurrently(
            partial(orders.confirm_order, order.id, by=BY, at=NOON),
            partial(orders.decline_order, order.id, by=BY, at=NOON),
        )

        assert refusals(outcomes) == ["order_state"]
        if state_of(order) == "open":
            orders.cancel_order(order.id, "x", by=BY, at=NOON)
        assert state_of(order) == "cancelled"


def test_the_service_is_stopped_while_its_last_debt_is_paid_and_the_mandate_ends(power_bank: Shop) -> None:
    for _ in rounds("stop, deduct"):
        agreement = make_agreement(power_bank, make_person(power_bank))
        (order,) = owing(power_bank, agreement)

        run_concurrently(
            partial(credit.stop_agreement, agreement.id, by=BY, at=NOON),
            partial(deduct_due, power_bank.realm_id, at=NOON),
        )

        assert state_of(order) == "deducted"
        assert Agreement.objects.get(pk=agreement.id).state == "terminated"


@pytest.mark.parametrize("rival", ["lower", "cancel", "mark_paid", "pause", "move"])
def test_what_is_changed_while_a_lost_answer_is_asked_about(power_bank: Shop, rival: str) -> None:
    """The bank deducted it and the answer was lost: the change waits or is refused, and the deduction counts."""
    acts: dict[str, Callable[[Order], object]] = {
        "lower": lambda order: orders.reduce_total(order.id, 100, "x", by=BY, at=NOON),
        "cancel": lambda order: orders.cancel_order(order.id, "x", by=BY, at=NOON),
        "mark_paid": lambda order: orders.mark_paid(order.id, NOON, "till", by=BY, at=NOON),
        "pause": lambda order: orders.pause_order(order.id, "hardship", by=BY, at=NOON),
        "move": lambda order: move_next_attempt(order.obligations.get().id, MORNING, at=NOON),
    }
    for _ in rounds(f"{rival}, ask"):
        person = make_person(power_bank, "slow")
        (order,) = owing(power_bank, make_agreement(power_bank, person))
        deduct_due(power_bank.realm_id, at=NOON)

        run_concurrently(
            partial(acts[rival], order),
            partial(poll_deductions, power_bank.realm_id, at=NOON + timedelta(seconds=5)),
        )

        assert state_of(order) == "deducted"
        assert deducted_from(person) == ledger_collected_from(person) == order.obligations.get().paid_minor == 300
        assert Deduction.objects.filter(lines__order=order).count() == 1
