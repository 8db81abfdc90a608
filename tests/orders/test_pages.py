"""The promise record, and the page to confirm an order."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import services as accounts
from accounts.models import Person
from credit.models import Decision, Profile
from kernel.models import LIVE
from merchants.services import suspend_merchant
from orders import services as orders
from orders.models import Order
from orders.pages import PAGE_SIZE
from tests.browsing import client_for, freeze_clock, signed_in_client, visible_text
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, state_of, yuan
from tests.overdue import make_overdue


def waiting(shop: Shop, person: Person) -> Order:
    """An order that waits for the person's confirmation."""
    wish = orders.OrderRequest(
        agreement_id=make_agreement(shop, person).id,
        out_order_no="W1",
        title="青瓷茶杯",
        currency="CNY",
        amount=4990,
        items=[{"name": "茶杯", "amount": 5990, "count": 2}],
        discounts=[{"name": "新人立减", "amount": 1000}],
    )
    order = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
    assert order is not None
    freeze_clock(NOON, person)
    return order


@pytest.fixture
def bo(shop: Shop) -> Person:
    return make_person(shop, name="博文")


def test_whoever_is_not_signed_in_reads_what_this_is_and_how_to_sign_in(db: None) -> None:
    page = Client().get("/")
    assert page.status_code == 200
    assert "/account/login/" in page.content.decode()
    for path in ("/orders/", "/wallet/", "/services/", "/orders/ord_1", "/sign/agr_1", "/confirm/ord_1"):
        answer = Client().get(path)
        assert (answer.status_code, answer["Location"]) == (302, f"/account/login/?next={path}")


def test_the_start_page_redirects_people_and_staff(ada: Person) -> None:
    assert client_for(ada).get("/")["Location"] == "/home/"
    lin = accounts.create_staff("lin", "correct horse battery", roles=["viewer"], by=BY, at=NOON)
    assert signed_in_client(lin).get("/")["Location"] == "/ops/"
    refused = signed_in_client(lin).get("/orders/")
    assert (refused.status_code, 'href="/account/logout/"' in refused.content.decode()) == (403, True)


def test_the_consoles_sign_in_page_names_the_person_who_is_signed_in(ada: Person) -> None:
    assert ada.user
    page = client_for(ada).get("/ops/", follow=True).content.decode()
    assert f"您当前以{ada.user.phone_masked}登录" in page


def test_the_record_filters_orders_by_status(power_bank: Shop, ada: Person) -> None:
    paid = make_due_order(power_bank, ada, yuan("12.34"))
    agreement = paid.agreement
    make_order(power_bank, agreement, title="还在用")
    called_off = make_order(power_bank, agreement, title="不要了")
    orders.cancel_order(called_off.id, "没货", by=BY, at=NOON)
    freeze_clock(NOON, ada)
    browser = client_for(ada)

    everything = visible_text(browser.get("/orders/"))
    assert "待付总额 ¥12.34" in everything
    assert everything.index("不要了") < everything.index("还在用") < everything.index("充电宝 ¥12.34")
    shelves = {
        name: visible_text(browser.get(f"/orders/?shelf={name}"))
        for name in ("in_progress", "to_pay", "kept", "cancelled", "overdue")
    }
    assert "还在用 最高 ¥99.00" in shelves["in_progress"]
    assert "充电宝 ¥12.34" in shelves["to_pay"]
    assert "不要了" in shelves["cancelled"]
    assert "没有符合条件的订单" in shelves["kept"]
    assert "没有符合条件的订单" in shelves["overdue"]
    make_overdue(power_bank.realm_id, at=NOON + timedelta(days=4), limit=10)
    assert "充电宝 ¥12.34" in visible_text(browser.get("/orders/?shelf=overdue"))
    assert "up to CN¥99.00" in visible_text(client_for(ada, "en").get("/orders/?shelf=in_progress"))


def test_pages_of_the_record_need_constant_queries(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    browser = client_for(ada)
    make_order(power_bank, agreement, title="第一笔")
    with CaptureQueriesContext(
        connection,
    ) as short:
        browser.get("/orders/")
    for _ in range(PAGE_SIZE + 2):
        orders.cancel_order(make_order(power_bank, agreement).id, "x", by=BY, at=NOON)
    with CaptureQueriesContext(connection) as long:
        first = browser.get("/orders/")
    assert len(long) == len(short)
    assert first.content.decode().count('class="link"') == PAGE_SIZE
    assert "第一笔" not in visible_text(first)
    further = first.context["next_query"]
    second = browser.get(f"/orders/?{further}")
    assert second.content.decode().count('class="link"') == 3
    assert "第一笔" in visible_text(second)
    assert second.context["next_query"] is None


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=%00", "cursor=" + "9" * 5000, "shelf=nothing", "shelf=%00&cursor="]
)
def test_a_mistyped_address_of_the_record_is_no_fault(ada: Person, query: str) -> None:
    assert client_for(ada).get(f"/orders/?{query}").status_code in (200, 422)


def test_another_persons_order_looks_like_one_that_never_was(shop: Shop, bo: Person) -> None:
    order = waiting(shop, bo)
    stranger = client_for(make_person(shop, name="陌生人"))
    missing = stranger.get("/confirm/ord_" + "0" * 32)
    for path in (f"/confirm/{order.public_id}", f"/confirm/{order.public_id}/result", f"/orders/{order.public_id}"):
        theirs = stranger.get(path)
        assert (theirs.status_code, theirs.content) == (404, missing.content)
    assert stranger.post(f"/confirm/{order.public_id}", {"answer": "no"}).status_code == 404
    assert state_of(order) == "created"
    for name in ("ord_x", "x", order.id.hex, f"agr_{order.id.hex}", f"ord_{order.id.hex.upper()}"):
        assert stranger.get(f"/confirm/{name}").status_code == 404


