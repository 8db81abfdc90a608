"""Creating notices: in the person's language, from the latest template, and once."""

from functools import partial
from importlib import import_module

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import deliver, notice_rules, notice_templates, notices
from accounts.models import Delivery, LocalMessage, Notice, NoticeTemplate, Person
from accounts.notice_templates import NoticeText
from kernel.actor import Actor
from kernel.ids import uuid7
from kernel.models import LIVE
from kernel.refusal import Invalid
from tests.accounts.notice_fixtures import BY, NOON, STALE, create_person, deliver_texts, new_notice, write
from tests.db_errors import NO_RIGHT, raises_db_error
from tests.threads import run_concurrently


@pytest.fixture(autouse=True)
def _use_stale_notices(settings: LazySettings) -> None:
    STALE.clear()
    settings.NOTICES_STANDING = "tests.accounts.notice_fixtures.stale_notices"
    settings.EMAIL_BACKEND = "accounts.messaging.LocalMail"  # pytest-django puts another one in its place


@pytest.mark.django_db
def test_every_stage_has_words_in_both_languages_that_publishing_would_accept() -> None:
    rows = NoticeTemplate.objects.all()
    assert {(row.key, row.language) for row in rows} == {
        (key, language) for key in notice_rules.PLACEHOLDERS for language in ("zh-hans", "en")
    }
    for row in rows:
        shown = notice_templates.preview_template(row.key, row.language, NoticeText(row.subject, row.body), at=NOON)
        assert "{" not in shown.subject + shown.body
        assert ("先享后付" in shown.body) == (row.language == "zh-hans")


@pytest.mark.django_db
@pytest.mark.parametrize("key", sorted(notice_rules.PLACEHOLDERS))
def test_a_preview_fills_every_placeholder(key: str) -> None:
    slots = sorted(notice_rules.PLACEHOLDERS[key])
    text = NoticeText("x", "".join(f"[{{{slot}}}]" for slot in slots))
    assert "[]" not in notice_templates.preview_template(key, "zh-hans", text, at=NOON).body


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("key", "subject", "body"),
    [
        ("due_in_1_day", "x", "{reason}"),  # another stage's
        ("due_in_1_day", "{person.phone}", "x"),
        ("due_in_1_day", "x", "{amount!r} {0}"),
        ("due_in_1_day", "x", "a { b"),
        ("due_in_1_day", "x\nBcc: y@example.com", "x"),
        ("due_in_1_day", "", "x"),
        ("due_in_1_day", "x", "x" * 501),
        ("due_in_1_day", "x", "x\x00"),
        ("payday", "x", "x"),
    ],
)
def test_words_that_name_what_is_never_filled_in_are_refused(key: str, subject: str, body: str) -> None:
    before = NoticeTemplate.objects.count()
    with pytest.raises(Invalid):
        notice_templates.publish_template(key, "en", NoticeText(subject, body), "x", by=BY, at=NOON)
    with pytest.raises(Invalid):
        notice_templates.preview_template(key, "en", NoticeText(subject, body), at=NOON)
    assert NoticeTemplate.objects.count() == before


@pytest.mark.django_db
def test_the_latest_words_are_used_and_what_was_told_keeps_its_own() -> None:
    person = create_person(language="en")
    write(new_notice(person))
    made = notice_templates.publish_template(
        "debit_succeeded", "en", NoticeText("Paid", "{amount}, {merchant}"), "x", by=BY, at=NOON
    )
    assert made.version == 3
    write(new_notice(person))
    newest, oldest = notices.inbox_of(person.id)
    assert (newest.subject, newest.body) == ("Paid", "CN¥12.34, 来电充电宝")
    assert oldest.subject == "CN¥12.34 was deducted"
    with raises_db_error(NO_RIGHT):
        connection.cursor().execute("UPDATE accounts_noticetemplate SET body = ''")


