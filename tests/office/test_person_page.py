"""A person's detail page by role, in a fixed number of queries."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import services as accounts
from accounts.admin import ContactAdmin
from accounts.models import Contact, Notice, Person
from billing.models import Case, Dispute, Refund, Return
from billing.services.deduct import deduct_due
from credit import limits
from credit.limit_reviews import review_limits
from credit.models import ScoreChange
from kernel.models import AuditLine
from orders import services as orders
from orders.models import Concern, Order
from personal.services import erasures
from tests.billing.helpers import latest_deduction_of
from tests.browsing import freeze_clock
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan
from tests.console.conftest import page_text
from tests.office.person_history import person_with_history
from tests.office.test_tally import late
from tests.unchanged import assert_unchanged


def whole(person: Person) -> str:
    return f"/ops/person/{person.public_id}"


def test_everything_about_a_person_is_on_one_page(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    person = person_with_history(power_bank, 1)
    page = console_client("support").get(whole(person))
    text = page_text(page)
    for wanted in (
        *(person.name_masked, person.phone_masked, "已实名认证", "Asia/Shanghai", "沙箱", "简体中文"),
        *("¥9,000.00", "1 笔订单逾期", "信用分", "逾期"),
        *("说月底还<b>", "电话", "核实收入后", "等我们处理", "用户称未收到商品或服务", "退货", "已退"),
        *("渠道退回的金额与剩余不符", "沙箱银行卡", "银行卡 0", "来电", "守约一次", "订单逾期", "扣款成功", "通过"),
    ):
        assert wanted in text, wanted
    body = page.content.decode()
    for row in (
        *Order.objects.filter(person=person),
        *Concern.objects.all(),
        *Case.objects.all(),
        *Dispute.objects.all(),
    ):
        assert row.public_id in body, row
    for row in (*Refund.objects.all(), *Return.objects.all(), *Notice.objects.filter(person=person)[:20]):
        assert f"{row.pk}/change/" in body, row
    assert "<b>" not in body


def test_twenty_rows_take_no_more_queries_than_one(
    power_bank: Shop, shop: Shop, console_client: Callable[..., Client]
) -> None:
    """But for one count of each list that is longer than is shown."""
    few, many, desk = (
        person_with_history(power_bank, 1),
        person_with_history(power_bank, 20),
        console_client("supervisor"),
    )

    def asked(person: Person) -> tuple[int, str]:
        with CaptureQueriesContext(connection) as queries:
            page = desk.get(whole(person))
        assert page.status_code == 200
        return len(queries), page_text(page)

    desk.get(whole(few))
    (once, short), (often, long) = asked(few), asked(many)
    counted = re.findall(r"另有 (\d+) 条。", long)
    assert "另有" not in short
    assert often - once == len(counted)
    assert str(Order.objects.filter(person=many).count() - 20) in counted
    assert str(ScoreChange.objects.filter(person=many).count() - 10) in counted
    assert once <= 40


def test_what_comes_next_of_each_debt_is_said_plainly(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    """Planned, stopped, under way, or nobody knows."""
    desk, soon = console_client("viewer"), NOON + timedelta(days=3)
    planned = make_due_order(power_bank, make_person(power_bank), yuan("8"), due_at=soon)
    assert "到期日" in page_text(desk.get(whole(planned.person)))
    orders.report_problem(planned.id, "other", "x", by=BY, at=NOON)
    assert "已暂停 问题反馈" in page_text(desk.get(whole(planned.person)))
    lost = make_due_order(power_bank, make_person(power_bank, "timeout_then_not_paid"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    text = page_text(desk.get(whole(lost.person)))
    for wanted in ("结果未知", "正在向渠道查询结果", "结果出来之前请勿再次发起", "¥6.00"):
        assert wanted in text, wanted
    assert f"/ops/deduction/{latest_deduction_of(lost).public_id}" in desk.get(whole(lost.person)).content.decode()
    assert "请勿再次发起" not in page_text(desk.get(whole(planned.person)))


def test_each_role_sees_what_it_may_do(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    person = late(power_bank).person
    may = {"更改额度": ("risk", "supervisor"), "查看个人信息": ("support", "collections", "risk", "supervisor")}
    may |= {"登记联系": ("collections", "supervisor"), "谁查看过此用户": ("auditor", "supervisor")}
    for role in ("viewer", "support", "collections", "risk", "finance", "supervisor", "auditor"):
        text = page_text(console_client(role).get(whole(person)))
        assert {label: label in text for label in may} == {label: role in roles for label, roles in may.items()}, role


def test_a_part_that_a_role_may_not_read_is_left_out(
    power_bank: Shop, console_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    person, desk = person_with_history(power_bank, 1), console_client("support")
    assert "说月底还" in page_text(desk.get(whole(person)))
    assert isinstance(admin.site._registry[Contact], ContactAdmin)  # noqa: SLF001  there is no public way to ask
    monkeypatch.setattr(ContactAdmin, "has_view_permission", lambda *_args, **_named: False)
    page = desk.get(whole(person))
    assert "说月底还" not in page_text(page)
    assert "accounts/contact" not in page.content.decode().partition("<main")[2]


def test_who_looked_is_written_down_and_nothing_else_moves(ada: Person, console_client: Callable[..., Client]) -> None:
    desk = console_client("support")
    with assert_unchanged("kernel_auditline", "kernel_audithead", "django_session"):
        assert desk.get(whole(ada)).status_code == 200
    line = AuditLine.objects.latest("id")
    assert (line.act, line.about) == ("viewed.person", ada.public_id)
    assert desk.post(whole(ada)).status_code == 405


def test_somebody_new_and_somebody_who_leaves(
    power_bank: Shop, ada: Person, console_client: Callable[..., Client]
) -> None:
    desk = console_client("support", language="en")
    stranger = accounts.create_sandbox_person("新人", realm_id=power_bank.realm_id, by=BY, at=NOON)
    assert "No service opened yet" in page_text(desk.get(whole(stranger)))
    make_due_order(power_bank, ada, yuan("3"))
    deduct_due(power_bank.realm_id, at=NOON)
    erasures.request_erasure(ada.id, by=BY, at=NOON)
    assert "Erasure requested" in page_text(desk.get(whole(ada)))


def test_whether_a_limit_stays_or_follows_is_said(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    person = make_due_order(power_bank, make_person(power_bank), yuan("8")).person
    limits.change_limit(person.id, 500_000, "本人要求", by=BY, at=NOON)
    limits.change_limit(person.id, 400_000, "随分", pinned=False, by=BY, at=NOON)
    review_limits(person.realm_id, at=NOON + timedelta(days=99), limit=9)
    text = page_text(console_client("viewer").get(whole(person)))
    assert "¥10,000.00 → ¥5,000.00 · 本人要求 · 系统自动：test · 固定此额度" in text
    assert text.count("固定此额度") == 1
    assert "¥4,000.00 → ¥10,000.00 · 随信用分调整" in text
    assert "额度下次复评" in text


def test_a_limit_of_another_is_no_part_of_it(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    one, other = (make_due_order(power_bank, make_person(power_bank), yuan("8")).person for _ in range(2))
    limits.change_limit(other.id, 123_400, "另一个人", by=BY, at=NOON)
    freeze_clock(NOON, one)
    text = page_text(console_client("viewer").get(whole(one)))
    assert "另一个人" not in text
    assert "1,234.00" not in text


@pytest.mark.parametrize("name", ["per_" + "0" * 32, "ord_" + "0" * 32, "nonsense", "0" * 32])
def test_an_unknown_person_is_a_404(name: str, console_client: Callable[..., Client]) -> None:
    assert console_client("viewer").get(f"/ops/person/{name}").status_code == 404
    assert Client().get(f"/ops/person/{name}")["Location"].startswith("/ops/login/")
