from datetime import timedelta

import pytest

from accounts.models import Person
from billing.channels import bank
from billing.models import Deduction
from billing.services.ask import ask_unknown
from billing.services.deduct import deduct_due
from billing.services.plan import CannotMove, move_next
from kernel.money import Money
from ledger.models import Posting
from orders import services as orders
from orders.models import Obligation, Order
from tests.conftest import BY, NOON, Shop, completed, opened, ordered, someone, state_of, yuan


def deduction_of(order: Order) -> Deduction:
    return Deduction.objects.filter(lines__order=order).latest("id")


def taken_from(person: Person) -> list[Money]:
    return bank.debits_of(person.instruments.get().token)


def test_what_is_due_is_taken_and_booked(power_bank: Shop, ada: Person) -> None:
    order = completed(power_bank, ada, yuan("12.34"))

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


def test_a_lost_answer_is_asked_about_before_anything_is_sent_again(power_bank: Shop) -> None:
    person = someone(power_bank, "timeout_then_paid")
    order = completed(power_bank, person, yuan("12.34"))

    deduct_due(power_bank.realm_id, at=order.completed_at)
    assert deduction_of(order).state == "unknown"
    assert deduct_due(power_bank.realm_id, at=order.completed_at + timedelta(days=1)) == 0
    ask_unknown(power_bank.realm_id, at=order.completed_at + timedelta(seconds=5))

    assert state_of(order) == "deducted"
    assert taken_from(person) == [yuan("12.34")]


def test_what_a_person_owes_at_one_time_is_one_debit_the_oldest_first(power_bank: Shop, ada: Person) -> None:
    agreement = opened(power_bank, ada)
    owed = []
    for minutes, amount in ((30, "3"), (10, "2"), (20, "1")):
        order = ordered(power_bank, agreement)
        due = NOON + timedelta(minutes=minutes)
        orders.complete_order(order.id, orders.Final(total=yuan(amount).minor, due_at=due), by=BY, at=NOON)
        owed.append(order)

    assert deduct_due(power_bank.realm_id, at=NOON + timedelta(hours=1)) == 3

    assert taken_from(ada) == [yuan("6")]
    deduction = Deduction.objects.get()
    assert [line.amount_minor for line in deduction.lines.order_by("id")] == [200, 100, 300]
    assert [state_of(order) for order in owed] == ["deducted"] * 3


def test_a_retry_whose_hour_has_passed_into_the_night_waits_for_the_morning(power_bank: Shop) -> None:
    person = someone(power_bank, "no_funds_until", until=NOON + timedelta(hours=20))
    order = completed(power_bank, person, yuan("5"))
    deduct_due(power_bank.realm_id, at=NOON)

    night = NOON + timedelta(days=1, hours=11)  # the workers were away; it is 23:00
    assert deduct_due(power_bank.realm_id, at=night) == 1
    assert (taken_from(person), state_of(order)) == ([], "completed")
    assert Obligation.objects.get(order=order).collect_at == night + timedelta(hours=8)

    deduct_due(power_bank.realm_id, at=night + timedelta(hours=8))
    assert (taken_from(person), state_of(order)) == ([yuan("5")], "deducted")


def test_a_person_moves_the_next_attempt_once(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "no_funds"), yuan("5"))
    deduct_due(power_bank.realm_id, at=NOON)
    owed = Obligation.objects.get(order=order)
    later = owed.collect_at + timedelta(days=4)

    move_next(owed.id, later, at=NOON)

    moved = Obligation.objects.get(order=order)
    assert (moved.collect_at, moved.plan[0]["reason"]) == (later, "moved")
    assert all(attempt["at"] > later.isoformat() for attempt in moved.plan[1:])
    with pytest.raises(CannotMove):
        move_next(owed.id, later + timedelta(days=1), at=NOON)


def test_one_instrument_is_asked_once_a_day_over_all_a_person_owes(power_bank: Shop) -> None:
    agreement = opened(power_bank, someone(power_bank, "no_funds"))
    moved, other = (ordered(power_bank, agreement) for _ in range(2))
    for order in (moved, other):
        orders.complete_order(order.id, orders.Final(total=500), by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    ten, noon, ten_the_next_day = (NOON + timedelta(hours=hours) for hours in (22, 24, 46))
    move_next(Obligation.objects.get(order=moved).id, noon, at=NOON)
    assert deduct_due(power_bank.realm_id, at=ten) == 1

    assert deduct_due(power_bank.realm_id, at=noon) == 1

    owed = Obligation.objects.get(order=moved)
    assert (owed.attempts, owed.collect_at, owed.plan[0]["reason"]) == (1, ten_the_next_day, "moved")
    deduct_due(power_bank.realm_id, at=ten_the_next_day)
    assert Obligation.objects.get(order=moved).attempts == 2
    assert Deduction.objects.filter(prepared_at=ten_the_next_day).count() == 1