@pytest.mark.django_db
def test_shipped_texts_do_not_replace_what_staff_have_published() -> None:
    texts = NoticeText("x", "{amount}: {link}")
    notice_templates.publish_template("debit_planned", "en", texts, "x", by=Actor.staff(uuid7()), at=NOON)
    shipped = import_module("accounts.migrations.0021_notice_corrections").Migration.operations[0].sql
    ((sql, params),) = [row for row in shipped if row[1][-2:] == ["debit_planned", "en"]]
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
    assert notice_templates.latest_templates()["debit_planned", "en"].subject == "x"


@pytest.mark.django_db
def test_each_hears_it_in_their_own_language_and_time() -> None:
    zh, en = create_person(), create_person("+8613800138001", language="en")
    Person.objects.filter(pk=en.id).update(zone="Europe/Paris")
    write(new_notice(zh, "debit_failed"), new_notice(en, "debit_failed"))
    assert Notice.objects.get(person=zh).body == (
        "【先享后付】来电充电宝“充电宝”¥12.34 从 银行卡 扣款失败：余额不足。将于11月21日 12:00再次扣款。查看与付款：https://x.example/o"
    )
    assert "not enough money. Again on 21 Nov, 05:00. View and pay" in Notice.objects.get(person=en).body


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # a page escapes it, a text shows it
        ("{link} {amount}", "{link} {amount}"),
        ("%s %(x)s {0.__class__}", "%s %(x)s {0.__class__}"),
        ("👩‍👩‍👧 🍜", "👩‍👩‍👧 🍜"),
        ("a\r\nBcc: x@example.com\x00\x1b[31m", "a Bcc: x@example.com[31m"),
        ("\u202egnp.exe", "gnp.exe"),
        ("长" * 300, "长" * 79 + "…"),
    ],
)
def test_whatever_a_merchant_calls_itself_is_one_line_of_plain_text(name: str, shown: str) -> None:
    person = create_person(email="ada@example.com", language="en")
    words = NoticeText("{merchant}", "[{merchant}] {amount}")
    notice_templates.publish_template("debit_succeeded", "en", words, "x", by=BY, at=NOON)
    write(new_notice(person, values={"merchant": name}))
    assert Notice.objects.get().body == f"[{shown}] CN¥12.34"
    assert sorted(deliver_texts(NOON)) == sorted([f"[{shown}] CN¥12.34", f"{shown}\n\n[{shown}] CN¥12.34"])


@pytest.mark.django_db(transaction=True)
def test_eight_concurrent_writers_create_a_notice_once() -> None:
    people = [create_person(f"+86138001380{n:02}") for n in range(5)]
    items = [new_notice(person, "overdue_1", episode="e") for person in people]
    outcomes = run_concurrently(*(partial(write, *(items if n % 2 else reversed(items))) for n in range(8)))
    assert sum(outcomes) == 5
    assert (Notice.objects.count(), Delivery.objects.count()) == (5, 10)
    assert write(*items) == 0
    assert (
        write(*(new_notice(p, "overdue_1", about=i.about, episode="f") for p, i in zip(people, items, strict=True)))
        == 5
    )


@pytest.mark.django_db(transaction=True)
def test_eight_workers_at_once_send_each_copy_once() -> None:
    write(*(new_notice(create_person(f"+86138001380{n:02}")) for n in range(20)))
    run_concurrently(*(partial(deliver.deliver_due, LIVE, at=NOON, limit=7) for _ in range(8)))
    assert LocalMessage.objects.count() == 20
    assert set(Delivery.objects.values_list("state", "tries")) == {("sent", 0), ("sent", 1)}


@pytest.mark.django_db
def test_writing_and_delivering_takes_a_fixed_number_of_statements() -> None:
    counts = []
    for n in (2, 1, 40):  # the first time a connection learns the questions
        people = [create_person(f"+8613{n:02}0138{m:03}") for m in range(n)]
        with CaptureQueriesContext(connection) as asked:
            write(*(new_notice(person, "overdue_1") for person in people))
            assert len(deliver.claim_due(LIVE, at=NOON, limit=100)[0]) == n
        counts.append(len(asked))
    assert counts[1] == counts[2] <= 15


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
    assert notice_rules.split_at_link(body) == parts
