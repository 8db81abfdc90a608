"""After completion the total can only be reduced, and not while a deduction is in flight."""

from datetime import timedelta

import pytest

from accounts.models import Person
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from credit.models import Profile
from ledger.queries import trial_balance
from orders import refusals
from orders import services as orders
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan
from tests.unchanged import assert_unchanged


def test_less_is_owed_and_less_is_taken(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))

    lowered = orders.reduce_total(order.id, 250, "线坏了", by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)

    assert lowered.total_minor == 250
    assert order.obligations.get().paid_minor == 250
    assert Profile.objects.get(pk=ada.id).outstanding_minor == 0
    balances = {row.code: row.net for row in trial_balance(power_bank.realm_id)}
    assert balances == {"clearing:sandbox": 250, "fees": 2, "payable": 248, "pending": 0, "receivable": 0}


def test_lowered_step_by_step_the_fee_of_an_advance_is_that_of_the_last_total(parcel: Shop) -> None:
    order = make_due_order(parcel, make_person(parcel), yuan("12.50"))
    for total in (1_150, 1_050, 950, 850):
        orders.reduce_total(order.id, total, "x", by=BY, at=NOON)

    balances = {row.code: row.net for row in trial_balance(parcel.realm_id)}
    assert balances == {"fees": 9, "payable": 841, "receivable": 850}


def test_the_same_total_again_changes_nothing(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))
    orders.reduce_total(order.id, 250, "x", by=BY, at=NOON)
    with assert_unchanged():
        orders.reduce_total(order.id, 250, "x", by=BY, at=NOON)


@pytest.mark.parametrize("late", [timedelta(), timedelta(days=4)])
def test_lowered_to_nothing_no_promise_is_broken_or_kept(power_bank: Shop, late: timedelta) -> None:
    person = make_person(power_bank, "no_funds")
    order = make_due_order(power_bank, person, yuan("6"))
    if late:
        orders.mark_overdue(power_bank.realm_id, at=NOON + late, limit=9)

    done = orders.reduce_total(order.id, 0, "x", by=BY, at=NOON + late)

    assert (done.state, done.total_minor) == ("deducted", 0)
    assert order.obligations.get().state == "waived"
    profile = Profile.objects.get(pk=person.id)
    assert (profile.outstanding_minor, profile.overdue_orders, profile.breached_orders) == (0, 0, 0)
    assert profile.kept_orders == 0


def test_lowered_to_what_was_paid_already_it_is_done(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))
    pay_now(order.id, amount_minor=200, by=BY, at=NOON)

    done = orders.reduce_total(order.id, 200, "x", by=BY, at=NOON)

    owed = order.obligations.get()
    assert (done.state, owed.state, owed.paid_minor, owed.collect_at) == ("deducted", "paid", 200, None)


def test_more_is_never_asked_for(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))
    with assert_unchanged(), pytest.raises(refusals.TotalRaised):
        orders.reduce_total(order.id, 601, "x", by=BY, at=NOON)


def test_less_than_was_paid_is_a_refund_and_not_this(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))
    pay_now(order.id, amount_minor=200, by=BY, at=NOON)
    with assert_unchanged(), pytest.raises(refusals.AlreadyCollected):
        orders.reduce_total(order.id, 199, "x", by=BY, at=NOON)


def test_while_a_deduction_is_under_way_the_total_stands(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "slow"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    with assert_unchanged(), pytest.raises(refusals.DeductionInFlight):
        orders.reduce_total(order.id, 1, "x", by=BY, at=NOON)


def test_only_what_is_owed_is_lowered(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    going, paid = (make_order(power_bank, agreement, ceiling=700) for _ in range(2))
    orders.complete_order(paid.id, orders.CompletionRequest(total=600), by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    for order in (going, paid):
        with assert_unchanged(), pytest.raises(refusals.OrderState):
            orders.reduce_total(order.id, 100, "x", by=BY, at=NOON)
