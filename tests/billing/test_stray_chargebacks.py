"""Chargebacks that match no deduction: the money has left the channel, so it is in suspense with a case."""

import pytest

from billing.channels import Succeeded, bank_disputes
from billing.models import Break, Case, Deduction, Dispute, RefundPart
from billing.services.breaks import process_breaks
from billing.services.callbacks import deliver_callbacks
from billing.services.cases import close_case
from billing.services.deduct import deduct_due
from billing.services.deduction_outcomes import DeductionReport, settle_all
from billing.services.disputes import Chargeback, record_chargeback
from billing.services.movement_polling import poll_refund_parts
from merchants.models import Event
from orders.models import Order
from tests.billing.helpers import balances, issue_refund, latest_deduction_of, paid_order
from tests.billing.statements import NEXT_DAY, STRAY, bank_statement, import_file, statement_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, reload_order, yuan
from tests.unchanged import assert_unchanged


def test_stray_chargeback_is_in_suspense(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    word = Chargeback("x-1", yuan("7"), "no_funds")
    assert record_chargeback(latest_deduction_of(order).id, word, by=BY, at=NOON) is None
    with assert_unchanged():
        record_chargeback(latest_deduction_of(order).id, word, by=BY, at=NOON)
    assert Case.objects.get().kind == "taken_back_wrong_amount"
    assert balances(power_bank)["suspense"] == -700
    assert reload_order(order.id).state == "deducted"


@pytest.mark.breaks_invariants  # the bank knows nothing of these returns
def test_one_transaction_number_for_two_debits_opens_a_case(power_bank: Shop) -> None:
    mine, others = paid_order(power_bank), paid_order(power_bank)
    word = Chargeback("x-1", yuan("6"), "no_funds")
    assert record_chargeback(latest_deduction_of(mine).id, word, by=BY, at=NOON)
    assert record_chargeback(latest_deduction_of(others).id, word, by=BY, at=NOON) is None
    with assert_unchanged():
        assert record_chargeback(latest_deduction_of(mine).id, word, by=BY, at=NOON)
        assert record_chargeback(latest_deduction_of(others).id, word, by=BY, at=NOON) is None
    assert Case.objects.get().kind == "taken_back_same_number"
    assert (reload_order(others.id).state, balances(power_bank)["suspense"]) == ("deducted", -600)


def test_failed_debit_cannot_be_charged_back(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    record_chargeback(latest_deduction_of(order).id, Chargeback("x-1", yuan("6"), "no_funds"), by=BY, at=NOON)
    assert Case.objects.get().kind == "taken_back_untaken"


@pytest.mark.breaks_invariants  # the bank knows nothing of these returns
def test_waiting_chargeback_does_not_block_the_import(power_bank: Shop) -> None:
    order, behind = paid_order(power_bank, behaviour="timeout_then_paid"), paid_order(power_bank, "7")
    issue_refund(order, "1")
    line = STRAY | {"kind": "return", "number": latest_deduction_of(order).number}
    lines = [
        line | {"transaction": "rt1", "amount": 500},
        line | {"transaction": "rt2", "amount": 300},
        line | {"transaction": "rt3", "number": latest_deduction_of(behind).number, "amount": 700},
    ]
    import_file(power_bank, statement_of(lines))
    process_breaks(power_bank.realm_id, by=BY, at=NEXT_DAY, limit=1)
    waits = Break.objects.filter(heard_at=None).values_list("theirs_minor", flat=True).order_by("id")
    assert list(waits) == [500, 300]
    assert Dispute.objects.get().deduction_id == latest_deduction_of(behind).id

    poll_refund_parts(power_bank.realm_id, at=NEXT_DAY)
    assert RefundPart.objects.get().state == "succeeded"
    process_breaks(power_bank.realm_id, by=BY, at=NEXT_DAY)
    assert not Break.objects.filter(heard_at=None).exists()
    assert Dispute.objects.filter(deduction=latest_deduction_of(order)).count() == 1
    assert Case.objects.get().kind == "taken_back_wrong_amount", "the second, of what was gone by then"


def test_reason_reported_after_the_statement_sets_the_bearer(shop: Shop) -> None:
    order = paid_order(shop)
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "not_authorised", at=NOON)
    import_file(shop, bank_statement(shop))
    assert Dispute.objects.get().bearer == "merchant"
    deliver_callbacks(shop.realm_id, at=NEXT_DAY)
    dispute = Dispute.objects.get()
    assert (dispute.code, dispute.state, dispute.bearer) == ("not_authorised", "open", "person")
    assert Event.objects.filter(subject_id=order.id, type="dispute.opened").count() == 2


@pytest.mark.breaks_invariants  # the bank knows nothing of the second debit
@pytest.mark.parametrize("source", ["callback", "statement"])
@pytest.mark.parametrize("second_debit", ["open", "closed"])
def test_corrected_second_debit_is_not_disputed(power_bank: Shop, source: str, second_debit: str) -> None:
    order = paid_order(power_bank)
    row = deducted_twice(order)
    if second_debit == "closed":
        close_case(Case.objects.get().id, "returned", "the bank corrects it", by=BY, at=NOON)
    for _ in range(2):
        if source == "callback":
            record_chargeback(row.id, Chargeback("x-1", row.amount, "no_funds"), by=BY, at=NOON)
            continue
        line = STRAY | {"kind": "return", "number": row.number, "transaction": "x-1", "amount": 600}
        import_file(power_bank, statement_of([line]))

    assert set(Case.objects.values_list("kind", flat=True)) == {"taken_twice", "taken_back_one_of_two"}
    assert (reload_order(order.id).state, Dispute.objects.count()) == ("deducted", 0)
    for case in Case.objects.filter(closed_at=None):
        close_case(case.id, "returned", "corrected", by=BY, at=NOON)
    now = balances(power_bank)
    assert ("suspense" not in now, now["clearing:sandbox"]) == (True, 600), "the customer has paid once"


@pytest.mark.breaks_invariants  # the bank knows nothing of the second debit
def test_money_of_a_corrected_second_debit_leaves_suspense_at_once(power_bank: Shop) -> None:
    row = deducted_twice(paid_order(power_bank))
    record_chargeback(row.id, Chargeback("x-1", row.amount, "no_funds"), by=BY, at=NOON)
    assert "suspense" not in balances(power_bank)


@pytest.mark.breaks_invariants  # the bank knows nothing of the second debit
@pytest.mark.parametrize("first_return", ["explained", "none"])
def test_return_of_the_good_debit_opens_a_dispute_after_a_double_debit(power_bank: Shop, first_return: str) -> None:
    order = paid_order(power_bank)
    row = deducted_twice(order)
    if first_return == "explained":
        record_chargeback(row.id, Chargeback("x-1", row.amount, "no_funds"), by=BY, at=NOON)
    else:
        close_case(Case.objects.get().id, "wallet", "it is the customer's", by=BY, at=NOON)
    assert record_chargeback(row.id, Chargeback("x-2", row.amount, "no_funds"), by=BY, at=NOON)
    assert reload_order(order.id).state == "overdue"


@pytest.mark.breaks_invariants  # the bank knows nothing of the second debit
def test_repeated_return_opens_a_dispute_once_the_second_debit_is_the_customers(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    row = deducted_twice(order)
    word = Chargeback("x-1", row.amount, "no_funds")
    record_chargeback(row.id, word, by=BY, at=NOON)
    close_case(Case.objects.get(kind="taken_twice").id, "wallet", "it is the customer's", by=BY, at=NOON)
    assert record_chargeback(row.id, word, by=BY, at=NOON)
    assert Case.objects.get(kind="taken_back_one_of_two").closed_at
    assert "suspense" not in balances(power_bank)


def deducted_twice(order: Order) -> Deduction:
    """The order's deduction, after the channel reported a second transaction for it."""
    row = latest_deduction_of(order)
    settle_all([DeductionReport(row.id, Succeeded("second", row.amount), "callback")], by=BY, at=NOON)
    return row
