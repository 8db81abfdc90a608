"""What an order's page says of a plan adds up to what is owed."""

from datetime import timedelta

import pytest

from billing.channels import bank
from billing.services.deduct import deduct_due
from orders.models import Order
from tests.billing.bench import give_back, in_three_parts, late_with_fees, token_of
from tests.conftest import NOON, Shop
from tests.visiting import it_is, visiting, words

pytestmark = pytest.mark.django_db


def shown(order: Order, days: int) -> str:
    it_is(NOON + timedelta(days=days), order.person)
    return words(visiting(order.person, "en").get(f"/orders/{order.public_id}"))


@pytest.mark.usefixtures("all_asked")
def test_the_parts_are_shown_with_the_late_fees_that_are_in_them(fees: Shop) -> None:
    order = late_with_fees(fees)
    in_three_parts(order)
    parts = [part.strip() for part in shown(order, 6).partition("Pay now")[0].split("Due ")[1:]]
    assert parts == [
        "Dec 26, 2026 12:00 PM · CN¥33.67",
        "Jan 25, 2027 12:00 PM · CN¥33.67",
        "Feb 24, 2027 12:00 PM · CN¥33.66",
    ]


@pytest.mark.usefixtures("all_asked")
def test_where_only_a_fee_is_left_it_is_not_said_to_earn_more(fees: Shop) -> None:
    order = late_with_fees(fees)
    in_three_parts(order)
    bank.change_account(token_of(order), bank.Behaviour("pays"))
    deduct_due(fees.realm_id, at=NOON + timedelta(days=36))
    give_back(order, "80", at=NOON + timedelta(days=37))
    page = shown(order, 37)
    assert "Due Feb 24, 2027 12:00 PM · CN¥1.00" in page
    assert "the order becomes overdue. No fee is charged on fees." in page
    assert "late fee of" not in page
