"""Who ended an order, or lowered it, is told as it was and in the reader's language."""

import pytest

from accounts.models import Person
from kernel.actor import Actor
from kernel.ids import uuid7
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, completed, opened, ordered, someone, yuan
from tests.orders.test_pages import waiting
from tests.portal.conftest import company
from tests.visiting import it_is, visiting, words

pytestmark = pytest.mark.django_db
MERCHANT, COLLEAGUE = Actor.merchant(uuid7()), Actor.staff(uuid7())


def story(order: Order, language: str = "en") -> str:
    return words(visiting(order.person, language).get(f"/orders/{order.public_id}")).partition("Order history")[2]


def test_what_its_person_declined_is_said_so_in_chinese_too(shop: Shop) -> None:
    order = waiting(shop, someone(shop))
    orders.decline_order(order.id, by=Actor.person(order.person_id), at=NOON)
    receipt = words(visiting(order.person).get(f"/orders/{order.public_id}/receipt"))
    assert "您已拒绝" in receipt
    assert "declined" not in receipt


def test_the_merchant_reads_in_chinese_that_their_customer_declined_it(db: None) -> None:
    firm = company("云上小店")
    agreement = opened(firm.shop, someone(firm.shop))
    wish = orders.Wish(agreement_id=agreement.id, out_order_no="D1", title="茶杯", currency="CNY", ceiling=9900)
    firm.shop.service.confirmation = True
    firm.shop.service.save(update_fields=["confirmation"])
    order = orders.open_order(firm.shop.merchant.id, wish, by=BY, at=NOON).order
    assert order
    orders.decline_order(order.id, by=Actor.person(order.person_id), at=NOON)
    page = words(firm.browser("viewer").get(f"{firm.at('test')}orders/{order.public_id}"))
    assert "用户已拒绝" in page
    assert "declined" not in page


def test_a_merchant_cannot_have_their_customer_say_no(power_bank: Shop, ada: Person) -> None:
    order = ordered(power_bank, opened(power_bank, ada))
    orders.cancel_order(order.id, "declined by the person", by=MERCHANT, at=NOON)
    it_is(NOON, ada)
    assert "This order was cancelled" in words(visiting(ada, "en").get(f"/confirm/{order.public_id}"))


@pytest.mark.parametrize(
    ("by", "who"), [(MERCHANT, "The merchant cancelled the order"), (COLLEAGUE, "We cancelled the order")]
)
def test_who_called_it_off_is_who_did(power_bank: Shop, by: Actor, who: str) -> None:
    order = completed(power_bank, someone(power_bank), yuan("9"))
    lowered = who.replace("cancelled the order", "reduced the total")
    orders.lower_total(order.id, 500, "线坏了", by=by, at=NOON)
    orders.cancel_order(order.id, "线坏了", by=by, at=NOON)
    it_is(NOON, order.person)
    told = story(order)
    assert who in told
    assert f"{lowered} to CN¥5.00" in told
