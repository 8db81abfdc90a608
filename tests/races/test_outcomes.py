"""R5: the same outcome is reported many times at once, in several ways. It is applied once."""

import json
from datetime import timedelta
from functools import partial

import pytest

from billing.channels import Declined, bank
from billing.models import Callback, ChannelReport, Deduction
from billing.services import deduct
from billing.services.callbacks import deliver_realm_callbacks, receive_callback
from billing.services.deduct import deduct_due
from billing.services.deduction_outcomes import DeductionReport, settle_all
from billing.services.outcome_polling import poll_deductions
from ledger.models import Posting
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person, state_of
from tests.races.checks import count_events, deducted_from, deductions_of, ledger_collected_from, rounds
from tests.threads import refusals, run_concurrently

SAME_CALLBACKS = 50
LATER = NOON + timedelta(seconds=61)
pytestmark = pytest.mark.django_db(transaction=True)


def owing(shop: Shop, behaviour: str) -> Order:
    """A person with this bank behaviour who owes ¥3."""
    order = make_order(shop, make_agreement(shop, make_person(shop, behaviour)), ceiling=1_000)
    return orders.complete_order(order.id, orders.CompletionRequest(total=300), by=BY, at=NOON)


def callback_of(row: Deduction, txn: str) -> bytes:
    note = {"notify_id": f"n_{row.number}", "number": row.number, "txn": txn, "amount": 300, "currency": "CNY"}
    return json.dumps(note).encode()


def is_paid_once(order: Order) -> None:
    assert state_of(order) == "deducted"
    assert deducted_from(order.person) == ledger_collected_from(order.person) == 300
    (row,) = deductions_of(order)
    assert [line.kind for line in row.history.order_by("seq")][-1] == "succeeded"
    assert row.history.filter(kind="succeeded").count() == 1
    assert Posting.objects.filter(order_id=order.id, kind="collected", credit_account="receivable").count() == 1
    assert (
        count_events(order, "deduction.succeeded")
        == count_events(order, "order.deducted")
        == count_events(order, "obligation.paid")
        == 1
    )


def test_the_same_callback_fifty_times_at_once_counts_once(power_bank: Shop) -> None:
    for _ in rounds(f"the same callback {SAME_CALLBACKS} times"):
        order = owing(power_bank, "slow")
        deduct_due(power_bank.realm_id, at=NOON)
        (row,) = deductions_of(order)
        known = bank.look_up(row.number, at=NOON)
        raw = callback_of(row, known.txn)  # type: ignore[union-attr]
        knock = partial(receive_callback, "sandbox", raw, bank.sign(raw), real=NOON)

        heard = run_concurrently(*[knock] * SAME_CALLBACKS)

        assert sorted(heard) == [False] * (SAME_CALLBACKS - 1) + [True]
        assert Callback.objects.filter(notify_id=f"n_{row.number}").count() == 1
        assert ChannelReport.objects.filter(deduction=row, source="callback").count() == 1
        is_paid_once(order)


def test_the_answer_the_callback_and_the_query_arrive_at_once_and_are_one_success(power_bank: Shop) -> None:
    for _ in rounds("answer, callback, query"):
        order = owing(power_bank, "pays")
        (row,), _seen = deduct.prepare_due(power_bank.realm_id, at=NOON, limit=9)
        answer = bank.debit(row.number, row.instrument.token, row.amount, at=NOON)
        raw = callback_of(row, answer.txn)  # type: ignore[union-attr]

        run_concurrently(
            partial(settle_all, [DeductionReport(row.id, answer, "sync")], by=BY, at=LATER),
            partial(receive_callback, "sandbox", raw, bank.sign(raw), real=LATER),
            partial(poll_deductions, power_bank.realm_id, at=LATER),
            partial(poll_deductions, power_bank.realm_id, at=LATER),
        )

        is_paid_once(order)
        assert ChannelReport.objects.filter(deduction=row, outcome="taken").count() in (2, 3)


def test_a_refusal_told_by_two_ways_at_once_frees_and_plans_once(power_bank: Shop) -> None:
    for _ in rounds("declined by answer and query"):
        order = owing(power_bank, "no_funds")
        (row,), _seen = deduct.prepare_due(power_bank.realm_id, at=NOON, limit=9)
        answer = bank.debit(row.number, row.instrument.token, row.amount, at=NOON)
        assert isinstance(answer, Declined)

        run_concurrently(
            partial(settle_all, [DeductionReport(row.id, answer, "sync")], by=BY, at=LATER),
            partial(settle_all, [DeductionReport(row.id, answer, "query")], by=BY, at=LATER),
            partial(poll_deductions, power_bank.realm_id, at=LATER),
        )

        row = Deduction.objects.get(pk=row.id)
        owed = order.obligations.get()
        assert (row.state, row.history.filter(kind="failed").count(), count_events(order, "deduction.failed")) == (
            "failed",
            1,
            1,
        )
        assert (owed.in_flight, owed.plan[0]["reason"]) == (None, "retry_1d")


def test_two_who_ask_at_once_ask_once(power_bank: Shop) -> None:
    for _ in rounds("two who ask"):
        order = owing(power_bank, "late_callback")
        deduct_due(power_bank.realm_id, at=NOON)

        asked = run_concurrently(*[partial(poll_deductions, power_bank.realm_id, at=NOON + timedelta(seconds=5))] * 2)

        (row,) = deductions_of(order)
        assert (sum(asked), row.asks, row.state) == (1, 1, "unknown")
        poll_deductions(power_bank.realm_id, at=NOON + timedelta(days=2))
        is_paid_once(order)


def test_two_couriers_send_each_delivery_once(power_bank: Shop) -> None:
    realm = power_bank.merchant.realm
    for _ in rounds("two postmen"):
        order = owing(power_bank, "duplicate_callback")
        deduct_due(power_bank.realm_id, at=NOON)

        outcomes = run_concurrently(*[partial(deliver_realm_callbacks, realm, real=NOON)] * 2)

        assert refusals(outcomes) == []
        is_paid_once(order)
        assert bank.due_callbacks(f"{power_bank.realm_id}:", at=NOON) == []
