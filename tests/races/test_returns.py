"""Returns while money moves: never more is refunded than was collected, and each return ends once."""

from functools import partial

import pytest

from accounts.models import Person
from billing.channels import bank_disputes, bank_refunds
from billing.models import DeductionLine, Return
from billing.services import pay
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.return_deadlines import process_due_returns
from billing.services.return_decisions import absorb_return, confirm_return, deny_return, refuse_return
from billing.services.returns import Parcel, open_return, withdraw_return
from billing.services.settlements import settle_due
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import latest_deduction_of
from tests.conftest import BY, NOON, Shop, make_agreement, make_order
from tests.races.checks import rounds
from tests.races.test_disputes import collected
from tests.races.test_refunds import giving_back
from tests.settlement.helpers import MIDNIGHT
from tests.threads import refusals, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)


def sending(order: Order, number: str, amount: int = 400) -> partial[object]:
    parcel = Parcel(carrier="x", tracking_number=number, reason="x", amount_minor=amount)
    return partial(open_return, order.id, parcel, by=BY, at=NOON)


def test_two_parcels_a_refund_and_a_bank_at_once_give_back_no_more_than_was_collected(
    power_bank: Shop, ada: Person
) -> None:
    agreement, token = make_agreement(power_bank, ada), ada.instruments.get().token
    for _ in rounds("return, refund, returned debit, settlement"):
        order = collected(power_bank, agreement)
        before = sum(money.minor for money in bank_refunds.refunds_of(token))
        outcomes = run_concurrently(
            sending(order, "1"),
            sending(order, "1"),
            sending(order, "2"),
            giving_back(order, 300),
            partial(settle_due, power_bank.realm_id, at=MIDNIGHT),
        )
        assert set(refusals(outcomes)) <= {"refund_too_much", "busy", "return_open"}
        assert Return.objects.filter(order=order).count() <= 1
        bank_disputes.reverse_debit(latest_deduction_of(order).number, "not_received", at=NOON)
        row = Return.objects.filter(order=order).first()
        acts = [partial(deliver_callbacks, power_bank.realm_id, at=NOON)]
        run_concurrently(*acts, *([partial(confirm_return, row.id, by=BY, at=NOON)] * 2 if row else []))
        line = DeductionLine.objects.get(order=order)
        gone = sum(money.minor for money in bank_refunds.refunds_of(token)) - before
        assert gone <= line.refunded_minor <= line.amount_minor


def test_a_return_is_confirmed_refused_kept_or_silent_once(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    for number in rounds("a return's ends"):
        order = collected(power_bank, agreement)
        row, _fresh = open_return(
            order.id, Parcel(carrier="x", tracking_number=str(number), reason="x"), by=BY, at=NOON
        )
        says_no = partial(refuse_return, row.id, "x", by=BY, at=NOON)
        says_yes = partial(confirm_return, row.id, by=BY, at=NOON)
        run_concurrently(
            says_no,
            says_no if number % 2 else says_yes,
            partial(withdraw_return, row.id, by=BY, at=NOON),
            *([] if number % 2 else [partial(process_due_returns, power_bank.realm_id, at=row.answer_until)]),
        )
        run_concurrently(
            *([] if number % 4 == 1 else [says_yes]),
            partial(deny_return, row.id, "x", by=BY, at=NOON),
            partial(absorb_return, row.id, "x", by=BY, at=NOON),
        )
        ends = row.history.filter(kind__in=["confirmed", "denied", "borne", "withdrawn"])
        assert ends.count() == 1
        if order.obligations.filter(kind="advance").exists():
            pay.pay_now(order.id, by=BY, at=NOON)  # whoever owes opens nothing new


def test_so_many_go_ahead_at_a_time_however_many_are_sent_at_once(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    for number in rounds("returns of one person at once"):
        sent = [make_order(power_bank, agreement) for _ in range(4)]
        for order in sent:
            orders.complete_order(order.id, orders.CompletionRequest(total=100), by=BY, at=NOON)
        deduct_due(power_bank.realm_id, at=NOON)
        run_concurrently(*(sending(order, f"{number}", 100) for order in sent))
        rows = Return.objects.filter(order__in=sent)
        assert rows.filter(state="advanced").count() == 2
        for row in rows:
            confirm_return(row.id, by=BY, at=NOON)
