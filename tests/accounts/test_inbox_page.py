"""The inbox: what a person was told, newest first, and what of it they have not seen."""

from datetime import timedelta
from functools import partial

import pytest
from django.conf import LazySettings
from django.db import IntegrityError, connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import inbox, wording
from accounts.models import AccountEvent, Delivery, Person, User
from accounts.pages import NOTICES_A_PAGE
from kernel.ids import public, uuid7
from kernel.models import Realm
from tests.accounts.telling import GONE, MORNING, NIGHT, NOON, item, sent, someone, tell
from tests.stillness import nothing_moves
from tests.threads import at_once
from tests.visiting import it_is, visiting, words

PAGE = "/inbox/"


@pytest.fixture(autouse=True)
def _standing(settings: LazySettings) -> None:
    GONE.clear()
    settings.NOTICES_STANDING = "tests.accounts.telling.standing"
    settings.EMAIL_BACKEND = "accounts.notices.LocalMail"  # pytest-django puts another one in its place


@pytest.fixture
def ada(sandbox: Realm) -> Person:
    person = someone(realm_id=sandbox.id)
    it_is(NOON, person)
    return person


def badge(response: HttpResponse) -> str:
    """What the navigation says is unread."""
    found = response.content.decode().partition('class="count" aria-hidden="true">')[2]
    return found.partition("<")[0]


def hear(person: Person, *stages: str, **more: object) -> None:
    for stage in stages:
        tell(item(person, stage, **more), realm_id=person.realm_id)


def test_notices_stand_newest_first_and_lead_to_their_orders(ada: Person) -> None:
    order = uuid7()
    link = f"https://pay.example/orders/{public('ord', order)}"
    hear(ada, "debit_failed", order_id=order, values={"link": link})
    hear(ada, "debit_succeeded", values={"link": "https://pay.example/orders/"})
    page = visiting(ada).get(PAGE)
    body = words(page)
    assert body.index("已扣款 ¥12.34") < body.index("扣款未成功 ¥12.34")
    assert "【先享后付】" not in body
    assert "https://" not in body
    assert body.count("2026年11月20日 12:00") == 2
    html = page.content.decode()
    assert f'详情与付款：</span> <a href="/orders/{public("ord", order)}">查看订单</a>' in html
    assert html.count('lang="zh-hans"') >= 4


def test_what_was_shown_is_read_from_then_on(ada: Person) -> None:
    browser = visiting(ada)
    hear(ada, "debit_failed", "debit_succeeded")
    assert badge(browser.get("/orders/")) == "2"
    assert "，2 条未读" in browser.get("/wallet/").content.decode()
    with nothing_moves():
        browser.head(PAGE)
    first = browser.get(PAGE)
    assert (badge(first), words(first).count("未读")) == ("", 2)
    assert set(Delivery.objects.filter(channel="inbox").values_list("read_at", flat=True)) == {NOON}
    with nothing_moves():
        again = browser.get(PAGE)
    assert "未读" not in words(again)
    hear(ada, "due_in_1_day")
    assert badge(browser.get("/services/")) == "1"
    assert words(browser.get(PAGE)).count("未读") == 1
    assert "2 unread" not in visiting(ada, "en").get(PAGE).content.decode()


def test_a_demand_written_at_night_is_neither_shown_nor_counted_before_the_morning(ada: Person) -> None:
    browser = visiting(ada)
    tell(item(ada, "overdue_1"), at=NIGHT, realm_id=ada.realm_id)
    hear(ada, "debit_succeeded")  # written later, and shown at once
    it_is(NIGHT, ada)
    assert badge(browser.get("/orders/")) == "1"
    assert "已逾期" not in words(browser.get(PAGE))
    assert badge(browser.get("/orders/")) == ""

    sent(MORNING, realm_id=ada.realm_id)
    it_is(MORNING, ada)

    assert badge(browser.get("/orders/")) == "1"
    page = words(browser.get(PAGE))
    assert "¥12.34 已逾期 未读" in page
    assert "2026年11月21日 08:00" in page  # when it came, not when it was written
    assert badge(browser.get("/orders/")) == ""


def test_what_no_longer_stands_is_never_shown(ada: Person) -> None:
    told = item(ada, "overdue_1")
    tell(told, at=NIGHT, realm_id=ada.realm_id)
    GONE[told.about] = "settled"
    sent(MORNING, realm_id=ada.realm_id)
    assert badge(visiting(ada).get("/orders/")) == ""
    assert "还没有消息。" in words(visiting(ada).get(PAGE))


def test_the_inbox_turns_pages_with_the_same_few_questions_and_reads_only_what_it_shows(ada: Person) -> None:
    browser = visiting(ada)
    hear(ada, "debit_failed")
    browser.get(PAGE)
    with CaptureQueriesContext(connection) as short:
        browser.get(PAGE)
    hear(ada, *["debit_succeeded"] * (NOTICES_A_PAGE + 9))
    first = browser.get(PAGE)
    assert words(first).count("已扣款 ¥12.34") == NOTICES_A_PAGE
    assert badge(first) == "9"
    older = f"{PAGE}?cursor={first.context['further']}"
    with CaptureQueriesContext(connection) as long:
        browser.get(PAGE)
    assert len(long) == len(short)
    second = browser.get(older)
    assert words(second).count("已扣款 ¥12.34") == 9
    assert "扣款未成功 ¥12.34" in words(second)
    assert "回到最新" in words(second)
    assert badge(second) == ""
    last = f"{PAGE}?cursor={'0' * 32}"
    assert "没有更早的消息了。" in words(browser.get(last))


