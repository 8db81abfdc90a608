"""An order that waits for its person is not confirmed while nothing new is taken, and can be when it is again."""

from uuid import uuid4

import pytest

from accounts.models import Person
from credit.refusals import ServicePaused
from kernel.actor import Actor
from merchants import services as merchants
from merchants.refusals import MerchantNotActive
from orders import services as orders
from orders.models import Order
from tests.api import Api
from tests.conftest import BY, NOON, Shop, opened, someone, state_of
from tests.stillness import nothing_moves
from tests.visiting import it_is, visiting, words


def pause(shop: Shop) -> None:
    merchants.change_service(shop.merchant.id, shop.service.id, {"state": "paused"}, by=BY, at=NOON)


def go_on(shop: Shop) -> None:
    merchants.change_service(shop.merchant.id, shop.service.id, {"state": "active"}, by=BY, at=NOON)


def suspend(shop: Shop) -> None:
    merchants.suspend_merchant(shop.merchant.id, "投诉", by=BY, at=NOON)


def let_in_again(shop: Shop) -> None:
    merchants.resume_merchant(shop.merchant.id, "已整改", by=Actor.staff(uuid4()).agreed(Actor.staff(uuid4())), at=NOON)


@pytest.fixture
def waits(shop: Shop, bo: Person) -> Order:
    wish = orders.Wish(agreement_id=opened(shop, bo).id, out_order_no="W1", title="茶杯", currency="CNY", amount=4990)
    order = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
    assert order is not None
    it_is(NOON, bo)
    return order


@pytest.fixture
def bo(shop: Shop) -> Person:
    return someone(shop, name="博文")


STOPS = {
    "paused": (pause, go_on, ServicePaused, "此服务已暂停"),
    "suspended": (suspend, let_in_again, MerchantNotActive, "该商户目前不接受新业务"),
}


@pytest.mark.parametrize("how", STOPS)
def test_it_is_refused_in_words_until_new_orders_are_taken_again(
    shop: Shop, bo: Person, waits: Order, how: str
) -> None:
    stop, let_go, refusal, said = STOPS[how]
    browser, path = visiting(bo), f"/confirm/{waits.public_id}"
    before = browser.get(path).content.decode()
    assert 'value="yes"' in before
    assert 'role="alert"' not in before
    stop(shop)
    with nothing_moves("django_session"):
        with pytest.raises(refusal):
            orders.confirm_order(waits.id, by=BY, at=NOON)
        assert browser.post(path, {"answer": "yes"})["Location"] == path
        page = browser.get(path)
    assert said in words(page)
    assert 'value="no"' in page.content.decode()
    assert 'value="yes"' not in page.content.decode()
    let_go(shop)
    assert browser.post(path, {"answer": "yes"})["Location"] == f"/orders/{waits.public_id}"
    assert state_of(waits) == "open"


def test_the_sandbox_refuses_it_as_the_page_does(shop: Shop, waits: Order) -> None:
    pause(shop)
    with nothing_moves("kernel_idempotencykey"):
        answer = Api(shop).post(f"sandbox/orders/{waits.public_id}/confirm", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "service_paused")
