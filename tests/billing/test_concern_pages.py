"""Customers' help pages: report a problem, choose or request a plan, message thread, withdraw."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Person
from orders import rules
from orders import services as orders
from orders.models import Concern, Message, Obligation, Order
from tests.billing.helpers import obligation_of
from tests.browsing import client_for, form_token, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_due_order, make_order, make_person, state_of, yuan
from tests.overdue import make_overdue
from tests.unchanged import assert_unchanged

DAY = timedelta(days=1)
#: Written before anything is decided: that this form was sent.
MARK = "kernel_idempotencykey"
_ASK = re.compile(r'action="/hardship/ask#ask">.*?name="token" value="([0-9a-f]{24})"', re.DOTALL)
BAD = "<script>alert(1)</script>"


@pytest.fixture
def order(power_bank: Shop) -> Order:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("30"), due_at=NOON + DAY)
    freeze_clock(NOON, order.person)
    return order


@pytest.fixture
def browser(order: Order) -> Client:
    return client_for(order.person)


def report_of(order: Order) -> str:
    return f"/orders/{order.public_id}/report"


def report(browser: Client, order: Order, text: str = "没借到", **fields: str) -> HttpResponse:
    token = fields.pop("token", "") or form_token(browser.get(report_of(order)))
    return browser.post(report_of(order), {"token": token, "category": "not_received", "text": text, **fields})


def test_a_problem_is_reported_discussed_and_withdrawn(order: Order, browser: Client) -> None:
    page = visible_text(browser.get(report_of(order)))
    assert "立即暂停计时：不扣款、不加逾期费、不计逾期。" in page
    answer = report(browser, order, f"没借到 {BAD}")
    concern = Concern.objects.get()
    assert answer["Location"] == f"/help/{concern.public_id}"
    thread = browser.get(answer["Location"])
    assert "问题反馈 处理中 充电宝 · 来电充电宝" in visible_text(thread)
    assert "处理期间订单暂停计时" in visible_text(thread)
    assert BAD.encode() not in thread.content
    assert "正在处理。 查看进展" in visible_text(browser.get(f"/orders/{order.public_id}"))
    orders.add_message(concern.id, "请问几点？", author="staff", by=BY, at=NOON)
    assert "等您回复" in visible_text(browser.get("/help/"))
    form = {"token": form_token(browser.get(f"/help/{concern.public_id}")), "text": "十点"}
    for _click in range(2):
        assert browser.post(f"/help/{concern.public_id}", form).status_code == 302
    assert list(concern.messages.values_list("author", flat=True)) == ["person", "staff", "person"]
    for _click in range(2):
        assert browser.post(f"/help/{concern.public_id}/withdraw").status_code == 302
    assert "已撤回" in visible_text(browser.get(f"/help/{concern.public_id}"))
    assert obligation_of(order).paused_at is None
    assert "不会自动" not in visible_text(browser.get(report_of(order)))
    assert "此前已暂停过一次" in visible_text(browser.get(report_of(order)))


@pytest.mark.parametrize(("category", "text"), [("", "x"), ("boredom", "x"), ("other", ""), ("other", "长" * 10_000)])
def test_an_invalid_report_is_refused_and_the_text_kept(
    order: Order, browser: Client, category: str, text: str
) -> None:
    page = browser.get(report_of(order))
    with assert_unchanged(MARK):
        answer = report(browser, order, text, category=category, token=form_token(page))
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert text in answer.content.decode()


def test_a_double_click_reports_once(order: Order, browser: Client) -> None:
    token = form_token(browser.get(report_of(order)))
    assert [report(browser, order, token=token).status_code for _ in range(2)] == [302, 302]
    assert (Concern.objects.count(), Message.objects.count()) == (1, 1)
    assert "您已反馈过" in visible_text(browser.get(report_of(order)))
    with assert_unchanged(MARK):
        assert report(browser, order, token="2" * 24).status_code == 409


def test_another_persons_requests_are_not_found(power_bank: Shop, order: Order, browser: Client) -> None:
    report(browser, order)
    concern = Concern.objects.get()
    stranger = client_for(make_person(power_bank))
    paths = [
        f"/help/{concern.public_id}",
        f"/help/{concern.public_id}/withdraw",
        report_of(order),
        f"/hardship/?order={order.public_id}",
        "/help/con_" + "0" * 32,
        "/help/x",
    ]
    with assert_unchanged():
        answers = [stranger.post(path, {"token": "1" * 24, "text": "x"}) for path in paths]
    assert [answer.status_code for answer in answers] == [404] * len(paths)
    assert len({answer.content for answer in answers}) == 1
    assert "暂无" in visible_text(stranger.get("/help/"))


def choose(browser: Client, offer: str, **fields: str) -> HttpResponse:
    page = browser.get("/hardship/", {"order": fields["order"]} if "order" in fields else {})
    sums = re.findall(r'name="sum" value="([^"]+)"', page.content.decode())
    return browser.post("/hardship/", {"token": form_token(page), "offer": offer, "sum": sums, **fields})


def test_a_chosen_plan_takes_effect_at_once(order: Order, browser: Client) -> None:
    page = browser.get(f"/hardship/?order={order.public_id}")
    assert "3 期 每 14 天一期 2026年12月4日 ¥10.00 · 2026年12月18日 ¥10.00 · 2027年1月1日 ¥10.00" in visible_text(page)
    answer = choose(browser, "3x14", order=order.public_id)
    assert "分期已生效" in visible_text(browser.get(answer["Location"]))
    assert "3 期，每 14 天一期" in visible_text(browser.get(answer["Location"]))
    assert Obligation.objects.filter(order=order, due_at__gt=NOON + 13 * DAY).count() == 3
    shown = visible_text(browser.get(f"/orders/{order.public_id}"))
    assert "已商定分期：3 期，每 14 天一期" in shown
    assert "这笔订单正在分期还款" in shown
    assert "没有可分期的欠款" in visible_text(browser.get("/hardship/"))
    plan = Concern.objects.get().person.notices.get()
    assert (plan.stage, "总额不变" in plan.body) == ("plan_granted", True)
    assert "总额不变" in visible_text(browser.get("/inbox/"))


def test_a_plan_of_one_part_is_paid_at_once_later(order: Order, browser: Client) -> None:
    asked = orders.request_plan(order.person_id, order.id, rules.PlanOffer(1, 14), "下月发工资", by=BY, at=NOON)
    assert "14 天后一次付清" in visible_text(browser.get(f"/help/{asked.public_id}"))
    orders.grant_plan(asked.id, rules.PlanOffer(1, 14), "好的", by=BY, at=NOON)
    shown = visible_text(browser.get(f"/orders/{order.public_id}"))
    assert "已商定延期：14 天后一次付清" in shown
    assert "1 期" not in shown


@pytest.mark.parametrize("offer", ["", "5x30", "3x14 ", "-3x14", "99x999", "3x14;"])
def test_a_plan_that_was_not_offered_is_refused(order: Order, browser: Client, offer: str) -> None:
    page = browser.get("/hardship/")
    with assert_unchanged(MARK):
        form = {"token": form_token(page), "offer": offer, "sum": "3000 CNY"}
        answer = browser.post("/hardship/", form)
    assert answer.status_code == 422
    assert "不在可选范围内" in visible_text(answer)
    with assert_unchanged(MARK):
        assert "金额已变动" in visible_text(
            browser.post("/hardship/", form | {"offer": "3x14", "sum": "1 CNY", "token": "3" * 24})
        )


def test_another_plan_is_requested_from_staff(order: Order, browser: Client) -> None:
    found = _ASK.search(browser.get("/hardship/").content.decode())
    assert found
    form = {"token": found[1], "parts": "12", "every_days": "30", "text": "失业了"}
    answer = browser.post("/hardship/ask", form)
    assert "处理中" in visible_text(browser.get(answer["Location"]))
    assert browser.post("/hardship/ask", form)["Location"] == "/help/"
    assert "您已申请其他分期" in visible_text(browser.get("/hardship/"))
    with assert_unchanged(MARK):
        assert browser.post("/hardship/ask", form | {"token": "4" * 24}).status_code == 409
    concern = Concern.objects.get()
    orders.grant_plan(concern.id, orders.PlanOffer(12, 30), "同意", by=BY, at=NOON)
    assert "已同意" in visible_text(browser.get(f"/help/{concern.public_id}"))


def test_the_number_of_queries_does_not_grow_with_the_data(power_bank: Shop, order: Order, browser: Client) -> None:
    person = order.person
    report(browser, order)
    pages = ["/help/", "/hardship/", "/services/", "/credit/", f"/help/{Concern.objects.get().public_id}"]
    for page in pages:
        browser.get(page)
    few = [query_count(browser, page) for page in pages]
    for _ in range(3):
        other = make_order(power_bank, order.agreement)
        orders.complete_order(other.id, orders.CompletionRequest(total=400), by=BY, at=NOON)
        orders.report_problem(other.id, "other", "x", by=BY, at=NOON)
        more = make_order(power_bank, order.agreement)
        orders.complete_order(more.id, orders.CompletionRequest(total=400), by=BY, at=NOON)
    assert [query_count(browser, page) for page in pages] == few
    assert person.concerns.count() == 4


def query_count(browser: Client, page: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert browser.get(page).status_code == 200
    return len(asked)


def test_an_old_order_shows_the_reporting_deadline(power_bank: Shop, order: Order) -> None:
    freeze_clock(NOON + 91 * DAY, order.person)
    browser = client_for(order.person, "en")
    assert f"until {rules.REPORT_WINDOW.days} days after it ends" in visible_text(browser.get(report_of(order)))
    with assert_unchanged(MARK):
        assert report(browser, order, token="5" * 24).status_code == 409
    assert state_of(order) == "completed"


PLAN = "还款有困难，申请分期"


def test_a_plan_is_offered_when_a_problem_can_no_longer_be_reported(order: Order) -> None:
    freeze_clock(NOON + 91 * DAY, order.person)
    page = visible_text(client_for(order.person).get(f"/orders/{order.public_id}"))
    assert (PLAN in page, "反馈问题" in page) == (True, False)


def test_a_plan_is_offered_beside_an_open_report_unless_the_order_is_paused(order: Order, browser: Client) -> None:
    shown = f"/orders/{order.public_id}"
    report(browser, order)
    assert PLAN not in visible_text(browser.get(shown))
    browser.post(f"/help/{Concern.objects.get().public_id}/withdraw")
    report(browser, order)  # a second report does not pause it
    page = browser.get(shown)
    assert ("正在处理。 查看进展" in visible_text(page), PLAN in visible_text(page)) == (True, True)
    assert report_of(order) not in page.content.decode()


def test_a_request_for_everything_owed_leads_to_overdue_debts_too(order: Order, browser: Client) -> None:
    found = _ASK.search(browser.get("/hardship/").content.decode())
    assert found
    form = {"token": found[1], "parts": "12", "every_days": "30", "text": "失业了"}
    thread = browser.get(browser.post("/hardship/ask", form)["Location"]).content.decode()
    assert '<a href="/pay-all/">查看这些订单</a>' in thread
    make_overdue(order.realm_id, at=NOON + 9 * DAY, limit=9)
    freeze_clock(NOON + 9 * DAY, order.person)
    assert "充电宝" in visible_text(browser.get("/pay-all/"))


def test_without_debts_no_plan_is_offered(ada: Person) -> None:
    assert "没有可以分期的欠款" in visible_text(client_for(ada).get("/hardship/"))