@pytest.mark.parametrize("cursor", ["x", "0" * 31, "ntc_" + "0" * 32, "%00", "A" * 32])
def test_a_cursor_that_is_none_is_refused(ada: Person, cursor: str) -> None:
    hear(ada, "debit_failed")
    browser = visiting(ada)
    with nothing_moves():
        assert browser.get(f"{PAGE}?cursor={cursor}").status_code == 422


def test_the_count_stops_at_ninety_nine_and_costs_one_question(ada: Person) -> None:
    for _ in range(3):
        tell(*(item(ada) for _ in range(50)), realm_id=ada.realm_id)
    assert inbox.unread_by(ada.id) == inbox.UNREAD_MAX
    with CaptureQueriesContext(connection) as asked:
        page = visiting(ada).get("/wallet/")
    assert badge(page) == "99+"
    assert "99 条以上未读" in page.content.decode()
    (question,) = [query["sql"] for query in asked if "read_at" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {question}")
        assert "inbox_unread" in "".join(row[0] for row in cursor.fetchall())


def test_nobody_sees_or_reads_what_others_were_told(ada: Person) -> None:
    bo = someone("+8613800138001", realm_id=ada.realm_id)
    hear(bo, "debit_failed")
    assert badge(visiting(ada).get("/orders/")) == ""
    assert "还没有消息。" in words(visiting(ada).get(PAGE))
    assert badge(visiting(bo).get("/orders/")) == "1"
    assert Client().get(PAGE)["Location"] == f"/account/login/?next={PAGE}"
    assert Client().post(PAGE).status_code == 405


def test_what_a_merchant_calls_itself_is_text(ada: Person) -> None:
    bad = {"what": "<img src=x onerror=1> https://evil.example/orders/", "link": "https://pay.example/orders/"}
    hear(ada, "debit_failed", values=bad)
    html = visiting(ada).get(PAGE).content.decode()
    assert "<img src=x" not in html
    assert "&lt;img src=x onerror=1&gt;" in html
    assert 'href="https://' not in html


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ("【先享后付】详情：https://a.example:8000/orders/ord_" + "0" * 32, ("详情：", "")),
        ("已扣款。感谢。http://localhost/orders/ 再见", ("已扣款。感谢。", " 再见")),
        ("没有地址", ("没有地址", "")),
        ("【】【x】https://other.example/", ("【x】https://other.example/", "")),
        ("", ("", "")),
    ],
)
def test_a_text_is_split_around_the_address_of_the_order(body: str, parts: tuple[str, str]) -> None:
    assert wording.around_link(body) == parts


def test_far_away_it_is_told_by_the_local_clock(ada: Person) -> None:
    Person.objects.filter(pk=ada.pk).update(zone="America/New_York")
    User.objects.filter(pk=ada.user_id).update(language="en")
    hear(ada, "debit_succeeded")
    page = words(visiting(ada, "en").get(PAGE))
    assert "CN¥12.34 was taken New" in page
    assert "Nov 19, 2026 11:00" in page
    assert "To my promise record" in page


def test_whoever_turns_the_pages_to_english_is_told_things_in_english(ada: Person) -> None:
    browser = visiting(ada)
    hear(ada, "debit_succeeded")
    for _click in range(2):
        assert browser.post("/language", {"language": "en", "next": PAGE})["Location"] == PAGE
    assert AccountEvent.objects.filter(kind="language_chosen", user=ada.user).count() == 1
    hear(ada, "debit_succeeded")
    page = words(browser.get(PAGE))
    assert page.index("CN¥12.34 was taken") < page.index("已扣款 ¥12.34")  # what was told stays as it was told
    with nothing_moves():
        for chosen in ("fr", "", "\0", "EN"):
            assert browser.post("/language", {"language": chosen}).status_code == 302
            assert Client().post("/language", {"language": chosen or "en"}).status_code == 302
        assert browser.get("/language").status_code == 405


@pytest.mark.django_db(transaction=True)
def test_two_pages_at_once_mark_each_notice_once(ada: Person) -> None:
    tell(*(item(ada) for _ in range(15)), realm_id=ada.realm_id)
    answers = at_once(*(partial(visiting(ada).get, PAGE) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert inbox.unread_by(ada.id) == 0


def test_only_what_stands_in_the_inbox_is_ever_read(ada: Person) -> None:
    tell(item(ada, "overdue_1"), at=NIGHT, realm_id=ada.realm_id)
    for channel in ("inbox", "sms"):
        rows = Delivery.objects.filter(channel=channel)
        with pytest.raises(IntegrityError, match="only_what_stands_in_the_inbox_is_read"), transaction.atomic():
            rows.update(read_at=NIGHT + timedelta(hours=1))
