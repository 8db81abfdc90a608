"""R9: a day is settled by several workers at once, beside refunds. Each line once, each payout once."""

from datetime import timedelta
from functools import partial

import pytest

from accounts.models import Person
from billing.models import Invoice, Payout, Settlement, SettlementLine
from billing.services.deduct import deduct_due
from billing.services.invoices import issue_due_invoices
from billing.services.movement_polling import poll_payouts
from billing.services.payout_accounts import AccountDetails, approve_payout_account, request_payout_account
from billing.services.payouts import pay_out_due
from billing.services.settlements import settle_due
from kernel.actor import Actor
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, make_agreement, make_order
from tests.races.checks import rounds
from tests.races.test_refunds import giving_back
from tests.settlement.helpers import MIDNIGHT, ONE_DAY, payouts_received, settle_and_pay_out, settlement_nets
from tests.threads import refusals, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)


def sold(shop: Shop, ada: Person) -> Order:
    """Ten yuan, collected at noon."""
    agreement = ada.agreements.filter(state="active").first() or make_agreement(shop, ada)
    order = make_order(shop, agreement, ceiling=1_000)
    orders.complete_order(order.id, orders.CompletionRequest(total=1_000), by=BY, at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    return order


def test_a_day_settled_by_three_at_once_is_settled_and_paid_once(power_bank: Shop, ada: Person) -> None:
    for turn in rounds("settle, settle, pay out"):
        sold(power_bank, ada)
        at = MIDNIGHT + turn * ONE_DAY
        run_concurrently(*[partial(settle_due, power_bank.realm_id, at=at)] * 3)
        run_concurrently(*[partial(pay_out_due, power_bank.realm_id, at=at)] * 3)

        assert settlement_nets(power_bank) == payouts_received(power_bank) == [994] * turn
        assert SettlementLine.objects.count() == 2 * turn


def test_a_refund_is_in_this_settlement_or_the_next_and_never_in_both(power_bank: Shop, ada: Person) -> None:
    for turn in rounds("settle, refund"):
        order = sold(power_bank, ada)
        at = MIDNIGHT + 2 * turn * ONE_DAY
        outcomes = run_concurrently(partial(settle_due, power_bank.realm_id, at=at), giving_back(order, 400))
        assert refusals(outcomes) == []
        for later in (at, at + ONE_DAY):
            settle_and_pay_out(power_bank, later)

        lines = SettlementLine.objects.filter(order_id=order.id)
        assert sorted(lines.values_list("kind", flat=True)) == ["fee", "fee", "gross", "refund"]
        assert sum(lines.values_list("amount_minor", flat=True)) == 596


def test_two_askers_and_an_account_that_is_agreed_to_twice(power_bank: Shop, ada: Person) -> None:
    for _ in rounds("ask, ask; agree, agree"):
        account = AccountDetails(holder="x", bank="y", number="6222021234560003")
        row = request_payout_account(power_bank.merchant.id, account, by=BY, at=NOON - 2 * ONE_DAY)
        agree = [partial(approve_payout_account, row.id, by=Actor.system(n), at=NOON - 2 * ONE_DAY) for n in "ab"]
        assert refusals(run_concurrently(*agree)) == ["payout_account_decided"]
        sold(power_bank, ada)
        latest = Settlement.objects.order_by("-id").first()
        at = latest.period_until + ONE_DAY if latest else MIDNIGHT
        settle_and_pay_out(power_bank, at)
        run_concurrently(*[partial(poll_payouts, power_bank.realm_id, at=at + timedelta(minutes=1))] * 3)
        assert Payout.objects.latest("id").state == "succeeded"
    assert len(payouts_received(power_bank)) == Settlement.objects.filter(state="paid").count()


def test_a_month_invoiced_by_three_at_once_has_one_invoice_and_the_next_number(power_bank: Shop, ada: Person) -> None:
    ends = MIDNIGHT + 10 * ONE_DAY  # of November, in Shanghai
    for turn in rounds("invoice, invoice, settle"):
        sold(power_bank, ada)
        at = ends + (turn - 1) * 31 * ONE_DAY
        hands = [partial(issue_due_invoices, power_bank.realm_id, at=at)] * 3
        run_concurrently(*hands, partial(settle_due, power_bank.realm_id, at=at))
        for act in (settle_due, issue_due_invoices):
            act(power_bank.realm_id, at=at)

        assert list(Invoice.objects.order_by("id").values_list("seq", "amount_minor")) == [
            (number, 6) for number in range(1, turn + 1)
        ]
