from datetime import timedelta

from billing.channels import bank
from billing.models import Deduction
from billing.services.ask import ask_unknown
from billing.services.deduct import deduct_due
from ledger.models import Posting
from tests.conftest import Shop, completed, someone, state_of, yuan


def deduction_of(order):
    return Deduction.objects.filter(lines__order=order).latest("id")


def taken_from(person):
    return bank.debits_of(person.instruments.get().token)


def test_what_is_due_is_taken_and_booked(power_bank: Shop, ada) -> None:
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
