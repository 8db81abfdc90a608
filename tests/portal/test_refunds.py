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
        assert "确认退款" in visible_text(fill(client, page, amount="3", sure="250/0"))
        assert fill(client, page, amount="-1").status_code == 422
        assert fill(client, page, amount="0", sure="0/0").status_code == 422
        too_much = fill(client, page, amount="6.01", sure="601/0")
        assert too_much.status_code == 422
        assert "最多可退 6.00 CNY" in visible_text(too_much)


def test_a_viewer_sees_refunds_and_makes_none(firm: Company, paid: Order) -> None:
    client, order = firm.browser("viewer"), f"{firm.at('test')}orders/{paid.public_id}"
    assert "/refund" not in client.get(order).content.decode()
    assert client.get(f"{order}/refund").status_code == 403


def test_its_person_reads_what_came_back(firm: Company, paid: Order) -> None:
    owner, order = firm.browser("owner"), f"{firm.at('test')}orders/{paid.public_id}"
    fill(owner, f"{order}/refund", amount="2.50", sure="250/0")
    assert Refund.objects.count() == 1
    page = visible_text(client_for(paid.person).get(f"/orders/{paid.public_id}"))
    assert "¥2.50 已原路退回" in page
    assert "线坏了" in page


def confirmed_fields(page: Any) -> dict[str, str]:
    """What the confirmation page submits."""
    fields = {name: str(page.context["form"][name].value()) for name in ("amount", "reason", "sure")}
    return fields | {"token": form_token(page)}


def test_what_was_refunded_meanwhile_is_told_and_confirmed_again(firm: Company, paid: Order) -> None:
    page = f"{firm.at('test')}orders/{paid.public_id}/refund"
    owner, finance = firm.browser("owner"), firm.browser("finance")
    asked = [fill(client, page, amount="2.50") for client in (owner, finance)]
    assert "已退 ¥0.00，可退 ¥6.00" in visible_text(asked[0])
    assert owner.post(page, confirmed_fields(asked[0])).status_code == 302
    refused = finance.post(page, confirmed_fields(asked[1]))
    assert (refused.status_code, Refund.objects.count()) == (422, 1)
    for said in ("在此期间该订单已有另一笔退款", "已退 ¥2.50，可退 ¥3.50", "确认退款"):
        assert said in visible_text(refused)
    assert 'value="3.50"' in finance.get(page).content.decode()
    assert finance.post(page, confirmed_fields(refused)).status_code == 302
    assert [refund.amount_minor for refund in Refund.objects.all()] == [250, 250]


@pytest.mark.parametrize("sure", ["250", "250/", "/0", "250/x", "²50/0", "250/-1", "9" * 5000 + "/0", "250/0/0"])
def test_a_confirmation_of_another_form_confirms_nothing(firm: Company, paid: Order, sure: str) -> None:
    page = f"{firm.at('test')}orders/{paid.public_id}/refund"
    assert "确认退款 ¥2.50" in visible_text(fill(firm.browser("owner"), page, amount="2.50", sure=sure))
    assert not Refund.objects.exists()
