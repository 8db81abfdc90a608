"""Staff confirm or refuse the receipt of returned goods."""

from billing.models import Return
from merchants.models import Change
from orders.models import Order
from tests.billing.return_helpers import opened_return
from tests.browsing import form_token, visible_text
from tests.portal.conftest import Company
from tests.portal.test_refunds import paid
from tests.unchanged import assert_unchanged

assert paid  # a fixture of theirs


def test_it_waits_on_the_first_page_and_is_confirmed_by_those_who_may(firm: Company, paid: Order) -> None:
    row, client, home = opened_return(paid), firm.browser("finance"), firm.at("test")
    assert "有 1 件退货等待您答复" in visible_text(client.get(home))
    assert "SF1" in visible_text(client.get(f"{home}returns/"))
    order = client.get(f"{home}orders/{paid.public_id}")
    assert "平台已先行退款给用户" in visible_text(order)
    page = f"{home}returns/{row.public_id}/confirm"
    assert page in order.content.decode()
    assert firm.browser("viewer").get(page).status_code == 403
    sent = {"token": form_token(client.get(page))}
    for _ in range(2):
        assert client.post(page, sent).status_code == 302
    assert Return.objects.get().state == "confirmed"
    assert Change.objects.filter(verb="return_confirmed").count() == 1
    assert "等待您答复" not in visible_text(client.get(home))


def test_it_is_refused_with_a_reason_and_may_still_be_confirmed(firm: Company, paid: Order) -> None:
    row, client = opened_return(paid), firm.browser("owner")
    page = f"{firm.at('test')}returns/{row.public_id}/refuse"
    with assert_unchanged("django_session", "kernel_idempotencykey"):
        for wrong in ("", " ", "x" * 201):
            assert client.post(page, {"token": form_token(client.get(page)), "reason": wrong}).status_code == 422
    assert client.post(page, {"token": form_token(client.get(page)), "reason": "空包裹<b>"}).status_code == 302
    assert Return.objects.get().because == "空包裹<b>"
    shown = client.get(f"{firm.at('test')}orders/{paid.public_id}").content.decode()
    assert "空包裹&lt;b&gt;" in shown
    assert "/refuse" not in shown
    confirm = f"{firm.at('test')}returns/{row.public_id}/confirm"
    assert client.post(confirm, {"token": form_token(client.get(confirm))}).status_code == 302
    assert Return.objects.get().state == "confirmed"
