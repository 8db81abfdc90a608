"""Refunds by staff: confirmed once more, executed once, with the result shown."""

from typing import Any

import pytest

from billing.models import Refund
from billing.services.deduct import deduct_due
from kernel.models import Realm
from merchants.models import Change
from orders.models import Order
from tests.browsing import client_for, form_token, visible_text
from tests.conftest import NOON, make_due_order, make_person, reload_order, yuan
from tests.portal.conftest import Company
from tests.unchanged import assert_unchanged


@pytest.fixture
def paid(firm: Company) -> Order:
    """An order of ¥6 that was collected."""
    Realm.objects.filter(pk=firm.shop.realm_id).update(frozen_at=NOON)
    order = make_due_order(firm.shop, make_person(firm.shop), yuan("6"))
    deduct_due(firm.shop.realm_id, at=NOON)
    return order


def fill(client: Any, page: str, **given: str) -> Any:
    return client.post(page, {"token": form_token(client.get(page)), "reason": "线坏了", **given})


@pytest.mark.parametrize("role", ["owner", "finance"])
def test_a_refund_is_confirmed_once_more_and_executed(firm: Company, paid: Order, role: str) -> None:
    client, order = firm.browser(role), f"{firm.at('test')}orders/{paid.public_id}"
    with assert_unchanged("django_session"):
        asked = fill(client, f"{order}/refund", amount="2.50")
    assert "确认退款 ¥2.50" in visible_text(asked)
    assert not Refund.objects.exists()
    sure = {name: str(asked.context["form"][name].value()) for name in ("amount", "reason", "sure")}
    sent = sure | {"token": form_token(asked)}
    for _ in range(2):
        assert client.post(f"{order}/refund", sent).status_code == 302
    refund = Refund.objects.get()
    assert (refund.amount_minor, refund.reason, refund.state) == (250, "线坏了", "succeeded")
    assert reload_order(paid.id).refunded_minor == 250
    assert Change.objects.filter(verb="order_refunded").count() == 1
    page = visible_text(client.get(order))
    for said in ("退款记录", "线坏了", "款项已退回用户", "已退款"):
        assert said in page


def test_another_amount_than_the_one_shown_is_shown_again(firm: Company, paid: Order) -> None:
    client, page = firm.browser("owner"), f"{firm.at('test')}orders/{paid.public_id}/refund"
    with assert_unchanged("django_session", "kernel_idempotencykey"):
        assert "确认退款" in visible_text(fill(client, page, amount="3", sure="250"))
        assert fill(client, page, amount="-1").status_code == 422
        assert fill(client, page, amount="0", sure="0").status_code == 422
        too_much = fill(client, page, amount="6.01", sure="601")
        assert too_much.status_code == 422
        assert "最多可退 6.00 CNY" in visible_text(too_much)


def test_a_viewer_sees_refunds_and_makes_none(firm: Company, paid: Order) -> None:
    client, order = firm.browser("viewer"), f"{firm.at('test')}orders/{paid.public_id}"
    assert "/refund" not in client.get(order).content.decode()
    assert client.get(f"{order}/refund").status_code == 403


def test_its_person_reads_what_came_back(firm: Company, paid: Order) -> None:
    owner, order = firm.browser("owner"), f"{firm.at('test')}orders/{paid.public_id}"
    fill(owner, f"{order}/refund", amount="2.50", sure="250")
    assert Refund.objects.count() == 1
    page = visible_text(client_for(paid.person).get(f"/orders/{paid.public_id}"))
    assert "¥2.50 已原路退回" in page
    assert "线坏了" in page
