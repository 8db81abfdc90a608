"""A person asks for help on their own pages: reports, plans, what was said, and taking it back."""

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
from tests.billing.bench import owed_of
from tests.conftest import BY, NOON, Shop, completed, ordered, someone, state_of, yuan
from tests.stillness import nothing_moves
from tests.visiting import it_is, token_on, visiting, words

DAY = timedelta(days=1)
#: Written before anything is decided: that this form was sent.
MARK = "kernel_idempotencykey"
_ASK = re.compile(r'action="/hardship/ask#ask">.*?name="token" value="([0-9a-f]{24})"', re.DOTALL)
BAD = "<script>alert(1)</script>"


@pytest.fixture
def order(power_bank: Shop) -> Order:
    order = completed(power_bank, someone(power_bank, "no_funds"), yuan("30"), due_at=NOON + DAY)
    it_is(NOON, order.person)
    return order


@pytest.fixture
def browser(order: Order) -> Client:
    return visiting(order.person)


def report_of(order: Order) -> str:
    return f"/orders/{order.public_id}/report"


def report(browser: Client, order: Order, text: str = "没借到", **fields: str) -> HttpResponse:
    token = fields.pop("token", "") or token_on(browser.get(report_of(order)))
    return browser.post(report_of(order), {"token": token, "category": "not_received", "text": text, **fields})


def test_a_problem_is_reported_talked_about_and_taken_back(order: Order, browser: Client) -> None:
    page = words(browser.get(report_of(order)))
    assert "立即暂停计时：不扣款、不加逾期费、不计逾期。" in page
    answer = report(browser, order, f"没借到 {BAD}")
    concern = Concern.objects.get()
    assert answer["Location"] == f"/help/{concern.public_id}"
    thread = browser.get(answer["Location"])
    assert "问题反馈 处理中 充电宝 · 来电充电宝" in words(thread)
    assert "处理期间订单暂停计时" in words(thread)
    assert BAD.encode() not in thread.content
    assert "正在处理。 查看进展" in words(browser.get(f"/orders/{order.public_id}"))
    orders.say(concern.id, "请问几点？", author="staff", by=BY, at=NOON)
    assert "等您回复" in words(browser.get("/help/"))
    form = {"token": token_on(browser.get(f"/help/{concern.public_id}")), "text": "十点"}
    for _click in range(2):
        assert browser.post(f"/help/{concern.public_id}", form).status_code == 302
    assert list(concern.messages.values_list("author", flat=True)) == ["person", "staff", "person"]
    for _click in range(2):
        assert browser.post(f"/help/{concern.public_id}/withdraw").status_code == 302
    assert "已撤回" in words(browser.get(f"/help/{concern.public_id}"))
    assert owed_of(order).paused_at is None
    assert "不会自动" not in words(browser.get(report_of(order)))
    assert "此前已暂停过一次" in words(browser.get(report_of(order)))


@pytest.mark.parametrize(("category", "text"), [("", "x"), ("boredom", "x"), ("other", ""), ("other", "长" * 10_000)])
def test_what_cannot_be_sent_is_said_and_what_was_typed_stays(
    order: Order, browser: Client, category: str, text: str
) -> None:
    page = browser.get(report_of(order))
    with nothing_moves(MARK):
        answer = report(browser, order, text, category=category, token=token_on(page))
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert text in answer.content.decode()


def test_a_double_click_reports_once(order: Order, browser: Client) -> None:
    token = token_on(browser.get(report_of(order)))
    assert [report(browser, order, token=token).status_code for _ in range(2)] == [302, 302]
    assert (Concern.objects.count(), Message.objects.count()) == (1, 1)
    assert "您已反馈过" in words(browser.get(report_of(order)))
    with nothing_moves(MARK):
        assert report(browser, order, token="2" * 24).status_code == 409


def test_another_persons_help_is_nobodys(power_bank: Shop, order: Order, browser: Client) -> None:
    report(browser, order)
    concern = Concern.objects.get()
    stranger = visiting(someone(power_bank))
    paths = [
        f"/help/{concern.public_id}",
        f"/help/{concern.public_id}/withdraw",
        report_of(order),
        f"/hardship/?order={order.public_id}",
        "/help/con_" + "0" * 32,
        "/help/x",
    ]
    with nothing_moves():
        answers = [stranger.post(path, {"token": "1" * 24, "text": "x"}) for path in paths]
    assert [answer.status_code for answer in answers] == [404] * len(paths)
    assert len({answer.content for answer in answers}) == 1
    assert "暂无" in words(stranger.get("/help/"))


