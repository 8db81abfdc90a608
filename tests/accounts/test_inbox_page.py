"""The inbox pages: notices newest first, categories, and unread ones."""

from datetime import timedelta
from functools import partial

import pytest
from django.conf import LazySettings
from django.db import IntegrityError, connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import notice_rules, notices
from accounts.models import AccountEvent, Delivery, Notice, Person, User
from accounts.pages.inbox import NOTICES_A_PAGE
from kernel.ids import public, uuid7
from kernel.models import Realm
from kernel.prepared_statements import expand_sql
from tests.accounts.notice_fixtures import MORNING, NIGHT, NOON, STALE, create_person, deliver_texts, new_notice, write
from tests.browsing import client_for, freeze_clock, visible_text
from tests.threads import run_concurrently
from tests.unchanged import assert_unchanged

PAGE = "/inbox/"


@pytest.fixture(autouse=True)
def _use_stale_notices(settings: LazySettings) -> None:
    STALE.clear()
    settings.NOTICES_STANDING = "tests.accounts.notice_fixtures.stale_notices"
    settings.EMAIL_BACKEND = "accounts.messaging.LocalMail"  # pytest-django puts another one in its place


@pytest.fixture
def ada(sandbox: Realm) -> Person:
    person = create_person(realm_id=sandbox.id)
    freeze_clock(NOON, person)
    return person


def badge(response: HttpResponse) -> str:
    """The unread count in the navigation."""
    found = response.content.decode().partition('class="count" aria-hidden="true">')[2]
    return found.partition("<")[0]


def notify(person: Person, *stages: str, **more: object) -> None:
    for stage in stages:
        write(new_notice(person, stage, **more), realm_id=person.realm_id)


def notify_one(person: Person, stage: str = "debit_failed", **more: object) -> str:
    """Create a notice, and return the URL of its page."""
    notify(person, stage, **more)
    return f"{PAGE}{notices.inbox_of(person.id).latest('id').public_id}"


def test_notices_stand_newest_first_each_with_a_page_of_its_own(ada: Person) -> None:
    order = uuid7()
    link = f"https://pay.example/orders/{public('ord', order)}"
    one = notify_one(ada, order_id=order, values={"link": link})
    notify(ada, "debit_succeeded", values={"link": "https://pay.example/orders/"})
    page = client_for(ada).get(PAGE)
    body = visible_text(page)
    assert body.index("已扣款 ¥12.34") < body.index("扣款失败 ¥12.34")
    assert "【先享后付】" not in body
    assert "https://" not in body
    assert body.count("2026年11月20日 12:00") == 2
    assert f'<a href="{one}">' in page.content.decode()
    shown = client_for(ada).get(one)
    assert "扣款失败 ¥12.34" in visible_text(shown)
    assert f'<a class="button" href="/orders/{public("ord", order)}">查看订单</a>' in shown.content.decode()
    assert shown.content.decode().count('lang="zh-hans"') >= 2


def test_what_was_opened_is_read_from_then_on_and_what_was_only_listed_is_not(ada: Person) -> None:
    browser = client_for(ada)
    one, two = notify_one(ada), notify_one(ada, "debit_succeeded")
    assert badge(browser.get("/orders/")) == "2"
    assert "，2 条未读" in browser.get("/wallet/").content.decode()
    with assert_unchanged():
        browser.head(one)
        listed = browser.get(PAGE)
    assert (badge(listed), visible_text(listed).count("2026年11月20日 12:00")) == ("2", 2)
    assert badge(browser.get(one)) == "1"
    assert set(Delivery.objects.filter(channel="inbox", read_at__isnull=False).values_list("read_at", flat=True)) == {
        NOON
    }
    with assert_unchanged():
        browser.get(one)
    unread = visible_text(browser.get(f"{PAGE}?show=unread"))
    assert ("已扣款 ¥12.34" in unread, "扣款失败" in unread) == (True, False)
    assert badge(browser.get(two)) == ""
    assert "没有未读消息。" in visible_text(browser.get(f"{PAGE}?show=unread"))


def test_everything_is_read_by_one_button(ada: Person) -> None:
    bo = create_person("+8613800138001", realm_id=ada.realm_id)
    notify(bo, "debit_failed")
    notify(ada, "debit_failed", "debit_succeeded")
    browser = client_for(ada)
    done = browser.post(f"{PAGE}read", {"show": "money"})
    assert done["Location"] == f"{PAGE}?show=money"
    after = browser.get(done["Location"])
    assert ("已将 2 条消息标为已读。" in visible_text(after), badge(after)) == (True, "")
    with assert_unchanged():
        assert "没有未读消息。" in visible_text(browser.post(f"{PAGE}read", {"show": "//evil.example"}, follow=True))
        assert browser.get(f"{PAGE}read").status_code == 405
    assert badge(client_for(bo).get("/orders/")) == "1"


