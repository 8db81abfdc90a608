"""A person with some history of every kind."""

from datetime import timedelta

import pytest
from allauth.account.internal.flows.login import record_authentication
from django.http import HttpRequest
from django.test import Client

from accounts.models import Person
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet, set_instrument_limits
from billing.services.refunds import RefundDetails, refund_order
from billing.services.wallets import top_up
from orders import services as orders
from orders.models import Order
from tests.browsing import client_for
from tests.conftest import BY, NOON, Shop, make_due_order, yuan


@pytest.fixture
def finished_order(power_bank: Shop, ada: Person) -> Order:
    """Ada has used a power bank, paid, asked for help, and got a partial refund."""
    set_instrument_limits(ada.id, ada.instruments.get().id, yuan("50"), None, by=BY, at=NOON)
    order = make_due_order(power_bank, ada, yuan("12.34"))
    open_wallet(ada, at=NOON)
    orders.pause_order(order.id, "hardship", by=BY, at=NOON)
    orders.resume_order(order.id, "hardship", by=BY, at=NOON)
    report = orders.report_problem(order.id, "other", "门卡住了，电话 13812341234", by=BY, at=NOON)
    orders.withdraw_concern(report.id, by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON + timedelta(minutes=1))
    refund_order(order.id, RefundDetails(amount_minor=100, reason="少用了"), by=BY, at=NOON + timedelta(hours=1))
    return order


@pytest.fixture
def saved(ada: Person) -> None:
    """Her wallet has a balance."""
    open_wallet(ada, at=NOON)
    top_up(ada.id, yuan("20"), "bank 1", at=NOON)


def fresh(person: Person) -> Client:
    """A browser of the person, recently authenticated by a code."""
    browser = client_for(person)
    asked = HttpRequest()
    asked.session = browser.session
    record_authentication(asked, person.user, method="code")
    asked.session.save()
    return browser
