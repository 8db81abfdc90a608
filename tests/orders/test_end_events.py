"""The story of an order says who ended or reduced it, in the reader's language."""

import pytest

from accounts.models import Person
from kernel.actor import Actor
from kernel.ids import uuid7
from orders import services as orders
from orders.models import Order
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan
from tests.orders.test_pages import waiting
from tests.portal.conftest import company

pytestmark = pytest.mark.django_db
MERCHANT, COLLEAGUE = Actor.merchant(uuid7()), Actor.staff(uuid7())


def story(order: Order, language: str = "en") -> str:
    return visible_text(client_for(order.person, language).get(f"/orders/{order.public_id}")).partition(
        "Order history"
    )[2]


def test_what_its_person_declined_is_said_so_in_chinese_too(shop: Shop) -> None:
    order = waiting(shop, make_person(shop))
    orders.decline_order(order.id, by=Actor.person(order.person_id), at=NOON)
    receipt = visible_text(client_for(order.person).get(f"/orders/{order.public_id}/receipt"))
    assert "您已拒绝" in receipt
    assert "declined" not in receipt


def test_the_merchant_reads_in_chinese_that_their_customer_declined_it(db: None) -> None:
    firm = company("云上小店")
    agreement = make_agreement(firm.shop, make_person(firm.shop))
    wish = orders.OrderRequest(agreement_id=agreement.id, out_order_no="D1", title="茶杯", currency="CNY", ceiling=9900)
    firm.shop.service.confirmation = True
    firm.shop.service.save(update_fields=["confirmation"])
    order = orders.open_order(firm.shop.merchant.id, wish, by=BY, at=NOON).order
    assert order
    orders.decline_order(order.id, by=Actor.person(order.person_id), at=NOON)
    page = visible_text(firm.browser("viewer").get(f"{firm.at('test')}orders/{order.public_id}"))
    assert "用户已拒绝" in page
    assert "declined" not in page


def test_a_merchant_cannot_fake_a_declined_order(power_bank: Shop, ada: Person) -> None:
    order = make_order(power_bank, make_agreement(power_bank, ada))
    orders.cancel_order(order.id, "declined by the person", by=MERCHANT, at=NOON)
    freeze_clock(NOON, ada)
    assert "This order was cancelled" in visible_text(client_for(ada, "en").get(f"/confirm/{order.public_id}"))


@pytest.mark.parametrize(
    ("by", "who"), [(MERCHANT, "The merchant cancelled the order"), (COLLEAGUE, "We cancelled the order")]
)
def test_the_story_names_who_cancelled(power_bank: Shop, by: Actor, who: str) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("9"))
    lowered = who.replace("cancelled the order", "reduced the total")
    orders.reduce_total(order.id, 500, "线坏了", by=by, at=NOON)
    orders.cancel_order(order.id, "线坏了", by=by, at=NOON)
    freeze_clock(NOON, order.person)
    told = story(order)
    assert who in told
    assert f"{lowered} to CN¥5.00" in told