def test_each_category_holds_its_own_and_together_they_hold_everything(ada: Person) -> None:
    notify(ada, "debit_failed", "help_answered", "second_factor", "due_in_3_days", "plan_granted")
    browser = client_for(ada)

    def on(category: str) -> list[str]:
        return [notice.stage for notice, _text in browser.get(f"{PAGE}?show={category}").context["notices"]]

    assert on("money") == ["due_in_3_days", "debit_failed"]
    assert on("orders") == ["plan_granted", "help_answered"]
    assert on("security") == ["second_factor"]
    assert len(on("")) == len(on("nonsense")) == len(on("unread")) == 5
    inbox = [stage for name in ("money", "orders", "security") for stage in notice_rules.stages_in(name)]
    assert sorted(inbox) == sorted(notice_rules.PLACEHOLDERS)


@pytest.mark.parametrize(
    ("stage", "link", "target"),
    [
        ("debit_succeeded", "https://pay.example/orders/", "/orders/"),
        ("help_answered", f"https://pay.example/help/con_{'0' * 32}", f"/help/con_{'0' * 32}"),
        ("second_factor", "https://pay.example/settings/", "/settings/"),
        ("limit_changed", "https://pay.example/credit/", "/credit/"),
        ("help_answered", "https://evil.example/elsewhere", "/orders/"),
    ],
)
def test_a_notice_leads_to_what_it_is_about(ada: Person, stage: str, link: str, target: str) -> None:
    page = client_for(ada, "en").get(notify_one(ada, stage, values={"link": link}))
    assert f'<a class="button" href="{target}">' in page.content.decode()


def test_a_notice_says_by_which_other_ways_it_came(ada: Person) -> None:
    one = notify_one(ada)
    assert "短信" not in visible_text(client_for(ada).get(one))
    deliver_texts(NOON, realm_id=ada.realm_id)
    assert "同时已发短信（ 2026年11月20日 12:00 ）。" in visible_text(client_for(ada).get(one))


def test_a_demand_written_at_night_is_neither_shown_nor_counted_before_the_morning(ada: Person) -> None:
    browser = client_for(ada)
    write(new_notice(ada, "overdue_1"), at=NIGHT, realm_id=ada.realm_id)
    notify(ada, "debit_succeeded")  # written later, and shown at once
    freeze_clock(NIGHT, ada)
    assert badge(browser.get("/orders/")) == "1"
    assert "已逾期" not in visible_text(browser.get(PAGE))
    demand = f"{PAGE}{Notice.objects.get(stage='overdue_1').public_id}"
    assert browser.get(demand).status_code == 404
    browser.post(f"{PAGE}read")
    assert badge(browser.get("/orders/")) == ""

    deliver_texts(MORNING, realm_id=ada.realm_id)
    freeze_clock(MORNING, ada)

    assert badge(browser.get("/orders/")) == "1"
    page = visible_text(browser.get(PAGE))
    assert "¥12.34 已逾期 未读" in page
    assert "2026年11月21日 08:00" in page  # when it came, not when it was written
    assert browser.get(demand).status_code == 200
    assert badge(browser.get("/orders/")) == ""


def test_stale_notices_are_never_shown(ada: Person) -> None:
    created = new_notice(ada, "overdue_1")
    write(created, at=NIGHT, realm_id=ada.realm_id)
    STALE[created.about] = "settled"
    deliver_texts(MORNING, realm_id=ada.realm_id)
    assert badge(client_for(ada).get("/orders/")) == ""
    assert "还没有消息。" in visible_text(client_for(ada).get(PAGE))


def test_every_page_of_the_inbox_takes_the_same_number_of_queries(ada: Person) -> None:
    browser = client_for(ada)
    notify(ada, "debit_failed")
    browser.get(PAGE)
    with CaptureQueriesContext(connection) as short:
        browser.get(PAGE)
    notify(ada, *["debit_succeeded"] * (NOTICES_A_PAGE + 9))
    first = browser.get(PAGE)
    assert visible_text(first).count("已扣款 ¥12.34") == NOTICES_A_PAGE
    older = first.context["older"]
    with CaptureQueriesContext(connection) as long:
        browser.get(PAGE)
    assert len(long) == len(short)
    second = browser.get(older)
    assert visible_text(second).count("已扣款 ¥12.34") == 9
    assert "扣款失败 ¥12.34" in visible_text(second)
    assert "回到最新" in visible_text(second)
    last = f"{PAGE}?cursor=ntc_{'0' * 32}"
    assert "没有更早的消息了。" in visible_text(browser.get(last))


@pytest.mark.parametrize("cursor", ["x", "0" * 31, "0" * 32, "ord_" + "0" * 32, "%00", "A" * 32])
def test_a_cursor_that_is_none_is_refused(ada: Person, cursor: str) -> None:
    notify(ada, "debit_failed")
    browser = client_for(ada)
    with assert_unchanged():
        assert browser.get(f"{PAGE}?cursor={cursor}").status_code == 422


