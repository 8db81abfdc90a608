"""R5: one outcome is told many times at once, by several ways. It becomes true once."""

import json
from datetime import timedelta
from functools import partial

import pytest

from billing.channels import Declined, bank
from billing.models import Callback, ChannelReport, Deduction
from billing.services import deduct
from billing.services.ask import ask_unknown
from billing.services.callbacks import deliver_sandbox_callbacks, receive
from billing.services.deduct import deduct_due
from billing.services.settle import Report, settle_all
from ledger.models import Posting
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, opened, ordered, someone, state_of
from tests.races.ground import attempts_at, booked, rounds, taken_from, told
from tests.threads import at_once, refusals

SAME_CALLBACKS = 50
LATER = NOON + timedelta(seconds=61)
pytestmark = pytest.mark.django_db(transaction=True)


def owing(shop: Shop, behaviour: str) -> Order:
    """Somebody whose account behaves so owes ¥3."""
    order = ordered(shop, opened(shop, someone(shop, behaviour)), ceiling=1_000)
    return orders.complete_order(order.id, orders.Final(total=300), by=BY, at=NOON)


def callback_of(row: Deduction, txn: str) -> bytes:
    note = {"notify_id": f"n_{row.number}", "number": row.number, "txn": txn, "amount": 300, "currency": "CNY"}
    return json.dumps(note).encode()


def is_paid_once(order: Order) -> None:
    assert state_of(order) == "deducted"
    assert taken_from(order.person) == booked(order.person) == 300
    (row,) = attempts_at(order)
    assert [line.kind for line in row.history.order_by("seq")][-1] == "succeeded"
    assert row.history.filter(kind="succeeded").count() == 1
    assert Posting.objects.filter(order_id=order.id, kind="collected", credit_account="receivable").count() == 1
    assert told(order, "deduction.succeeded") == told(order, "order.deducted") == told(order, "obligation.paid") == 1


def test_the_same_callback_fifty_times_at_once_counts_once(power_bank: Shop) -> None:
    for _ in rounds(f"the same callback {SAME_CALLBACKS} times"):
        order = owing(power_bank, "slow")
        deduct_due(power_bank.realm_id, at=NOON)
        (row,) = attempts_at(order)
        known = bank.look_up(row.number, at=NOON)
        raw = callback_of(row, known.txn)  # type: ignore[union-attr]
        knock = partial(receive, "sandbox", raw, bank.sign(raw), real=NOON)

        heard = at_once(*[knock] * SAME_CALLBACKS)

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

        at_once(
            partial(settle_all, [Report(row.id, answer, "sync")], by=BY, at=LATER),
            partial(receive, "sandbox", raw, bank.sign(raw), real=LATER),
            partial(ask_unknown, power_bank.realm_id, at=LATER),
            partial(ask_unknown, power_bank.realm_id, at=LATER),
        )

        is_paid_once(order)
        assert ChannelReport.objects.filter(deduction=row, outcome="taken").count() in (2, 3)


def test_a_refusal_told_by_two_ways_at_once_frees_and_plans_once(power_bank: Shop) -> None:
    for _ in rounds("declined by answer and query"):
        order = owing(power_bank, "no_funds")
        (row,), _seen = deduct.prepare_due(power_bank.realm_id, at=NOON, limit=9)
        answer = bank.debit(row.number, row.instrument.token, row.amount, at=NOON)
        assert isinstance(answer, Declined)

        at_once(
            partial(settle_all, [Report(row.id, answer, "sync")], by=BY, at=LATER),
            partial(settle_all, [Report(row.id, answer, "query")], by=BY, at=LATER),
            partial(ask_unknown, power_bank.realm_id, at=LATER),
        )

        row = Deduction.objects.get(pk=row.id)
        owed = order.obligations.get()
        assert (row.state, row.history.filter(kind="failed").count(), told(order, "deduction.failed")) == (
            "failed",
            1,
            1,
        )
        assert (owed.in_flight, owed.plan[0]["reason"]) == (None, "retry_1d")


def test_two_who_ask_at_once_ask_once(power_bank: Shop) -> None:
    for _ in rounds("two who ask"):
        order = owing(power_bank, "late_callback")
        deduct_due(power_bank.realm_id, at=NOON)

        asked = at_once(*[partial(ask_unknown, power_bank.realm_id, at=NOON + timedelta(seconds=5))] * 2)

        (row,) = attempts_at(order)
        assert (sum(asked), row.asks, row.state) == (1, 1, "unknown")
        ask_unknown(power_bank.realm_id, at=NOON + timedelta(days=2))
        is_paid_once(order)


def test_two_postmen_with_the_same_letters_at_once(power_bank: Shop) -> None:
    realm = power_bank.merchant.realm
    for _ in rounds("two postmen"):
        order = owing(power_bank, "duplicate_callback")
        deduct_due(power_bank.realm_id, at=NOON)

        outcomes = at_once(*[partial(deliver_sandbox_callbacks, realm, real=NOON)] * 2)

        assert refusals(outcomes) == []
        is_paid_once(order)
        assert bank.callbacks_due(f"{power_bank.realm_id}:", at=NOON) == []
