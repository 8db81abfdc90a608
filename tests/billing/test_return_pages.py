"""A person sends something back on their order's page, sees what comes of it, and may keep it after all."""

from typing import Any

import pytest
from django.test import Client

from billing.models import Return
from billing.services.return_ends import deny_return, refuse_return
from orders.models import Order
from tests.billing.bench import paid
from tests.conftest import BY, NOON, Shop, completed, fresh, someone, yuan
from tests.stillness import nothing_moves
from tests.visiting import it_is, token_on, visiting, words


def sends(client: Client, order: Order, **changed: str) -> Any:
    page = f"/orders/{order.public_id}/return"
    form = {"carrier": "顺丰", "tracking_number": "SF1", "reason": "尺码<b>不合适", "amount": "49.90"}
    return client.post(page, {"token": token_on(client.get(page)), **form, **changed})


@pytest.fixture
def bought(shop: Shop) -> Order:
    order = paid(shop, "49.90")
    it_is(NOON, order.person)
    return order


def test_it_is_sent_back_and_the_money_goes_ahead(bought: Order) -> None:
    client, page = visiting(bought.person), f"/orders/{bought.public_id}"
    assert "退货" in words(client.get(page))
    form = words(client.get(f"{page}/return"))
    assert "10 天内确认" in form
    assert "全部退货为 ¥49.90" in form
    with nothing_moves("django_session", "kernel_idempotencykey"):
        wrong = ({"carrier": ""}, {"tracking_number": "一二"}, {"reason": " "}, {"amount": "x"}, {"amount": "0"})
        for each in (*wrong, {"amount": "49.91"}, {"carrier": "x" * 41}):
            assert sends(client, bought, **each).status_code == 422, each
    assert sends(client, bought)["Location"] == page
    row = Return.objects.get()
    assert (row.state, row.history.get().by) == ("advanced", f"person:{bought.person.public_id}")
    shown = client.get(page)
    assert "款项已先行退给您" in words(shown)
    assert "尺码&lt;b&gt;不合适" in shown.content.decode()
    assert f"{page}/return" not in shown.content.decode(), "nothing more of it can be sent back"
    assert "30 天内可以退货" in words(client.get(f"{page}/return"))

    refuse_return(row.id, "空包裹", by=BY, at=NOON)
    assert "商户未接受，由我们决定" in words(client.get(page))
    deny_return(row.id, "核实无误", by=BY, at=NOON)
    said = words(client.get(page))
    assert "平台先行退款 ¥49.90" in said
    assert "退货未成立" in said
    assert "退货时先行退给您的款项 ¥49.90" in said
    assert "¥49.90" in words(client.get("/pay-all/"))
    assert "¥49.90" in words(client.get("/home/"))


def test_what_is_not_paid_stands_still_until_they_keep_it_after_all(shop: Shop) -> None:
    order = completed(shop, someone(shop, "no_funds"), yuan("49.90"))
    it_is(NOON, order.person)
    client, page = visiting(order.person), f"/orders/{order.public_id}"
    assert sends(client, order, amount="10")["Location"] == page
    assert "您的退货正在处理" in words(client.get(page))
    for _ in range(2):
        assert client.post(f"{page}/return/keep").status_code == 302
    assert Return.objects.get().state == "withdrawn"
    assert "您取消了退货" in words(client.get(page))
    assert fresh(order.id).pauses.filter(ended_at=None).count() == 0


def test_what_was_used_and_then_paid_for_has_no_such_form_and_anothers_order_is_missing(
    power_bank: Shop, bought: Order
) -> None:
    used = paid(power_bank)
    it_is(NOON, used.person)
    client = visiting(used.person)
    assert "退货" not in words(client.get(f"/orders/{used.public_id}"))
    with nothing_moves("django_session", "kernel_idempotencykey"):
        page = client.get(f"/orders/{used.public_id}/return")
        assert 'name="carrier"' not in page.content.decode()
        for path in (f"/orders/{bought.public_id}/return", f"/orders/{bought.public_id}/return/keep"):
            assert client.get(path).status_code == 404
            assert client.post(path, {"token": "x"}).status_code == 404
