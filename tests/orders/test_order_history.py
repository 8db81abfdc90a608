"""Search and filters of the promise record."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Person
from orders import order_history
from orders import services as orders
from orders.models import Order
from orders.pages import PAGE_SIZE
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person


def test_the_record_is_searched_by_words_number_and_month(power_bank: Shop, shop: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    tea = make_order(power_bank, agreement, title="茶馆充电宝", at=NOON - timedelta(days=40))
    hotel = make_order(power_bank, agreement, title="Hotel 100% _", out_order_no="H-77")
    freeze_clock(NOON, ada)
    browser = client_for(ada)

    def found(**sought: str) -> set[Order]:
        return set(browser.get("/orders/", sought).context["result"].orders)

    assert found() == {tea, hotel}
    assert found(q="茶馆") == {tea}
    assert found(q="hotel") == found(q=" h-7 ") == found(q=hotel.public_id) == found(q="100%") == {hotel}
    assert found(q="来电") == {tea, hotel}  # the merchant's name
    assert found(q="101%") == found(q="x" * 5000) == found(q="ord_" + "0" * 32) == set()
    assert found(q="\0茶馆") == {tea}
    assert found(month="2026-10") == {tea}
    assert found(month="2026-11", q="茶馆") == set()
    page = browser.get("/orders/", {"q": "茶馆", "shelf": "in_progress"})
    assert "2026年10月" in visible_text(page)
    assert 'value="茶馆"' in page.content.decode()
    assert "没有找到符合的订单" in visible_text(browser.get("/orders/", {"q": "什么也不是"}))


def test_a_search_turns_pages_and_keeps_what_is_looked_for(power_bank: Shop, ada: Person) -> None:
    agreement = make_agreement(power_bank, ada)
    for n in range(PAGE_SIZE + 3):
        order = make_order(power_bank, agreement, title=f"伞 {n} & 包")
        orders.cancel_order(order.id, "x", by=BY, at=NOON)
    freeze_clock(NOON, ada)
    browser = client_for(ada)
    first = browser.get("/orders/", {"q": "& 包", "shelf": "cancelled", "month": "2026-11"})
    second = browser.get(f"/orders/?{first.context['next_query']}")
    assert len(first.context["result"].orders) == PAGE_SIZE
    assert len(second.context["result"].orders) == 3
    assert not {*first.context["result"].orders} & {*second.context["result"].orders}


@pytest.fixture
def many(power_bank: Shop, ada: Person) -> list[Order]:
    """Two orders of November, one of September."""
    agreement = make_agreement(power_bank, ada, at=NOON - timedelta(days=90))
    september = make_order(power_bank, agreement, title="九月的充电宝", at=NOON - timedelta(days=70))
    found = [make_order(power_bank, agreement, title=title) for title in ("一百%的电", "伞_借")]
    freeze_clock(NOON, ada)
    return [september, *found]


def test_nobody_finds_another_persons_order(many: list[Order], power_bank: Shop) -> None:
    stranger = client_for(make_person(power_bank, name="陌生人"))
    for text in (many[1].out_order_no, many[1].public_id, many[1].title):
        assert "没有找到符合的订单" in visible_text(stranger.get("/orders/", {"q": text}))


def test_a_month_begins_where_its_person_lives(power_bank: Shop, ada: Person) -> None:
    last_second = NOON.replace(day=30, hour=15, minute=59, second=59)  # 23:59:59 in Shanghai
    agreement = make_agreement(power_bank, ada)
    make_order(power_bank, agreement, title="十一月", at=last_second)
    make_order(power_bank, agreement, title="十二月", at=last_second + timedelta(seconds=1))
    freeze_clock(last_second + timedelta(days=1), ada)
    for month, title in (("2026-11", "十一月"), ("2026-12", "十二月")):
        found = client_for(ada).get("/orders/", {"month": month}).context["result"].orders
        assert [order.title for order in found] == [title]
        assert "November 2026" in visible_text(client_for(ada, "en").get("/orders/"))


@pytest.mark.parametrize("month", ["2026-13", "0001-01", "9999-12", "去年", "2026-11-01", "١٢", "x" * 10_000, "\0"])
def test_an_invalid_month_is_reported_and_the_input_kept(many: list[Order], ada: Person, month: str) -> None:
    page = client_for(ada).get("/orders/", {"month": month, "q": "伞"})
    assert page.status_code == 200
    assert "请从列表中选择月份" in visible_text(page)
    assert 'value="伞"' in page.content.decode()


def test_a_search_stops_at_the_window_and_can_be_continued(
    many: list[Order], ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_history, "SEARCH_WINDOW", 2)
    browser = client_for(ada)
    first = browser.get("/orders/", {"q": "九月"})
    assert "目前没有找到符合的订单，更早的订单尚未查找" in visible_text(first)
    second = browser.get(f"/orders/?{first.context['next_query']}")
    assert [order.title for order in second.context["result"].orders] == ["九月的充电宝"]
    assert second.context["next_query"] is None
    assert browser.get("/orders/", {"q": "九月", "cursor": "x"}).status_code == 422


def test_htmx_gets_only_the_next_part(many: list[Order], ada: Person) -> None:
    asked = {"cursor": many[2].public_id, "under": "2026年11月"}
    part = client_for(ada).get("/orders/", asked, headers={"hx-request": "true"})
    body = part.content.decode()
    assert "autofocus" in body
    assert "<h1" not in body
    assert "2026年11月</h2>" not in body  # it stands over what came before already
    assert "2026年9月</h2>" in body


def test_whoever_is_signed_out_meanwhile_signs_in_on_a_whole_page_and_comes_back_to_where_they_were(db: None) -> None:
    sent = {"hx-request": "true", "hx-current-url": "http://testserver/orders/?shelf=kept"}
    answer = Client().get("/orders/?cursor=1", headers=sent)
    assert answer["HX-Redirect"] == "/account/login/?next=/orders/%3Fshelf%3Dkept"
    assert not answer.content
    elsewhere = Client().get("/orders/?cursor=1", headers=sent | {"hx-current-url": "https://evil.example/x"})
    assert elsewhere["HX-Redirect"] == "/account/login/?next=/orders/"
    nowhere = Client().get("/orders/?cursor=1", headers=sent | {"hx-current-url": "http://[::1"})
    assert nowhere["HX-Redirect"] == "/account/login/?next=/orders/"


@pytest.mark.parametrize("asked", [{}, {"q": "电"}, {"month": "2026-11"}, {"q": "电", "month": "2026-11"}])
def test_the_number_of_queries_is_constant(
    power_bank: Shop, ada: Person, asked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_history, "SEARCH_WINDOW", 5)
    agreement, browser = make_agreement(power_bank, ada), client_for(ada)
    make_order(power_bank, agreement, title="电")
    freeze_clock(NOON, ada)
    browser.get("/orders/", asked)  # what a connection learns once it learns now
    counts = []
    for more in (0, 8):
        for _ in range(more):
            make_order(power_bank, agreement, title="电", at=NOON)
        with CaptureQueriesContext(connection) as asking:
            assert browser.get("/orders/", asked).context["result"].orders
        counts.append(len(asking))
    assert counts[0] == counts[1]
