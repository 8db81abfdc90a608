"""A person opens a return on their order's page, follows it, and may withdraw it."""

from typing import Any

import pytest
from django.test import Client

from billing.models import Return
from billing.services.return_decisions import deny_return, refuse_return
from orders.models import Order
from tests.billing.helpers import paid_order
from tests.browsing import client_for, form_token, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, reload_order, yuan
from tests.unchanged import assert_unchanged


def submit_return(client: Client, order: Order, **changed: str) -> Any:
    page = f"/orders/{order.public_id}/return"
    form = {"carrier": "顺丰", "tracking_number": "SF1", "reason": "尺码<b>不合适", "amount": "49.90"}
    return client.post(page, {"token": form_token(client.get(page)), **form, **changed})


@pytest.fixture
def bought(shop: Shop) -> Order:
    order = paid_order(shop, "49.90")
    freeze_clock(NOON, order.person)
    return order


def test_a_return_is_registered_with_an_early_refund(bought: Order) -> None:
    client, page = client_for(bought.person), f"/orders/{bought.public_id}"
    assert "退货" in visible_text(client.get(page))
    form = visible_text(client.get(f"{page}/return"))
    assert "10 天内确认" in form
    assert "全部退货为 ¥49.90" in form
    with assert_unchanged("django_session", "kernel_idempotencykey"):
        wrong = ({"carrier": ""}, {"tracking_number": "一二"}, {"reason": " "}, {"amount": "x"}, {"amount": "0"})
        for each in (*wrong, {"amount": "49.91"}, {"carrier": "x" * 41}):
            assert submit_return(client, bought, **each).status_code == 422, each
    assert submit_return(client, bought)["Location"] == page
    row = Return.objects.get()
    assert (row.state, row.history.get().by) == ("advanced", f"person:{bought.person.public_id}")
    shown = client.get(page)
    assert "款项已先行退给您" in visible_text(shown)
    assert "尺码&lt;b&gt;不合适" in shown.content.decode()
    assert f"{page}/return" not in shown.content.decode(), "nothing more of it can be sent back"
    assert "30 天内可以退货" in visible_text(client.get(f"{page}/return"))

    refuse_return(row.id, "空包裹", by=BY, at=NOON)
    assert "商户未接受，由我们决定" in visible_text(client.get(page))
    deny_return(row.id, "核实无误", by=BY, at=NOON)
    said = visible_text(client.get(page))
    assert "平台先行退款 ¥49.90" in said
    assert "退货未成立" in said
    assert "退货时先行退给您的款项 ¥49.90" in said
    assert "¥49.90" in visible_text(client.get("/pay-all/"))
    assert "¥49.90" in visible_text(client.get("/home/"))


def test_an_unpaid_order_is_paused_until_the_return_is_cancelled(shop: Shop) -> None:
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("49.90"))
    freeze_clock(NOON, order.person)
    client, page = client_for(order.person), f"/orders/{order.public_id}"
    assert submit_return(client, order, amount="10")["Location"] == page
    assert "您的退货正在处理" in visible_text(client.get(page))
    for _ in range(2):
        assert client.post(f"{page}/return/keep").status_code == 302
    assert Return.objects.get().state == "withdrawn"
    assert "您取消了退货" in visible_text(client.get(page))
    assert reload_order(order.id).pauses.filter(ended_at=None).count() == 0


def test_usage_based_order_has_no_return_form(power_bank: Shop, bought: Order) -> None:
    used = paid_order(power_bank)
    freeze_clock(NOON, used.person)
    client = client_for(used.person)
    assert "退货" not in visible_text(client.get(f"/orders/{used.public_id}"))
    with assert_unchanged("django_session", "kernel_idempotencykey"):
        page = client.get(f"/orders/{used.public_id}/return")
        assert 'name="carrier"' not in page.content.decode()
        for path in (f"/orders/{bought.public_id}/return", f"/orders/{bought.public_id}/return/keep"):
            assert client.get(path).status_code == 404
            assert client.post(path, {"token": "x"}).status_code == 404
