"""Detail pages of a deduction and an agreement, in a fixed number of queries."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Person
from billing.channels import bank_disputes
from billing.models import Deduction
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from credit import services as credit
from credit.models import Agreement
from orders.models import Order
from tests.billing.helpers import issue_refund, latest_deduction_of
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person
from tests.console.conftest import page_text
from tests.office.person_history import completed_order, deducted_order
from tests.unchanged import assert_unchanged


@pytest.fixture
def desk(console_client: Callable[..., Client]) -> Client:
    return console_client("finance")


def whole(row: Deduction | Agreement) -> str:
    return f"/ops/{row._meta.model_name}/{row.public_id}"


def debited(shop: Shop, behaviour: str = "pays", *, orders: int = 1) -> Deduction:
    """One debit for so many orders of one person."""
    person: Person = make_person(shop, behaviour)
    agreement = make_agreement(shop, person)
    bought = [completed_order(shop, agreement, "6") for _ in range(orders)]
    deduct_due(shop.realm_id, at=NOON)
    return latest_deduction_of(bought[0])


def asked(desk: Client, row: Deduction | Agreement) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert desk.get(whole(row)).status_code == 200
    return len(queries)


def test_everything_about_a_deduction_is_on_its_page(power_bank: Shop, desk: Client) -> None:
    row = debited(power_bank, orders=2)
    issue_refund(Order.objects.earliest("id"), "2")
    bank_disputes.reverse_debit(row.number, "not_received", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    text = page_text(desk.get(whole(row)))
    for wanted in (
        *("¥12.00", "成功", "按计划", "到期日", row.number, str(row.channel_txn), "沙箱银行卡", "艾*", "来电充电宝"),
        *("已准备，尚未发送", "已发往渠道", "扣款成功", "系统自动：扣款", "退款", "¥2.00"),
        *("其中 ¥12.00 已退回或退款中", "用户称未收到商品或服务", "已收款", "获知途径 同步应答"),
    ):
        assert wanted in text, wanted


def test_an_unknown_deduction_shows_its_next_query(power_bank: Shop, desk: Client) -> None:
    row = debited(power_bank, "timeout_then_not_paid")
    text = page_text(desk.get(whole(row)))
    assert "结果尚不明确。已向渠道查询 0 次" in text
    assert "绝不会再次发起" in text
    failed = debited(power_bank, "no_funds")
    text = page_text(desk.get(whole(failed)))
    assert "未扣款原因 余额不足" in text
    assert "结果尚不明确" not in text


def test_everything_about_an_agreement_is_on_its_page(power_bank: Shop, desk: Client) -> None:
    person = make_person(power_bank)
    agreement = make_agreement(power_bank, person)
    order = deducted_order(power_bank, agreement)
    text = page_text(desk.get(whole(agreement)))
    for wanted in (
        *("充电宝", "来电充电宝", "艾*", agreement.person_ref, order.title, order.out_order_no, "¥6.00 / ¥99.00"),
        *("用户开通", "通过", "每单最高 ¥99.00"),
    ):
        assert wanted in text, wanted
    make_order(power_bank, agreement)
    credit.stop_agreement(agreement.id, by=BY, at=NOON)
    text = page_text(desk.get(whole(agreement)))
    assert "最后一笔订单按约定扣款完毕后终止" in text
    assert "停用时间" in text


def test_an_agreement_nobody_has_opened_has_no_person(power_bank: Shop, desk: Client) -> None:
    row = credit.request_agreement(power_bank.merchant.id, power_bank.service.id, "u-1", by=BY, at=NOON)
    text = page_text(desk.get(whole(row)))
    assert "商户已发起，用户尚未开通" in text
    assert "没有订单" in text


def test_the_number_of_queries_does_not_grow(power_bank: Shop, desk: Client) -> None:
    one, several = debited(power_bank), debited(power_bank, orders=9)
    assert several.lines.count() == 9
    asked(desk, one)
    assert asked(desk, several) == asked(desk, one)
    few, many = (
        Order.objects.filter(deduction_lines__deduction=row).earliest("id").agreement for row in (one, several)
    )
    assert asked(desk, many) == asked(desk, few)


def test_they_are_reached_from_lists_and_other_pages(power_bank: Shop, desk: Client) -> None:
    row = debited(power_bank)
    order = Order.objects.get()
    for path in (
        "/ops/billing/deduction/",
        f"/ops/order/{order.public_id}",
        f"/ops/agreement/{order.agreement.public_id}",
    ):
        with assert_unchanged("django_session"):
            assert desk.get(path).status_code == 200
    for path, target in (
        ("/ops/billing/deduction/", row),
        (f"/ops/order/{order.public_id}", row),
        ("/ops/credit/agreement/", order.agreement),
        (f"/ops/order/{order.public_id}", order.agreement),
    ):
        assert whole(target) in desk.get(path).content.decode(), path
    assert desk.post("/ops/find", {"q": row.number})["Location"] == whole(row)


@pytest.mark.parametrize(
    "path", ["deduction/ded_", "deduction/agr_", "agreement/agr_", "agreement/ded_", "agreement/x"]
)
def test_an_unknown_id_is_a_404(path: str, desk: Client) -> None:
    assert desk.get(f"/ops/{path}{'0' * 32}").status_code == 404
    assert Client().get(f"/ops/{path}{'0' * 32}")["Location"].startswith("/ops/login/")