def test_the_unread_count_stops_at_ninety_nine_and_takes_one_query(ada: Person) -> None:
    for _ in range(3):
        write(*(new_notice(ada) for _ in range(50)), realm_id=ada.realm_id)
    assert notices.unread_count(ada.id) == notices.UNREAD_MAX
    browser = client_for(ada)
    with CaptureQueriesContext(connection) as asked:
        page = browser.get("/wallet/")
    assert badge(page) == "99+"
    assert "99 条以上未读" in page.content.decode()
    sent = [query["sql"].rpartition("; ")[2] for query in asked]
    (question,) = [sql for sql in sent if "read_at" in expand_sql(sql) and not sql.startswith("PREPARE")]
    with connection.cursor() as cursor:
        cursor.execute("DISCARD PLANS")  # made when the table was another's, and nearly empty
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {question}")
        assert "inbox_unread" in "".join(row[0] for row in cursor.fetchall())


def test_nobody_sees_or_reads_what_others_were_told(ada: Person) -> None:
    bo = create_person("+8613800138001", realm_id=ada.realm_id)
    notify(bo, "debit_failed")
    assert badge(client_for(ada).get("/orders/")) == ""
    assert "还没有消息。" in visible_text(client_for(ada).get(PAGE))
    assert badge(client_for(bo).get("/orders/")) == "1"
    assert Client().get(PAGE)["Location"] == f"/account/login/?next={PAGE}"
    theirs = f"{PAGE}{Notice.objects.get(person=bo).public_id}"
    browser = client_for(ada)
    with assert_unchanged():
        strange, missing = browser.get(theirs), browser.get(f"{PAGE}ntc_{'0' * 32}")
        assert (strange.status_code, strange.content) == (404, missing.content)
        assert Client().get(theirs)["Location"] == f"/account/login/?next={theirs}"
        assert Client().post(f"{PAGE}read").status_code == 302
    assert Client().post(PAGE).status_code == 405


def test_what_a_merchant_calls_itself_is_text(ada: Person) -> None:
    bad = {"what": "<img src=x onerror=1> https://evil.example/orders/", "link": "https://pay.example/orders/"}
    one = notify_one(ada, values=bad)
    for path in (PAGE, one):
        html = client_for(ada).get(path).content.decode()
        assert "<img src=x" not in html
        assert "&lt;img src=x onerror=1&gt;" in html
        assert 'href="https://' not in html


def test_times_are_in_the_persons_time_zone(ada: Person) -> None:
    Person.objects.filter(pk=ada.pk).update(zone="America/New_York")
    User.objects.filter(pk=ada.user_id).update(language="en")
    notify(ada, "debit_succeeded")
    page = visible_text(client_for(ada, "en").get(PAGE))
    assert "CN¥12.34 was deducted Unread" in page
    assert "Nov 19, 2026 11:00" in page


def test_whoever_turns_the_pages_to_english_is_told_things_in_english(ada: Person) -> None:
    browser = client_for(ada)
    notify(ada, "debit_succeeded")
    for _click in range(2):
        assert browser.post("/language", {"language": "en", "next": PAGE})["Location"] == PAGE
    assert AccountEvent.objects.filter(kind="language_chosen", user=ada.user).count() == 1
    notify(ada, "debit_succeeded")
    page = visible_text(browser.get(PAGE))
    assert page.index("CN¥12.34 was deducted") < page.index("已扣款 ¥12.34")  # what was told stays as it was told
    with assert_unchanged():
        for chosen in ("fr", "", "\0", "EN"):
            assert browser.post("/language", {"language": chosen}).status_code == 302
            assert Client().post("/language", {"language": chosen or "en"}).status_code == 302
        assert browser.get("/language").status_code == 405


@pytest.mark.django_db(transaction=True)
def test_two_buttons_at_once_mark_each_notice_once(ada: Person) -> None:
    write(*(new_notice(ada) for _ in range(15)), realm_id=ada.realm_id)
    answers = run_concurrently(*(partial(client_for(ada).post, f"{PAGE}read") for _ in range(4)))
    assert {answer.status_code for answer in answers} == {302}
    assert notices.unread_count(ada.id) == 0


def test_only_sent_inbox_copies_can_be_marked_read(ada: Person) -> None:
    write(new_notice(ada, "overdue_1"), at=NIGHT, realm_id=ada.realm_id)
    for channel in ("inbox", "sms"):
        rows = Delivery.objects.filter(channel=channel)
        with pytest.raises(IntegrityError, match="only_what_stands_in_the_inbox_is_read"), transaction.atomic():
            rows.update(read_at=NIGHT + timedelta(hours=1))