def choose(browser: Client, offer: str, **fields: str) -> HttpResponse:
    page = browser.get("/hardship/", {"order": fields["order"]} if "order" in fields else {})
    sums = re.findall(r'name="sum" value="([^"]+)"', page.content.decode())
    return browser.post("/hardship/", {"token": token_on(page), "offer": offer, "sum": sums, **fields})


def test_a_plan_is_chosen_and_counts_at_once(order: Order, browser: Client) -> None:
    page = browser.get(f"/hardship/?order={order.public_id}")
    assert "3 期 每 14 天一期 2026年12月4日 ¥10.00 · 2026年12月18日 ¥10.00 · 2027年1月1日 ¥10.00" in words(page)
    answer = choose(browser, "3x14", order=order.public_id)
    assert "分期已生效" in words(browser.get(answer["Location"]))
    assert "3 期，每 14 天一期" in words(browser.get(answer["Location"]))
    assert Obligation.objects.filter(order=order, due_at__gt=NOON + 13 * DAY).count() == 3
    shown = words(browser.get(f"/orders/{order.public_id}"))
    assert "已商定分期：3 期，每 14 天一期" in shown
    assert "这笔订单正在分期还款" in shown
    assert "没有可分期的欠款" in words(browser.get("/hardship/"))
    plan = Concern.objects.get().person.notices.get()
    assert (plan.stage, "总额不变" in plan.body) == ("plan_granted", True)
    assert "总额不变" in words(browser.get("/inbox/"))


@pytest.mark.parametrize("offer", ["", "5x30", "3x14 ", "-3x14", "99x999", "3x14;"])
def test_a_plan_that_was_not_offered_is_refused_in_words(order: Order, browser: Client, offer: str) -> None:
    page = browser.get("/hardship/")
    with nothing_moves(MARK):
        form = {"token": token_on(page), "offer": offer, "sum": "3000 CNY"}
        answer = browser.post("/hardship/", form)
    assert answer.status_code == 422
    assert "不在可选范围内" in words(answer)
    with nothing_moves(MARK):
        assert "金额已变动" in words(
            browser.post("/hardship/", form | {"offer": "3x14", "sum": "1 CNY", "token": "3" * 24})
        )


def test_beyond_the_offers_a_colleague_is_asked(order: Order, browser: Client) -> None:
    found = _ASK.search(browser.get("/hardship/").content.decode())
    assert found
    form = {"token": found[1], "parts": "12", "every_days": "30", "text": "失业了"}
    answer = browser.post("/hardship/ask", form)
    assert "处理中" in words(browser.get(answer["Location"]))
    assert browser.post("/hardship/ask", form)["Location"] == "/help/"
    assert "您已申请其他分期" in words(browser.get("/hardship/"))
    with nothing_moves(MARK):
        assert browser.post("/hardship/ask", form | {"token": "4" * 24}).status_code == 409
    concern = Concern.objects.get()
    orders.grant_ease(concern.id, orders.Offer(12, 30), "同意", by=BY, at=NOON)
    assert "已同意" in words(browser.get(f"/help/{concern.public_id}"))


def test_pages_ask_no_more_with_more_to_show(power_bank: Shop, order: Order, browser: Client) -> None:
    person = order.person
    report(browser, order)
    pages = ["/help/", "/hardship/", "/services/", "/credit/", f"/help/{Concern.objects.get().public_id}"]
    for page in pages:
        browser.get(page)
    few = [questions(browser, page) for page in pages]
    for _ in range(3):
        other = ordered(power_bank, order.agreement)
        orders.complete_order(other.id, orders.Final(total=400), by=BY, at=NOON)
        orders.report_problem(other.id, "other", "x", by=BY, at=NOON)
        more = ordered(power_bank, order.agreement)
        orders.complete_order(more.id, orders.Final(total=400), by=BY, at=NOON)
    assert [questions(browser, page) for page in pages] == few
    assert person.concerns.count() == 4


def questions(browser: Client, page: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert browser.get(page).status_code == 200
    return len(asked)


def test_an_order_of_long_ago_says_until_when_it_could_be_reported(power_bank: Shop, order: Order) -> None:
    it_is(NOON + 91 * DAY, order.person)
    browser = visiting(order.person, "en")
    assert f"until {rules.REPORT_WITHIN.days} days after it ends" in words(browser.get(report_of(order)))
    with nothing_moves(MARK):
        assert report(browser, order, token="5" * 24).status_code == 409
    assert state_of(order) == "completed"


def test_nothing_owed_is_nothing_to_split(ada: Person) -> None:
    assert "没有可分期的欠款" in words(visiting(ada).get("/hardship/"))
