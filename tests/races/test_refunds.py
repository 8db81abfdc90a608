"""R2: two refunds at once, or a refund beside a deduction or a waiver. Never more is refunded than was collected."""

from datetime import timedelta
from functools import partial

import pytest

from accounts.models import Person
from billing.channels import bank, bank_refunds
from billing.models import DeductionLine, Refund
from billing.services.deduct import deduct_due
from billing.services.movement_polling import poll_refund_parts
from billing.services.pay import pay_now
from billing.services.refund_retries import retry_refunds
from billing.services.refunds import RefundDetails, refund_order
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, reload_order
from tests.races.checks import count_events, rounds
from tests.threads import refusals, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)


def giving_back(order: Order, amount: int, *, number: str | None = None) -> partial[tuple[Refund, bool]]:
    asked = RefundDetails(amount_minor=amount, reason="x", out_refund_no=number)
    return partial(refund_order, order.id, asked, by=BY, at=NOON)


def went_back(person: Person) -> int:
    tokens = person.instruments.filter(channel="sandbox").values_list("token", flat=True)
    return sum(money.minor for token in tokens for money in bank_refunds.refunds_of(token))


def test_four_refunds_at_once_never_give_back_more_than_was_collected(power_bank: Shop, ada: Person) -> None:
    agreement, back = make_agreement(power_bank, ada), 0
    for _ in rounds("four refunds"):
        order = make_order(power_bank, agreement, ceiling=1_000)
        orders.complete_order(order.id, orders.CompletionRequest(total=500), by=BY, at=NOON)
        deduct_due(power_bank.realm_id, at=NOON)

        outcomes = run_concurrently(*[giving_back(order, 200) for _ in range(4)])

        assert refusals(outcomes) == ["refund_too_much"] * 2
        back += 400
        assert reload_order(order.id).refunded_minor == DeductionLine.objects.get(order=order).refunded_minor == 400
        assert count_events(order, "refund.succeeded") == 2
    assert went_back(ada) == back


def test_one_number_asked_for_five_times_at_once_is_one_refund(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    for turn in rounds("one refund's number"):
        order = make_order(power_bank, agreement, ceiling=1_000)
        orders.complete_order(order.id, orders.CompletionRequest(total=500), by=BY, at=NOON)
        deduct_due(power_bank.realm_id, at=NOON)

        outcomes = run_concurrently(*[giving_back(order, 100, number=f"R-{turn}") for _ in range(5)])

        assert refusals(outcomes) == []
        assert [made for _, made in outcomes].count(True) == 1
        assert Refund.objects.filter(order=order).count() == 1


def test_a_refund_and_whatever_else_changes_what_is_owed_are_one_after_the_other(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    due = NOON + timedelta(days=1)
    others = (
        lambda order: partial(orders.cancel_order, order.id, "x", by=BY, at=NOON),
        lambda order: partial(orders.reduce_total, order.id, 400, "x", by=BY, at=NOON),
        lambda order: partial(pay_now, order.id, by=BY, at=NOON),
        lambda order: partial(orders.mark_paid, order.id, NOON, "till", by=BY, at=NOON),
    )
    for _ in rounds("refund, anything else"):
        for other in others:
            order = make_order(power_bank, agreement, ceiling=1_000)
            orders.complete_order(order.id, orders.CompletionRequest(total=500, due_at=due), by=BY, at=NOON)

            outcomes = run_concurrently(giving_back(order, 450), other(order))

            allowed = {"order_state", "deduction_in_flight", "paid_elsewhere", "refund_too_much", "busy"}
            allowed |= {"already_collected", "total_raised", "amount_invalid"}
            assert set(refusals(outcomes)) <= allowed
            for refund in Refund.objects.filter(order=order):
                assert refund.state == "succeeded"


def test_two_askers_about_one_part_find_one_answer(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    for _ in rounds("two askers about a refund"):
        order = make_order(power_bank, agreement, ceiling=1_000)
        orders.complete_order(order.id, orders.CompletionRequest(total=500), by=BY, at=NOON)
        deduct_due(power_bank.realm_id, at=NOON)
        bank.change_account(ada.instruments.get().token, bank.Behaviour.SLOW)
        giving_back(order, 200)()
        later = NOON + timedelta(minutes=1)
        run_concurrently(*[partial(poll_refund_parts, power_bank.realm_id, at=later) for _ in range(3)])
        bank.change_account(ada.instruments.get().token, bank.Behaviour.PAYS)

        assert reload_order(order.id).refunded_minor == 200
        assert count_events(order, "refund.succeeded") == 1


def test_two_senders_of_a_part_that_waits_send_it_once_more(power_bank: Shop, ada: Person) -> None:
    agreement, token = make_agreement(power_bank, ada), ada.instruments.get().token
    for turn in rounds("a instalment that waits, two senders"):
        order = make_order(power_bank, agreement, ceiling=1_000)
        orders.complete_order(order.id, orders.CompletionRequest(total=500), by=BY, at=NOON)
        deduct_due(power_bank.realm_id, at=NOON)
        bank.change_account(token, bank.Behaviour.TIMEOUT_THEN_NOT_PAID)
        giving_back(order, 200)()
        for minutes in (1, 2, 9):
            poll_refund_parts(power_bank.realm_id, at=NOON + timedelta(minutes=minutes))
        later = NOON + timedelta(hours=1)
        hands = [partial(retry_refunds, power_bank.realm_id, at=later) for _ in range(3)]
        run_concurrently(*hands, partial(poll_refund_parts, power_bank.realm_id, at=later))
        bank.change_account(token, bank.Behaviour.PAYS)

        assert (reload_order(order.id).refunded_minor, count_events(order, "refund.succeeded")) == (200, 1)
        assert went_back(ada) == 200 * turn
