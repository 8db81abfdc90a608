"""A person with a bit of everything behind them."""

from datetime import timedelta

import pytest
from allauth.account.internal.flows.login import record_authentication
from django.http import HttpRequest
from django.test import Client

from accounts.models import Person
from billing.services.deduct import deduct_due
from billing.services.instruments import limit_instrument, open_wallet
from billing.services.refund import Asked, refund_order
from billing.services.wallets import top_up
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, completed, yuan
from tests.visiting import visiting


@pytest.fixture
def lived(power_bank: Shop, ada: Person) -> Order:
    """Ada has used a power bank, paid, asked for help, and got a part back."""
    limit_instrument(ada.id, ada.instruments.get().id, yuan("50"), None, by=BY, at=NOON)
    order = completed(power_bank, ada, yuan("12.34"))
    open_wallet(ada, at=NOON)
    orders.pause_order(order.id, "hardship", by=BY, at=NOON)
    orders.resume_order(order.id, "hardship", by=BY, at=NOON)
    report = orders.report_problem(order.id, "other", "门卡住了，电话 13812341234", by=BY, at=NOON)
    orders.withdraw_concern(report.id, by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON + timedelta(minutes=1))
    refund_order(order.id, Asked(amount_minor=100, reason="少用了"), by=BY, at=NOON + timedelta(hours=1))
    return order


@pytest.fixture
def saved(ada: Person) -> None:
    """She keeps something in her wallet."""
    open_wallet(ada, at=NOON)
    top_up(ada.id, yuan("20"), "bank 1", at=NOON)


def fresh(person: Person) -> Client:
    """Their browser, in which they have just shown who they are by a code."""
    browser = visiting(person)
    asked = HttpRequest()
    asked.session = browser.session
    record_authentication(asked, person.user, method="code")
    asked.session.save()
    return browser
