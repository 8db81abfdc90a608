"""Helpers for billing tests: orders in common states, what was deducted, and the ledger's balances."""

from datetime import datetime, timedelta
from typing import Any

from accounts.models import Person
from billing.channels import Declined, bank
from billing.models import Case, Deduction, Refund, RefundPart
from billing.planning import FailureClass
from billing.services.deduct import deduct_due
from billing.services.movements import MovementReport
from billing.services.outcome_polling import poll_deductions
from billing.services.refund_outcomes import REFUND_PARTS
from billing.services.refunds import RefundDetails, refund_order
from kernel.money import Money
from ledger.queries import trial_balance
from orders import queries as order_queries
from orders import services as orders
from orders.models import Concern, Obligation, Order
from orders.rules import PlanOffer
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan


def latest_deduction_of(order: Order) -> Deduction:
    """The latest attempt at an order."""
    return Deduction.objects.filter(lines__order=order).latest("id")


def bank_debits_of(person: Person) -> list[Money]:
    """The debits that really left the person's account at the sandbox bank."""
    token = person.instruments.filter(channel="sandbox").earliest("priority").token
    return bank.debits_of(token)


def obligation_of(order: Order) -> Obligation:
    return Obligation.objects.get(order=order)


def balances(shop: Shop) -> dict[str, int]:
    """The balance of each ledger account of the shop's sandbox that is not zero."""
    return {row.code: row.net for row in trial_balance(shop.realm_id) if row.net}


def overdue_with_fees(shop: Shop) -> Order:
    """An order of 100 yuan that could not be deducted, overdue for two days, with late fees, as of NOON + 6 d."""
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("100"))
    deduct_due(shop.realm_id, at=NOON)
    orders.mark_overdue(shop.realm_id, at=NOON + timedelta(days=4), limit=9)
    orders.close_days(shop.realm_id, at=NOON + timedelta(days=6), limit=9)
    return order


def agree_three_instalments(order: Order) -> Concern:
    """At NOON + 6 d agree to pay what is owed in three instalments, 30 days apart, the fees with the last one."""
    at = NOON + timedelta(days=6)
    owed = order_queries.plan_options_for(order.person_id, order.id, at=at).sums
    return orders.choose_plan(order.person_id, order.id, PlanOffer(3, 30), expected=owed, by=BY, at=at)


def run_due_deductions(shop: Shop, at: datetime) -> None:
    """Run the deduction and polling jobs that are due at this time."""
    deduct_due(shop.realm_id, at=at)
    poll_deductions(shop.realm_id, at=at)


def issue_refund(order: Order, amount: str, *, number: str | None = None, at: Any = NOON) -> Refund:
    details = RefundDetails(amount_minor=yuan(amount).minor, reason="线坏了", out_refund_no=number)
    refund, _ = refund_order(order.id, details, by=BY, at=at)
    return refund


def case_of_unsent_usd_refund(shop: Shop) -> Case:
    """A case: the channel reports that a refund of 2 dollars was never paid, and no wallet can hold it."""
    order = make_order(shop, make_agreement(shop, make_person(shop)), currency="USD")
    orders.complete_order(order.id, orders.CompletionRequest(total=600), by=BY, at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    issue_refund(order, "2")
    part = RefundPart.objects.latest("id")
    REFUND_PARTS.settle_all([MovementReport(part.id, Declined("x", FailureClass.HARD), "callback")], by=BY, at=NOON)
    return Case.objects.get(refund_part=part)


def paid_order(shop: Shop, amount: str = "6", behaviour: str = "pays") -> Order:
    """An order that was collected, of a person whose bank account behaves like this from then on."""
    order = make_due_order(shop, make_person(shop), yuan(amount))
    deduct_due(shop.realm_id, at=NOON)
    bank.change_account(token_of(order), bank.Behaviour(behaviour))
    return order


def token_of(order: Order) -> str:
    return order.person.instruments.filter(channel="sandbox").earliest("priority").token
