"""Something waits in every queue of a shop's sandbox, as services bring it there; and the console's forms for it."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts import contacts, enrolment
from accounts.models import User
from billing import channels
from billing.channels import bank_returns
from billing.models import Break, Case, Deduction
from billing.services.ask import ask_unknown
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.disputes import Withdrawal, take_back
from billing.services.return_ends import refuse_return
from credit import limits
from kernel.models import Identified
from merchants import services as merchants
from merchants.models import WebhookEndpoint
from office.queues import QUEUES
from office.services import handling
from orders import services as orders
from orders.models import Order
from tests.billing.bench import deduction_of, paid
from tests.billing.returning import sent_back
from tests.billing.statements import STRAY, taken_in, written
from tests.conftest import BY, NOON, Shop, completed, someone, yuan
from tests.console.conftest import staff
from tests.visiting import it_is, token_on


def problem_with(shop: Shop, words: str = "多收了") -> Any:
    """A person reports one with an order that is not due yet."""
    order = completed(shop, someone(shop, "no_funds"), yuan("8"), due_at=NOON + timedelta(days=3))
    it_is(NOON, order.person)
    return orders.report_problem(order.id, "wrong_amount", words, by=BY, at=NOON)


def unknown_at(shop: Shop, patch: pytest.MonkeyPatch) -> Deduction:
    """A deduction of which the bank has not known for more than an hour how it ended."""
    order = completed(shop, someone(shop, "timeout_then_not_paid"), yuan("6"), at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    with patch.context() as silent:
        silent.setattr(channels, "query", lambda *_args, **_named: channels.Lost("timeout"))
        for minutes in (1, 2, 9, 90):
            ask_unknown(shop.realm_id, at=NOON + timedelta(minutes=minutes))
    return deduction_of(order)


def case_at(shop: Shop, amount: str = "7") -> Case:
    take_back(deduction_of(paid(shop)).id, Withdrawal(f"x-{amount}", yuan(amount), "no_funds"), by=BY, at=NOON)
    return Case.objects.latest("id")


def failing_at(shop: Shop) -> WebhookEndpoint:
    """An endpoint at which nobody answers."""
    endpoint, _secret = merchants.add_endpoint(shop.merchant.id, "http://127.0.0.1:9/", by=BY, at=NOON)
    completed(shop, someone(shop), yuan("1"), due_at=NOON + timedelta(days=3))
    merchants.deliver_due(shop.realm_id, at=NOON)
    return WebhookEndpoint.objects.get(pk=endpoint.id)


def one_of_each(shop: Shop) -> dict[str, Identified]:
    """By the name of its queue."""
    found: dict[str, Identified] = {"problem": problem_with(shop)}
    poor = completed(shop, someone(shop), yuan("7"), due_at=NOON + timedelta(days=3))
    limits.change_limit(poor.person_id, 0, "x", by=BY, at=NOON)
    wish = orders.Wish(agreement_id=poor.agreement_id, out_order_no="no", title="x", currency="CNY")
    refused = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).decision
    found["objection"] = orders.object_to(refused.id, poor.person_id, "x", by=BY, at=NOON)
    found["hardship"] = orders.ask_for_help(poor.person_id, None, orders.Offer(2, 7), "x", by=BY, at=NOON)
    statement = taken_in(shop, written([STRAY]))
    found["break"] = statement.breaks.get()
    found["return"] = refuse_return(sent_back(paid(shop)).id, "空包裹", by=BY, at=NOON)
    disputed = deduction_of(paid(shop))
    bank_returns.take_back(disputed.number, "not_received", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    found["dispute"] = disputed.disputes.get()
    found["case"] = case_at(shop)
    found["webhook"] = failing_at(shop)
    return found


def late_order(shop: Shop, amount: str = "9", *, days: int = 10) -> Order:
    """Somebody owes this much, and has been late for about so many days less those of grace."""
    order = completed(shop, someone(shop, "no_funds"), yuan(amount), at=NOON - timedelta(days=days))
    deduct_due(shop.realm_id, at=NOON - timedelta(days=days))
    at = NOON - timedelta(days=days - 4)
    orders.mark_overdue(shop.realm_id, at=at, limit=99)
    while orders.close_days(shop.realm_id, at=NOON, limit=500) == 500:
        pass
    it_is(NOON, order.person)
    return order


def be_seen_to(shop: Shop) -> None:
    """A colleague who was let in takes up a difference that waits, and somebody who is late is asked."""
    enrolment.give_code(colleague("finance").pk, by=BY, at=NOON)
    handling.take(QUEUES["break"], Break.objects.get().id, colleague("finance"), at=NOON)
    contacts.keep_contact(someone(shop).id, contacts.Made(way="call", outcome="reached"), by=BY, at=NOON)


def colleague(name: str) -> User:
    return User.objects.filter(username=name).first() or staff(name)


def sends(client: Client, path: str, deed: str, **fields: Any) -> Any:
    """One of a page's forms, filled in and sent."""
    return client.post(path, {"token": token_on(client.get(path)), "deed": deed, **fields})
