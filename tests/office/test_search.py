"""The search box: one hit is opened, several are listed, and searches by phone are audited."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import services as accounts
from billing.models import Deduction, Payout
from billing.services.deduct import deduct_due
from kernel.models import AuditLine
from orders.models import Order
from tests.billing.helpers import paid_order
from tests.conftest import (
    BY,
    NOON,
    Shop,
    make_agreement,
    make_due_order,
    make_order,
    make_person,
    make_shop,
    yuan,
)
from tests.console.conftest import page_text
from tests.office.test_dispute_page import disputed
from tests.settlement.helpers import MIDNIGHT, settle_and_pay_out
from tests.settlement.test_payouts import TAKES, approve_account

PHONE = "+8613812341234"


@pytest.fixture
def desk(console_client: Callable[..., Client]) -> Client:
    return console_client("support")


@pytest.fixture
def order(power_bank: Shop) -> Order:
    person = accounts.register_person(PHONE, realm_id=power_bank.realm_id, by=BY, at=NOON)
    accounts.verify_identity(person.id, "欧阳修远", "11010519491231002X", by=BY, at=NOON)
    make_due_order(power_bank, make_person(power_bank), yuan("1"))
    deduct_due(power_bank.realm_id, at=NOON)
    return make_order(power_bank, make_agreement(power_bank, person))


def looked(desk: Client, text: str) -> Any:
    return desk.post("/ops/find", {"q": text})


def test_a_single_hit_is_opened(order: Order, desk: Client) -> None:
    taken = Deduction.objects.get()
    whole = {
        order.public_id: f"/ops/order/{order.public_id}",
        f"  {order.out_order_no} ": f"/ops/order/{order.public_id}",
        order.person.public_id: f"/ops/person/{order.person.public_id}",
        "13812341234": f"/ops/person/{order.person.public_id}",
        "+86 138 1234 1234": f"/ops/person/{order.person.public_id}",
        f"{taken.channel_txn}": f"/ops/deduction/{taken.public_id}",
        taken.number: f"/ops/deduction/{taken.public_id}",
        order.merchant.public_id: f"/ops/merchants/{order.merchant.public_id}",
    }
    for text, path in whole.items():
        assert looked(desk, text).headers.get("Location") == path, text


def test_several_are_listed(order: Order, desk: Client) -> None:
    other = make_shop("来电")
    twin = make_order(other, make_agreement(other, make_person(other)), out_order_no=order.out_order_no)
    page = page_text(looked(desk, order.out_order_no))
    assert order.public_id in page
    assert twin.public_id in page
    assert other.merchant.public_id in page_text(looked(desk, "来电"))


def test_whoever_looks_for_a_phone_is_written_down_and_the_phone_is_not(order: Order, desk: Client) -> None:
    looked(desk, "13812341234")
    line = AuditLine.objects.get(act="found.phone")
    assert (line.about, line.data) == (order.person.public_id, {"found": 1})
    looked(desk, order.out_order_no)
    assert AuditLine.objects.filter(act__startswith="found").count() == 1
    assert not [row for row in AuditLine.objects.values() if "13812341234" in f"{row}"]


@pytest.mark.parametrize(
    "text", ["", "nothing", "ord_" + "0" * 32, "x" * 10_000, "\x00", "<script>alert(1)</script>", "%"]
)
def test_no_hits_show_a_message(text: str, order: Order, desk: Client) -> None:
    page = looked(desk, text)
    assert page.status_code == 200
    assert "没有找到" in page_text(page)
    assert b"<script>alert" not in page.content


def test_it_asks_the_same_however_many_there_are_and_only_by_index(order: Order, desk: Client) -> None:
    def asked(text: str) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            looked(desk, text)
        return [query["sql"] for query in queries]

    few = len(asked("来电"))
    for _ in range(3):
        make_shop("来电连锁")
    assert len(asked("来电")) == few
    assert len(asked(order.public_id)) <= few
    for sql in asked("T-none"):
        if 'FROM "orders_order"' in sql or 'FROM "billing_' in sql:
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL enable_seqscan = off; EXPLAIN {sql}")
                plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Seq Scan" not in plan, plan


def test_strangers_and_links_find_nothing(order: Order, desk: Client) -> None:
    assert Client().post("/ops/find", {"q": order.public_id})["Location"].startswith("/ops/login/")
    assert desk.get("/ops/find", {"q": order.public_id}).status_code == 405


def test_payouts_and_disputes_are_found_by_the_banks_numbers(power_bank: Shop, desk: Client) -> None:
    dispute = disputed(power_bank)
    assert looked(desk, dispute.channel_txn)["Location"] == f"/ops/dispute/{dispute.public_id}"
    approve_account(power_bank, TAKES)
    paid_order(power_bank)
    settle_and_pay_out(power_bank, MIDNIGHT)
    payout = Payout.objects.get()
    for text in (payout.pk.hex, f"{payout.channel_txn}"):
        assert looked(desk, text)["Location"] == f"/ops/billing/payout/{payout.pk}/change/", text
