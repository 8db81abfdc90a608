"""An open item in every work queue, created through services; and posting the console's forms."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts import contacts, enrolment
from accounts.models import User
from billing import channels
from billing.channels import bank_disputes
from billing.models import Break, Case, Deduction
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.disputes import Chargeback, record_chargeback
from billing.services.outcome_polling import poll_deductions
from billing.services.return_decisions import refuse_return
from credit import limits
from kernel.models import Identified
from merchants import services as merchants
from merchants.models import WebhookEndpoint
from office.queues import QUEUES
from office.services import assignments
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import latest_deduction_of, paid_order
from tests.billing.return_helpers import opened_return
from tests.billing.statements import STRAY, import_file, statement_of
from tests.browsing import form_token, freeze_clock
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan
from tests.console.conftest import staff


def problem_report(shop: Shop, words: str = "多收了") -> Any:
    """A problem report about an order that is not due yet."""
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("8"), due_at=NOON + timedelta(days=3))
    freeze_clock(NOON, order.person)
    return orders.report_problem(order.id, "wrong_amount", words, by=BY, at=NOON)


def unknown_deduction(shop: Shop, patch: pytest.MonkeyPatch) -> Deduction:
    """A deduction whose result has been unknown for more than an hour."""
    order = make_due_order(shop, make_person(shop, "timeout_then_not_paid"), yuan("6"), at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    with patch.context() as silent:
        silent.setattr(channels, "query", lambda *_args, **_named: channels.Unknown("timeout"))
        for minutes in (1, 2, 9, 90):
            poll_deductions(shop.realm_id, at=NOON + timedelta(minutes=minutes))
    return latest_deduction_of(order)


def open_case(shop: Shop, amount: str = "7") -> Case:
    record_chargeback(
        latest_deduction_of(paid_order(shop)).id, Chargeback(f"x-{amount}", yuan(amount), "no_funds"), by=BY, at=NOON
    )
    return Case.objects.latest("id")


def failing_endpoint(shop: Shop) -> WebhookEndpoint:
    """A webhook endpoint that does not answer."""
    endpoint, _secret = merchants.add_endpoint(shop.merchant.id, "http://127.0.0.1:9/", by=BY, at=NOON)
    make_due_order(shop, make_person(shop), yuan("1"), due_at=NOON + timedelta(days=3))
    merchants.deliver_due(shop.realm_id, at=NOON)
    return WebhookEndpoint.objects.get(pk=endpoint.id)


def one_item_per_queue(shop: Shop) -> dict[str, Identified]:
    """One open item of each queue, by the queue's name."""
    found: dict[str, Identified] = {"problem": problem_report(shop)}
    poor = make_due_order(shop, make_person(shop), yuan("7"), due_at=NOON + timedelta(days=3))
    limits.change_limit(poor.person_id, 0, "x", by=BY, at=NOON)
    wish = orders.OrderRequest(agreement_id=poor.agreement_id, out_order_no="no", title="x", currency="CNY")
    refused = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).decision
    found["objection"] = orders.object_to_decision(refused.id, poor.person_id, "x", by=BY, at=NOON)
    found["hardship"] = orders.request_plan(poor.person_id, None, orders.PlanOffer(2, 7), "x", by=BY, at=NOON)
    statement = import_file(shop, statement_of([STRAY]))
    found["break"] = statement.breaks.get()
    found["return"] = refuse_return(opened_return(paid_order(shop)).id, "空包裹", by=BY, at=NOON)
    disputed = latest_deduction_of(paid_order(shop))
    bank_disputes.reverse_debit(disputed.number, "not_received", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    found["dispute"] = disputed.disputes.get()
    found["case"] = open_case(shop)
    found["webhook"] = failing_endpoint(shop)
    return found


def overdue_order(shop: Shop, amount: str = "9", *, days: int = 10) -> Order:
    """An order overdue for about `days` less the grace period."""
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan(amount), at=NOON - timedelta(days=days))
    deduct_due(shop.realm_id, at=NOON - timedelta(days=days))
    at = NOON - timedelta(days=days - 4)
    orders.mark_overdue(shop.realm_id, at=at, limit=99)
    while orders.close_days(shop.realm_id, at=NOON, limit=500) == 500:
        pass
    freeze_clock(NOON, order.person)
    return order


def handle_an_item(shop: Shop) -> None:
    """A colleague claims a discrepancy, and a contact with a person is recorded."""
    enrolment.issue_code(staff_user("finance").pk, by=BY, at=NOON)
    assignments.claim(QUEUES["break"], Break.objects.get().id, staff_user("finance"), at=NOON)
    contacts.record_contact(make_person(shop).id, contacts.NewContact(way="call", outcome="reached"), by=BY, at=NOON)


def staff_user(name: str) -> User:
    return User.objects.filter(username=name).first() or staff(name)


def post_action(client: Client, path: str, deed: str, **fields: Any) -> Any:
    """Post one of a page's forms with its action."""
    return client.post(path, {"token": form_token(client.get(path)), "deed": deed, **fields})
