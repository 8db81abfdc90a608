"""The amounts of a payment plan on the order page add up to what is owed."""

from datetime import timedelta

import pytest

from billing.channels import bank
from billing.services.deduct import deduct_due
from orders.models import Order
from tests.billing.helpers import agree_three_instalments, issue_refund, overdue_with_fees, token_of
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import NOON, Shop

pytestmark = pytest.mark.django_db


def shown(order: Order, days: int) -> str:
    freeze_clock(NOON + timedelta(days=days), order.person)
    return visible_text(client_for(order.person, "en").get(f"/orders/{order.public_id}"))


@pytest.mark.usefixtures("all_attempted")
def test_instalments_are_shown_with_their_late_fees(fees: Shop) -> None:
    order = overdue_with_fees(fees)
    agree_three_instalments(order)
    parts = [part.strip() for part in shown(order, 6).partition("Pay now")[0].split("Due ")[1:]]
    assert parts == [
        "Dec 26, 2026 12:00 PM · CN¥33.67",
        "Jan 25, 2027 12:00 PM · CN¥33.67",
        "Feb 24, 2027 12:00 PM · CN¥33.66",
    ]


@pytest.mark.usefixtures("all_attempted")
def test_a_fee_without_principal_is_not_shown_as_accruing(fees: Shop) -> None:
    order = overdue_with_fees(fees)
    agree_three_instalments(order)
    bank.change_account(token_of(order), bank.Behaviour("pays"))
    deduct_due(fees.realm_id, at=NOON + timedelta(days=36))
    issue_refund(order, "80", at=NOON + timedelta(days=37))
    page = shown(order, 37)
    assert "Due Feb 24, 2027 12:00 PM · CN¥1.00" in page
    assert "the order becomes overdue. No fee is charged on fees." in page
    assert "late fee of" not in page