def test_a_person_sees_what_they_confirm_and_confirms_it_once(shop: Shop, bo: Person) -> None:
    order = waiting(shop, bo)
    browser, path = client_for(bo), f"/confirm/{order.public_id}"
    page = visible_text(browser.get(path))
    money = ("¥59.90", "新人立减 −¥10.00", "金额 ¥49.90", "现在不扣款", "扣款方式 沙箱银行卡")
    for shown in ("确认订单", "云上小店", "茶杯 × 2", *money):
        assert shown in page, shown
    for _click in range(2):
        assert browser.post(path, {"answer": "yes"})["Location"] == f"/orders/{order.public_id}"
    assert state_of(order) == "open"
    assert order.history.filter(kind="confirmed").count() == 1
    assert "订单已确认" in visible_text(browser.get(path))
    assert browser.post(path, {"answer": "no"})["Location"] == path
    assert state_of(order) == "open"  # what is open is the merchant's to cancel


def test_a_declined_order_says_so_and_stays_declined(shop: Shop, bo: Person) -> None:
    order = waiting(shop, bo)
    browser, path = client_for(bo), f"/confirm/{order.public_id}"
    for _click in range(2):
        assert browser.post(path, {"answer": "no"})["Location"] == path
    assert state_of(order) == "cancelled"
    assert "您已拒绝此订单" in visible_text(browser.get(path))
    assert browser.post(path, {"answer": "yes"})["Location"] == path
    assert state_of(order) == "cancelled"


def test_an_expired_order_says_so_kindly_even_before_the_sweep_came_by(shop: Shop, bo: Person) -> None:
    order = waiting(shop, bo)
    late = NOON + timedelta(days=30)
    freeze_clock(late, bo)
    browser, path = client_for(bo), f"/confirm/{order.public_id}"
    assert "订单已过期" in visible_text(browser.get(path))
    assert browser.post(path, {"answer": "yes"})["Location"] == path
    assert state_of(order) == "created"
    orders.expire_unconfirmed(shop.realm_id, at=late, limit=10)
    assert "订单已过期" in visible_text(browser.get(path))


def test_an_order_that_cannot_be_confirmed_names_the_reasons_and_changes_nothing(shop: Shop, bo: Person) -> None:
    order = waiting(shop, bo)
    Profile.objects.filter(person=bo).update(limit_minor=1000)
    browser, path = client_for(bo), f"/confirm/{order.public_id}"
    answer = browser.post(path, {"answer": "yes"})
    assert answer["Location"] == f"{path}/result"
    assert "您的额度为 ¥10.00，已使用 ¥0.00" in visible_text(browser.get(f"{path}/result"))
    assert state_of(order) == "created"
    assert Decision.objects.filter(approved=False).count() == 1
    assert "Your credit limit is CN¥10.00" in visible_text(client_for(bo, "en").get(f"{path}/result"))


def test_a_stopped_service_is_said_to_be_so(shop: Shop, bo: Person) -> None:
    order = waiting(shop, bo)
    browser = client_for(bo)
    browser.post(f"/services/{order.agreement.public_id}/stop")
    answer = browser.post(f"/confirm/{order.public_id}", {"answer": "yes"}, follow=True)
    assert "您已停止 云上小店 的新订单" in visible_text(answer)
    assert state_of(order) == "created"


def test_what_cannot_be_confirmed_now_is_only_to_be_declined(shop: Shop, bo: Person) -> None:
    order, browser = waiting(shop, bo), client_for(bo, "en")
    page, yes = f"/confirm/{order.public_id}", 'value="yes"'
    assert yes in browser.get(page).content.decode()
    suspend_merchant(shop.merchant.id, "x", by=BY, at=NOON)
    closed = browser.get(page)
    assert yes not in closed.content.decode()
    assert "You can confirm this order once it resumes" in visible_text(closed)
    browser.post(f"/services/{order.agreement.public_id}/stop")
    stopped = browser.get(page)
    assert yes not in stopped.content.decode()
    assert "You have stopped new orders for 云上小店." in visible_text(stopped)
    browser.post(page, {"answer": "no"})
    assert (state_of(order), order.agreement.history.latest("seq").target) == ("cancelled", "terminated")


def test_a_living_person_meets_the_same_pages(db: None) -> None:
    person = accounts.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    page = client_for(person).get("/orders/")
    assert "还没有订单" in visible_text(page)
    assert "沙箱环境" not in page.content.decode()
    assert page["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"


def test_titles_cannot_be_more_than_text(power_bank: Shop, ada: Person) -> None:
    make_order(power_bank, make_agreement(power_bank, ada), title="<script>alert(1)</script>" + "长" * 70)
    body = client_for(ada).get("/orders/").content.decode()
    assert "<script>" not in body
    assert "&lt;script&gt;" in body


def test_a_form_from_elsewhere_is_refused_in_words(shop: Shop, bo: Person) -> None:
    order = waiting(shop, bo)
    wary = Client(enforce_csrf_checks=True)
    assert bo.user
    wary.force_login(bo.user, backend="django.contrib.auth.backends.ModelBackend")
    answer = wary.post(f"/confirm/{order.public_id}", {"answer": "yes"})
    assert answer.status_code == 403
    assert "页面已过期" in visible_text(answer)
    assert state_of(order) == "created"
