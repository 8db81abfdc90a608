"""An unconfirmed order cannot be confirmed while no new orders are accepted, and can be afterwards."""

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
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_agreement, make_person, state_of
from tests.unchanged import assert_unchanged


def pause(shop: Shop) -> None:
    merchants.change_service(shop.merchant.id, shop.service.id, {"state": "paused"}, by=BY, at=NOON)


def resume(shop: Shop) -> None:
    merchants.change_service(shop.merchant.id, shop.service.id, {"state": "active"}, by=BY, at=NOON)


def suspend(shop: Shop) -> None:
    merchants.suspend_merchant(shop.merchant.id, "投诉", by=BY, at=NOON)


def reinstate(shop: Shop) -> None:
    merchants.resume_merchant(
        shop.merchant.id, "已整改", by=Actor.staff(uuid4()).approved_by(Actor.staff(uuid4())), at=NOON
    )


@pytest.fixture
def awaiting_order(shop: Shop, bo: Person) -> Order:
    wish = orders.OrderRequest(
        agreement_id=make_agreement(shop, bo).id, out_order_no="W1", title="茶杯", currency="CNY", amount=4990
    )
    order = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
    assert order is not None
    freeze_clock(NOON, bo)
    return order


@pytest.fixture
def bo(shop: Shop) -> Person:
    return make_person(shop, name="博文")


STOPS = {
    "paused": (pause, resume, ServicePaused, "此服务已暂停"),
    "suspended": (suspend, reinstate, MerchantNotActive, "该商户目前不接受新业务"),
}


@pytest.mark.parametrize("how", STOPS)
def test_confirmation_is_refused_until_new_orders_are_accepted(
    shop: Shop, bo: Person, awaiting_order: Order, how: str
) -> None:
    stop, let_go, refusal, said = STOPS[how]
    browser, path = client_for(bo), f"/confirm/{awaiting_order.public_id}"
    before = browser.get(path).content.decode()
    assert 'value="yes"' in before
    assert 'role="alert"' not in before
    stop(shop)
    with assert_unchanged("django_session"):
        with pytest.raises(refusal):
            orders.confirm_order(awaiting_order.id, by=BY, at=NOON)
        assert browser.post(path, {"answer": "yes"})["Location"] == path
        page = browser.get(path)
    assert said in visible_text(page)
    assert 'value="no"' in page.content.decode()
    assert 'value="yes"' not in page.content.decode()
    let_go(shop)
    assert browser.post(path, {"answer": "yes"})["Location"] == f"/orders/{awaiting_order.public_id}"
    assert state_of(awaiting_order) == "open"


def test_the_sandbox_refuses_it_as_the_page_does(shop: Shop, awaiting_order: Order) -> None:
    pause(shop)
    with assert_unchanged("kernel_idempotencykey"):
        answer = Api(shop).post(f"sandbox/orders/{awaiting_order.public_id}/confirm", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "service_paused")
