from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Person
from billing.channels import bank
from billing.models import Deduction
from billing.services import attempt_plans
from billing.services.attempt_plans import CannotMove, move_next_attempt
from billing.services.deduct import deduct_due
from billing.services.outcome_polling import poll_deductions
from kernel.money import Money
from kernel.sweeps import sweep_realms
from ledger.models import Posting
from orders import services as orders
from orders.models import Obligation, Order
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, state_of, yuan


def deduction_of(order: Order) -> Deduction:
    return Deduction.objects.filter(lines__order=order).latest("id")


def taken_from(person: Person) -> list[Money]:
    return bank.debits_of(person.instruments.get().token)


def test_a_due_obligation_is_deducted_and_booked(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("12.34"))

    assert deduct_due(power_bank.realm_id, at=order.completed_at) == 1

    assert state_of(order) == "deducted"
    assert taken_from(ada) == [yuan("12.34")]
    moved = [(p.debit_account, p.credit_account, p.amount_minor) for p in Posting.objects.order_by("id")]
    assert moved == [
        ("receivable", "pending", 1234),
        ("clearing:sandbox", "receivable", 1234),
        ("pending", "payable", 1234),
        ("payable", "fees", 7),
    ]


def test_a_lost_answer_is_polled_before_anything_is_sent_again(power_bank: Shop) -> None:
    person = make_person(power_bank, "timeout_then_paid")
    order = make_due_order(power_bank, person, yuan("12.34"))

    deduct_due(power_bank.realm_id, at=order.completed_at)
    assert deduction_of(order).state == "unknown"
    assert deduct_due(power_bank.realm_id, at=order.completed_at + timedelta(days=1)) == 0
    poll_deductions(power_bank.realm_id, at=order.completed_at + timedelta(seconds=5))

    assert state_of(order) == "deducted"
    assert taken_from(person) == [yuan("12.34")]


def test_debts_due_together_are_one_deduction_oldest_first(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    owed = []
    for minutes, amount in ((30, "3"), (10, "2"), (20, "1")):
        order = make_order(power_bank, agreement)
        due = NOON + timedelta(minutes=minutes)
        orders.complete_order(order.id, orders.CompletionRequest(total=yuan(amount).minor, due_at=due), by=BY, at=NOON)
        owed.append(order)

    assert deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=1)) == 3

    assert taken_from(ada) == [yuan("6")]
    deduction = Deduction.objects.get()
    assert [line.amount_minor for line in deduction.lines.order_by("id")] == [200, 100, 300]
    assert [state_of(order) for order in owed] == ["deducted"] * 3


def test_a_late_retry_in_quiet_hours_waits_for_the_morning(power_bank: Shop) -> None:
    person = make_person(power_bank, "no_funds_until", until=NOON + timedelta(hours=20))
    order = make_due_order(power_bank, person, yuan("5"))
    deduct_due(power_bank.realm_id, at=NOON)

    night = NOON + timedelta(days=1, hours=11)  # the workers were away; it is 23:00
    assert deduct_due(power_bank.realm_id, at=night) == 1
    assert (taken_from(person), state_of(order)) == ([], "completed")
    assert Obligation.objects.get(order=order).collect_at == night + timedelta(hours=8)

    deduct_due(power_bank.realm_id, at=night + timedelta(hours=8))
    assert (taken_from(person), state_of(order)) == ([yuan("5")], "deducted")


def test_a_person_moves_the_next_attempt_once(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("5"))
    deduct_due(power_bank.realm_id, at=NOON)
    owed = Obligation.objects.get(order=order)
    later = owed.collect_at + timedelta(days=4)

    move_next_attempt(owed.id, later, at=NOON)

    moved = Obligation.objects.get(order=order)
    assert (moved.collect_at, moved.plan[0]["reason"]) == (later, "moved")
    assert all(attempt["at"] > later.isoformat() for attempt in moved.plan[1:])
    with pytest.raises(CannotMove):
        move_next_attempt(owed.id, later + timedelta(days=1), at=NOON)


def test_the_daily_cap_of_an_instrument_spans_all_debts(power_bank: Shop) -> None:
    agreement = make_agreement(power_bank, make_person(power_bank, "no_funds"))
    moved, other = (make_order(power_bank, agreement) for _ in range(2))
    for order in (moved, other):
        orders.complete_order(order.id, orders.CompletionRequest(total=500), by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    ten, noon, ten_the_next_day = (NOON + timedelta(hours=hours) for hours in (22, 24, 46))
    move_next_attempt(Obligation.objects.get(order=moved).id, noon, at=NOON)
    assert deduct_due(power_bank.realm_id, at=ten) == 1

    assert deduct_due(power_bank.realm_id, at=noon) == 1

    owed = Obligation.objects.get(order=moved)
    assert (owed.attempts, owed.collect_at, owed.plan[0]["reason"]) == (1, ten_the_next_day, "moved")
    deduct_due(power_bank.realm_id, at=ten_the_next_day)
    assert Obligation.objects.get(order=moved).attempts == 2
    assert Deduction.objects.filter(prepared_at=ten_the_next_day).count() == 1


def test_people_who_fail_do_not_hold_up_those_behind_however_much_they_owe(
    power_bank: Shop, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = [make_person(power_bank) for _ in range(2)]
    for person in failing:
        agreement = make_agreement(power_bank, person)
        for _ in range(2):
            order = make_order(power_bank, agreement, ceiling=100)
            orders.complete_order(order.id, orders.CompletionRequest(total=100), by=BY, at=NOON)
    behind = make_due_order(power_bank, ada, yuan("1"))
    real, bad = attempt_plans._next_request, {person.id for person in failing}  # noqa: SLF001  it is the one that fails

    def trip(row: Obligation, *args: Any) -> Any:
        if row.person_id in bad:
            raise ZeroDivisionError("poison")
        return real(row, *args)

    monkeypatch.setattr(attempt_plans, "_next_request", trip)
    sweep_realms(Obligation, "collect_at", lambda realm, at, limit: deduct_due(realm, at=at, limit=limit), batch_size=2)
    assert state_of(behind) == "deducted"
