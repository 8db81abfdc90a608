"""A channel takes back what cannot be: the money is gone there all the same, so it stands where it can be seen."""

import pytest

from billing.channels import bank_returns
from billing.models import Break, Case, Dispute, RefundPart
from billing.services.ask_parts import ask_parts
from billing.services.breaks import hear_breaks
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.disputes import Withdrawal, take_back
from merchants.models import Event
from tests.billing.bench import balances, deduction_of, give_back, paid
from tests.billing.statements import NEXT_DAY, STRAY, of_bank, taken_in, written
from tests.conftest import BY, NOON, Shop, completed, fresh, someone, yuan
from tests.stillness import nothing_moves


def test_money_that_our_book_does_not_have_there_stands_in_suspense(power_bank: Shop) -> None:
    order = paid(power_bank)
    word = Withdrawal("x-1", yuan("7"), "no_funds")
    assert take_back(deduction_of(order).id, word, by=BY, at=NOON) is None
    with nothing_moves():
        take_back(deduction_of(order).id, word, by=BY, at=NOON)
    assert Case.objects.get().kind == "taken_back_wrong_amount"
    assert balances(power_bank)["suspense"] == -700
    assert fresh(order.id).state == "deducted"


@pytest.mark.breaks_the_house  # the bank knows nothing of these returns
def test_one_movement_is_not_two_debits_return_and_the_second_is_not_swallowed(power_bank: Shop) -> None:
    mine, others = paid(power_bank), paid(power_bank)
    word = Withdrawal("x-1", yuan("6"), "no_funds")
    assert take_back(deduction_of(mine).id, word, by=BY, at=NOON)
    assert take_back(deduction_of(others).id, word, by=BY, at=NOON) is None
    with nothing_moves():
        assert take_back(deduction_of(mine).id, word, by=BY, at=NOON)
        assert take_back(deduction_of(others).id, word, by=BY, at=NOON) is None
    assert Case.objects.get().kind == "taken_back_same_number"
    assert (fresh(others.id).state, balances(power_bank)["suspense"]) == ("deducted", -600)


def test_a_debit_that_took_nothing_cannot_be_taken_back(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "no_funds"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    take_back(deduction_of(order).id, Withdrawal("x-1", yuan("6"), "no_funds"), by=BY, at=NOON)
    assert Case.objects.get().kind == "taken_back_untaken"


@pytest.mark.breaks_the_house  # the bank knows nothing of these returns
def test_a_return_that_waits_for_a_refund_keeps_no_import_and_nothing_behind_it_waiting(power_bank: Shop) -> None:
    order, behind = paid(power_bank, behaviour="timeout_then_paid"), paid(power_bank, "7")
    give_back(order, "1")
    line = STRAY | {"kind": "return", "number": deduction_of(order).number}
    lines = [
        line | {"transaction": "rt1", "amount": 500},
        line | {"transaction": "rt2", "amount": 300},
        line | {"transaction": "rt3", "number": deduction_of(behind).number, "amount": 700},
    ]
    taken_in(power_bank, written(lines))
    hear_breaks(power_bank.realm_id, by=BY, at=NEXT_DAY, limit=1)
    waits = Break.objects.filter(heard_at=None).values_list("theirs_minor", flat=True).order_by("id")
    assert list(waits) == [500, 300]
    assert Dispute.objects.get().deduction_id == deduction_of(behind).id

    ask_parts(power_bank.realm_id, at=NEXT_DAY)
    assert RefundPart.objects.get().state == "succeeded"
    hear_breaks(power_bank.realm_id, by=BY, at=NEXT_DAY)
    assert not Break.objects.filter(heard_at=None).exists()
    assert Dispute.objects.filter(deduction=deduction_of(order)).count() == 1
    assert Case.objects.get().kind == "taken_back_wrong_amount", "the second, of what was gone by then"


def test_a_reason_that_is_heard_after_the_statement_says_who_bears_it_while_that_is_open(shop: Shop) -> None:
    order = paid(shop)
    assert bank_returns.take_back(deduction_of(order).number, "not_authorised", at=NOON)
    taken_in(shop, of_bank(shop))
    assert Dispute.objects.get().bearer == "merchant"
    deliver_callbacks(shop.realm_id, at=NEXT_DAY)
    dispute = Dispute.objects.get()
    assert (dispute.code, dispute.state, dispute.bearer) == ("not_authorised", "open", "person")
    assert Event.objects.filter(subject_id=order.id, type="dispute.opened").count() == 2
