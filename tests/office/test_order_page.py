"""An order's detail page, in a fixed number of queries."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.services.deduct import deduct_due
from billing.services.refunds import RefundDetails, refund_order
from merchants import services as merchants
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan
from tests.console.conftest import page_text
from tests.office.test_tally import late


@pytest.fixture
def desk(console_client: Callable[..., Client]) -> Client:
    return console_client("viewer")


def whole(order: Order) -> str:
    return f"/ops/order/{order.public_id}"


def test_everything_that_belongs_to_an_order_is_on_its_page(power_bank: Shop, desk: Client) -> None:
    merchants.add_endpoint(power_bank.merchant.id, "http://127.0.0.1:9/", by=BY, at=NOON)
    order = make_due_order(power_bank, make_person(power_bank), yuan("12.34"))
    orders.pause_order(order.id, "hardship", by=BY, at=NOON)
    orders.resume_order(order.id, "hardship", by=BY, at=NOON)
    report = orders.report_problem(order.id, "other", "x", by=BY, at=NOON)
    orders.withdraw_concern(report.id, by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    refund, _new = refund_order(order.id, RefundDetails(amount_minor=100, reason="少了一件"), by=BY, at=NOON)
    text = page_text(desk.get(whole(order)))
    for wanted in (
        order.out_order_no,
        "已扣款",
        "¥12.34",
        "沙箱银行卡",
        "应收用户款",
        "申请金额",
        "扣款成功",
        "order.completed",
        "http://127.0.0.1:9/",
        refund.public_id,
        report.public_id,
        "还款困难",
        f"{order.deduction_lines.get().deduction.channel_txn}",
    ):
        assert wanted in text, wanted


def test_possible_next_states_and_actions_are_shown(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    order = late(power_bank)
    text = page_text(console_client("supervisor").get(whole(order)))
    assert text.count("可能进入") == 3
    assert "核销" in text
    assert "核销" not in page_text(console_client("viewer").get(whole(order)))


def test_a_longer_history_takes_no_more_queries(power_bank: Shop, desk: Client) -> None:
    def asked(order: Order) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert desk.get(whole(order)).status_code == 200
        return len(queries)

    merchants.add_endpoint(power_bank.merchant.id, "http://127.0.0.1:9/", by=BY, at=NOON)
    order = late(power_bank)
    few = asked(order)
    for day in range(4, 9):
        deduct_due(power_bank.realm_id, at=NOON + timedelta(days=day))
    assert order.deduction_lines.count() > 2
    assert asked(order) == few


def test_a_new_order_and_what_is_written_in_it(power_bank: Shop, desk: Client) -> None:
    bad = "<script>alert(1)</script>"
    order = make_order(power_bank, make_agreement(power_bank, make_person(power_bank)), title=bad)
    page = desk.get(whole(order))
    assert page.status_code == 200
    assert bad.encode() not in page.content
    assert desk.get(f"/ops/orders/order/{order.pk}/change/").content.count(whole(order).encode()) == 1


@pytest.mark.parametrize("name", ["ord_" + "0" * 32, "per_" + "0" * 32, "nonsense"])
def test_an_unknown_id_is_a_404(name: str, desk: Client) -> None:
    assert desk.get(f"/ops/order/{name}").status_code == 404
    assert Client().get(f"/ops/order/{name}")["Location"].startswith("/ops/login/")
