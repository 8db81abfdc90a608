"""R2: a deduction is returned while it is refunded, paid again or settled. Nothing is paid out twice."""

from datetime import timedelta
from functools import partial

import pytest

from accounts.models import Person
from billing.channels import bank_disputes, bank_refunds
from billing.models import DeductionLine, Dispute
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.dispute_deadlines import process_due_disputes
from billing.services.dispute_evidence import Evidence, contest_dispute, submit_evidence
from billing.services.disputes import accept_dispute
from billing.services.pay import pay_now
from billing.services.settlements import settle_due
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import latest_deduction_of
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan
from tests.overdue import make_overdue
from tests.races.checks import rounds
from tests.races.test_refunds import giving_back
from tests.settlement.helpers import MIDNIGHT
from tests.threads import pause_before, refusals, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)


def collected(shop: Shop, agreement: object) -> Order:
    order = make_order(shop, agreement, ceiling=1_000)  # type: ignore[arg-type]
    orders.complete_order(order.id, orders.CompletionRequest(total=500), by=BY, at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    return order


def test_what_is_taken_back_and_refunded_at_once_is_never_more_than_was_collected(
    power_bank: Shop, ada: Person
) -> None:
    agreement, token = make_agreement(power_bank, ada), ada.instruments.get().token
    for _ in rounds("returned debit, refund, settlement"):
        order = collected(power_bank, agreement)
        bank_disputes.reverse_debit(latest_deduction_of(order).number, "not_received", at=NOON)
        outcomes = run_concurrently(
            giving_back(order, 200),
            giving_back(order, 200),
            partial(deliver_callbacks, power_bank.realm_id, at=NOON),
            partial(deliver_callbacks, power_bank.realm_id, at=NOON),
            partial(settle_due, power_bank.realm_id, at=MIDNIGHT),
        )
        assert set(refusals(outcomes)) <= {"refund_too_much", "busy"}
        deliver_callbacks(power_bank.realm_id, at=NOON + timedelta(minutes=1))

        assert Dispute.objects.filter(deduction=latest_deduction_of(order)).count() == 1
        assert DeductionLine.objects.get(order=order).refunded_minor == 500
    assert bank_refunds.refunds_of(token) == [], "the bank had taken everything back before"


def test_a_colleague_and_the_deadline_end_a_dispute_once(power_bank: Shop, ada: Person) -> None:
    agreement, late = make_agreement(power_bank, ada), NOON + timedelta(days=7)
    for _ in rounds("a dispute's two ends"):
        order = collected(power_bank, agreement)
        bank_disputes.reverse_debit(latest_deduction_of(order).number, "not_received", at=NOON)
        deliver_callbacks(power_bank.realm_id, at=NOON)
        dispute = Dispute.objects.get(deduction=latest_deduction_of(order))
        run_concurrently(
            partial(process_due_disputes, power_bank.realm_id, at=late),
            partial(accept_dispute, dispute.id, "platform", "x", by=BY, at=late),
            partial(process_due_disputes, power_bank.realm_id, at=late),
        )
        assert [line.kind for line in dispute.history.order_by("seq")][-1:] == ["lost"]
        assert dispute.history.filter(kind="lost").count() == 1


def test_a_merchant_a_colleague_and_the_deadline_say_one_thing_to_the_channel(power_bank: Shop, ada: Person) -> None:
    agreement, late = make_agreement(power_bank, ada), NOON + timedelta(days=7)
    soon, merchant = late - timedelta(seconds=1), power_bank.merchant.id
    for _ in rounds("a dispute's answers"):
        order = collected(power_bank, agreement)
        bank_disputes.reverse_debit(latest_deduction_of(order).number, "not_received", at=NOON)
        deliver_callbacks(power_bank.realm_id, at=NOON)
        row = Dispute.objects.get(deduction=latest_deduction_of(order))
        outcomes = run_concurrently(
            partial(submit_evidence, row.id, merchant, Evidence(statement="a"), by=BY, at=soon),
            partial(submit_evidence, row.id, merchant, Evidence(statement="b"), by=BY, at=soon),
            partial(contest_dispute, row.id, "c", by=BY, at=soon),
            partial(process_due_disputes, power_bank.realm_id, at=late),
        )
        assert len(refusals(outcomes)) >= 2
        assert [line.kind for line in row.history.order_by("seq")][-1] in {"contested", "lost"}
        assert row.history.filter(kind__in=["contested", "lost"]).count() == 1
        assert row.answers.count() <= 1


def test_a_debt_is_not_given_up_between_being_looked_at_and_being_owed_again(power_bank: Shop) -> None:
    """A lost dispute reopens a part of a debt while staff write off the rest."""
    order = make_due_order(power_bank, make_person(power_bank, "pays"), yuan("6"))
    pay_now(order.id, amount_minor=200, by=BY, at=NOON)
    bank_disputes.reverse_debit(latest_deduction_of(order).number, "not_authorised", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    dispute = Dispute.objects.get()
    late = NOON + timedelta(days=5)
    make_overdue(power_bank.realm_id, at=late, limit=9)

    with pause_before(orders, "reopen_debts") as halt:
        run_concurrently(
            partial(accept_dispute, dispute.id, "person", "x", by=BY, at=late),
            partial(halt.run_while_paused, partial(orders.write_off, order.id, "x", by=BY, at=late)),
        )

    dispute = Dispute.objects.get()
    assert (dispute.state, dispute.bearer) == ("lost", "person")
    assert set(order.obligations.values_list("state", flat=True)) == {"written_off"}, "all of it, a moment later"
