"""What a billing test asks again and again: what was taken, what is on record, what the book holds."""

from datetime import datetime, timedelta
from typing import Any

from accounts.models import Person
from billing.channels import Declined, bank
from billing.models import Case, Deduction, Refund, RefundPart
from billing.planning import Kind
from billing.services.ask import ask_unknown
from billing.services.deduct import deduct_due
from billing.services.movements import MovementReport
from billing.services.refund import Asked, refund_order
from billing.services.settle_parts import PARTS
from kernel.money import Money
from ledger.queries import trial_balance
from orders import queries as order_queries
from orders import services as orders
from orders.models import Concern, Obligation, Order
from orders.rules import Offer
from tests.conftest import BY, NOON, Shop, completed, opened, ordered, someone, yuan


def deduction_of(order: Order) -> Deduction:
    """The latest attempt at an order."""
    return Deduction.objects.filter(lines__order=order).latest("id")


def taken_from(person: Person) -> list[Money]:
    """What really left the person's account at the sandbox bank."""
    token = person.instruments.filter(channel="sandbox").earliest("priority").token
    return bank.debits_of(token)


def owed_of(order: Order) -> Obligation:
    return Obligation.objects.get(order=order)


def balances(shop: Shop) -> dict[str, int]:
    """Every account of the shop's sandbox that does not stand at zero."""
    return {row.code: row.net for row in trial_balance(shop.realm_id) if row.net}


def late_with_fees(shop: Shop) -> Order:
    """A hundred yuan that nobody could take, overdue for two days, with their fees: as it is six days after NOON."""
    order = completed(shop, someone(shop, "no_funds"), yuan("100"))
    deduct_due(shop.realm_id, at=NOON)
    orders.mark_overdue(shop.realm_id, at=NOON + timedelta(days=4), limit=9)
    orders.close_days(shop.realm_id, at=NOON + timedelta(days=6), limit=9)
    return order


def in_three_parts(order: Order) -> Concern:
    """What is owed of it six days after NOON is paid in three parts, thirty days apart, the fees with the last."""
    at = NOON + timedelta(days=6)
    owed = order_queries.easing_of(order.person_id, order.id, at=at).sums
    return orders.ease(order.person_id, order.id, Offer(3, 30), expected=owed, by=BY, at=at)


def sweep(shop: Shop, at: datetime) -> None:
    """What the alarm clocks do at that moment."""
    deduct_due(shop.realm_id, at=at)
    ask_unknown(shop.realm_id, at=at)


def give_back(order: Order, amount: str, *, number: str | None = None, at: Any = NOON) -> Refund:
    asked = Asked(amount_minor=yuan(amount).minor, reason="线坏了", out_refund_no=number)
    refund, _ = refund_order(order.id, asked, by=BY, at=at)
    return refund


def dollars_that_never_went(shop: Shop) -> Case:
    """The channel says that two dollars it had given back never went, and no wallet holds them."""
    order = ordered(shop, opened(shop, someone(shop)), currency="USD")
    orders.complete_order(order.id, orders.Final(total=600), by=BY, at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    give_back(order, "2")
    part = RefundPart.objects.latest("id")
    PARTS.settle_all([MovementReport(part.id, Declined("x", Kind.HARD), "callback")], by=BY, at=NOON)
    return Case.objects.get(refund_part=part)


def paid(shop: Shop, amount: str = "6", behaviour: str = "pays") -> Order:
    """An order that was collected, of somebody whose account behaves so from now on."""
    order = completed(shop, someone(shop), yuan(amount))
    deduct_due(shop.realm_id, at=NOON)
    bank.change_account(token_of(order), bank.Behaviour(behaviour))
    return order


def token_of(order: Order) -> str:
    return order.person.instruments.filter(channel="sandbox").earliest("priority").token
