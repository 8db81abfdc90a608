"""Refunds by colleagues: what the page shows, two tabs, and what is told while the channel has not confirmed."""

from collections.abc import Callable

import pytest
from django.test import Client

from billing.channels import Declined, Unknown
from billing.channels.sandbox import SandboxChannel
from billing.models import Refund
from kernel.models import AuditLine
from orders.models import Order
from tests.billing.helpers import paid_order
from tests.browsing import form_token, freeze_clock
from tests.conftest import NOON, Shop, make_shop
from tests.console.conftest import page_text, submit_form
from tests.office.approval_helpers import decide_on_page, propose_on_page

pytestmark = pytest.mark.usefixtures("all_attempted")


@pytest.fixture
def order(power_bank: Shop) -> Order:
    order = paid_order(power_bank, "8")
    freeze_clock(NOON, order.person)
    return order


def path(order: Order) -> str:
    return f"/ops/do/{order.public_id}/refund"


def form_of(page: object) -> dict[str, str]:
    """The hidden fields of the page, with an amount and a reason."""
    body = page.content.decode()  # type: ignore[attr-defined]
    seen = body.partition('name="seen" value="')[2].partition('"')[0]
    return {"token": form_token(page), "seen": seen, "amount": "3", "note": "多收 3 元"}


def test_two_colleagues_do_not_refund_the_same_complaint_twice(
    order: Order, support: Client, console_client: Callable[..., Client]
) -> None:
    finance = console_client("finance")
    first, second = support.get(path(order)), finance.get(path(order))
    assert "已退 ¥0.00，还可退 ¥8.00" in page_text(first)
    assert support.post(path(order), form_of(first)).status_code == 302
    refused = finance.post(path(order), form_of(second))
    assert refused.status_code == 422
    assert "在此期间该订单已有另一笔退款" in page_text(refused)
    assert "已退 ¥3.00，还可退 ¥5.00" in page_text(refused)
    assert Refund.objects.count() == 1
    assert finance.post(path(order), form_of(refused)).status_code == 302
    assert Refund.objects.count() == 2


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Unknown("timeout"), ("pending", "退款处理中：渠道尚未确认")),
        (Declined("account_closed", "hard"), ("failed", "未能全部退成")),
    ],
)
def test_an_unconfirmed_refund_is_not_told_as_done(
    order: Order, support: Client, monkeypatch: pytest.MonkeyPatch, answer: object, told: tuple[str, str]
) -> None:
    monkeypatch.setattr(SandboxChannel, "refund", lambda *_args, **_named: answer)
    state, words = told
    page = support.get(submit_form(support, path(order), amount="3", note="多收")["Location"])
    assert Refund.objects.get().state == state
    assert words in page.content.decode()
    assert '<li class="warning">' in page.content.decode()
    assert words in AuditLine.objects.filter(act="refund.done").get().data["said"]


def test_an_approver_is_told_what_came_of_it(
    support: Client, supervisor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = paid_order(make_shop("大件", ceiling_minor=500_000), "3000")
    freeze_clock(NOON, order.person)
    monkeypatch.setattr(SandboxChannel, "refund", lambda *_args, **_named: Unknown("timeout"))
    row = propose_on_page(support, path(order), amount="2000", note="全坏", seen="0")
    assert "seen" not in page_text(supervisor.get(f"/ops/second/{row.public_id}"))
    page = supervisor.get(decide_on_page(supervisor, row)["Location"]).content.decode()
    assert '<li class="warning">¥2,000.00 退款处理中' in page
