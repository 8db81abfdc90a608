"""What a billing test asks again and again: what was taken, what is on record, what the book holds."""

from datetime import datetime

from accounts.models import Person
from billing.channels import bank
from billing.models import Deduction
from billing.services.ask import ask_unknown
from billing.services.deduct import deduct_due
from kernel.money import Money
from ledger.queries import trial_balance
from orders.models import Obligation, Order
from tests.conftest import Shop


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


def sweep(shop: Shop, at: datetime) -> None:
    """What the alarm clocks do at that moment."""
    deduct_due(shop.realm_id, at=at)
    ask_unknown(shop.realm_id, at=at)
