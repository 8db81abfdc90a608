"""A dispute's detail page: channel reason, orders, liable party and basis, evidence, postings."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Person
from billing.channels import bank_disputes
from billing.models import Dispute
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.dispute_evidence import Evidence, submit_evidence
from billing.services.disputes import accept_dispute
from credit.erasure import close_credit
from kernel.models import Realm
from tests.billing.helpers import latest_deduction_of
from tests.conftest import BY, NOON, Shop, make_agreement, make_person
from tests.console.conftest import page_text, submit_form
from tests.office.person_history import completed_order
from tests.unchanged import assert_unchanged


def whole(dispute: Dispute) -> str:
    return f"/ops/dispute/{dispute.public_id}"


def disputed(shop: Shop, code: str = "not_received", *, orders: int = 1) -> Dispute:
    """One debit for so many orders, which the bank has taken back."""
    person: Person = make_person(shop)
    agreement = make_agreement(shop, person)
    bought = [completed_order(shop, agreement, "6") for _ in range(orders)]
    deduct_due(shop.realm_id, at=NOON)
    bank_disputes.reverse_debit(latest_deduction_of(bought[0]).number, code, at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    return Dispute.objects.get(person=person)


def test_everything_needed_to_decide_a_dispute_is_on_its_page(
    power_bank: Shop, console_client: Callable[..., Client]
) -> None:
    row, desk = disputed(power_bank), console_client("finance")
    text = page_text(desk.get(whole(row)))
    for wanted in (
        *("用户称未收到商品或服务", "¥6.00", row.channel_txn, "艾*", "充电宝", "沙箱银行卡", "待答复"),
        *("由商户承担", "按策略对此原因的规定", "策略第 1 版", "尚未答复： 来电充电宝", "提交申辩", "放弃申辩"),
        *("渠道退回了款项", "拒付待定款"),
    ):
        assert wanted in text, wanted
    said = Evidence(statement="已签收<script>", communication="短信已告知", carrier="顺丰", tracking_number="SF9")
    submit_evidence(row.id, power_bank.merchant.id, said, by=BY, at=NOON)
    page = desk.get(whole(row))
    text = page_text(page)
    for wanted in (
        "已签收<script>",
        "短信已告知",
        "SF9",
        "商户已答复",
        "证据提交渠道，由其裁定",
        "由渠道裁定，每天查询一次",
    ):
        assert wanted in text, wanted
    assert b"<script>" not in page.content.partition(b"<main")[2]
    assert "尚未答复" not in text


def test_the_page_shows_who_is_liable_and_why(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    viewer = console_client("viewer", language="en")
    final = disputed(power_bank, "no_funds")
    text = page_text(viewer.get(whole(final)))
    assert "Owed again by the customer: policy for this reason" in text
    assert "The channel does not accept evidence for this reason." in text
    assert "Lost: charged to the liable party" in text
    named = disputed(power_bank)
    accept_dispute(named.id, "platform", "our own mistake", by=BY, at=NOON)
    text = page_text(viewer.get(whole(named)))
    assert "Borne by us: set by a colleague" in text
    assert "our own mistake" in text
    assert "Submit dispute evidence" not in text


def test_an_unrecoverable_dispute_says_so(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    """The policy named the person; they have left meanwhile, and we bear it."""
    row = disputed(power_bank, "not_authorised")
    close_credit(row.person_id, by=BY, at=NOON)
    accept_dispute(row.id, "person", "x", by=BY, at=NOON)
    assert "无人可追" in page_text(console_client("viewer").get(whole(row)))


def test_more_orders_take_no_more_queries(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    desk, one, several = console_client("finance"), disputed(power_bank), disputed(power_bank, orders=9)
    assert several.lines.count() == 9

    def asked(row: Dispute) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert desk.get(whole(row)).status_code == 200
        return len(queries)

    asked(one)
    assert asked(several) == asked(one)


def test_an_action_returns_to_the_dispute(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    row, desk = disputed(power_bank), console_client("finance")
    with assert_unchanged("django_session"):
        assert desk.get(whole(row)).status_code == 200
    answer = submit_form(desk, f"/ops/do/{row.public_id}/contest", note="x", evidence="签收单")
    assert answer["Location"] == whole(row)
    assert "签收单" in page_text(desk.get(whole(row)))


def test_it_is_found_in_its_queue_and_its_list(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    row, desk = disputed(power_bank), console_client("finance")
    assert Realm.objects.get(pk=row.realm_id).mode == "test"
    for path in ("/ops/queues/dispute?mode=test", "/ops/billing/dispute/", f"/ops/person/{row.person.public_id}"):
        assert whole(row) in desk.get(path).content.decode(), path


@pytest.mark.parametrize("name", ["dsp_" + "0" * 32, "ord_" + "0" * 32, "nonsense"])
def test_an_unknown_id_is_a_404(name: str, console_client: Callable[..., Client]) -> None:
    assert console_client("viewer").get(f"/ops/dispute/{name}").status_code == 404
    assert Client().get(f"/ops/dispute/{name}")["Location"].startswith("/ops/login/")
