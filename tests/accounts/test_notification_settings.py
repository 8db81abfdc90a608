"""Notification settings: silenced notices, quiet hours and email address; mandatory notices are always sent."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import notice_rules, notification_settings, verification_codes
from accounts.models import AccountEvent, Delivery, LocalMessage, Notice, Person
from kernel.models import Realm
from kernel.refusal import Invalid
from tests.accounts.notice_fixtures import BY, NIGHT, NOON, create_person, deliver_texts, new_notice, write
from tests.browsing import client_for, freeze_clock, visible_text
from tests.unchanged import assert_unchanged

TOLD, MAIL = "/settings/notices", "/settings/mail"
ADDRESS = "ada@example.com"


@pytest.fixture(autouse=True)
def _house(settings: LazySettings) -> Iterator[None]:
    settings.NOTICES_STANDING = "tests.accounts.notice_fixtures.stale_notices"
    settings.EMAIL_BACKEND = "accounts.messaging.LocalMail"
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ada(sandbox: Realm) -> Person:
    person = create_person(realm_id=sandbox.id)
    freeze_clock(NOON, person)
    return person


def channels(person: Person, stage: str) -> list[str]:
    """The channels of a new notice to this person."""
    created = new_notice(person, stage)
    write(created, realm_id=person.realm_id)
    copies = Delivery.objects.filter(notice__about=created.about).exclude(state="skipped")
    return sorted(copies.values_list("channel", flat=True))


def mailed_code() -> str:
    found = re.search(r"\b[0-9]{6}\b", LocalMessage.objects.filter(kind="mail").latest("id").text)
    assert found
    return found[0]


def test_only_optional_notices_are_silenced(ada: Person) -> None:
    notification_settings.set_mail_address(ada.id, ADDRESS, by=BY, at=NOON)
    browser = client_for(ada)
    kept = {"wake": "8", "rest": "22", "want": ["debit_succeeded:mail", "debit_planned:sms", "nonsense"]}
    assert browser.post(TOLD, kept)["Location"] == TOLD
    assert channels(ada, "debit_succeeded") == ["inbox", "mail"]
    assert channels(ada, "refund_succeeded") == ["inbox"]
    for stage in sorted(set(notice_rules.PLACEHOLDERS) - set(notice_rules.OPTIONAL_STAGES)):
        assert len(channels(ada, stage)) == (2 if stage.startswith(notice_rules.OVERDUE_PREFIX) else 3), stage
    page = browser.get(TOLD).content.decode()
    assert 'value="debit_succeeded:mail" checked' in page
    assert 'value="debit_succeeded:sms" checked' not in page
    assert "始终发送" in page
    with assert_unchanged():
        browser.post(TOLD, kept)


def test_what_the_rules_demand_cannot_be_silenced_by_anybody(ada: Person) -> None:
    for name in ("debit_planned:sms", "overdue_1:sms", "second_factor:sms", "debit_succeeded:inbox", "signed_in:sms"):
        with assert_unchanged(), pytest.raises(Invalid):
            notification_settings.change_settings(ada.id, [name], notice_rules.HOURS, by=BY, at=NOON)


def test_without_an_address_choices_about_mail_are_kept(ada: Person) -> None:
    notification_settings.change_settings(ada.id, ["debit_succeeded:mail"], notice_rules.HOURS, by=BY, at=NOON)
    browser = client_for(ada)
    assert ":mail" not in browser.get(TOLD).content.decode()
    browser.post(TOLD, {"wake": "8", "rest": "22"})
    ada.refresh_from_db()
    assert {"debit_succeeded:mail", "debit_succeeded:sms"} < set(ada.silenced)
    assert "due_in_3_days:mail" not in ada.silenced


def test_quiet_hours_can_be_extended_but_not_shortened(ada: Person) -> None:
    browser = client_for(ada)
    browser.post(TOLD, {"wake": "10", "rest": "19", "want": sorted(notification_settings.OPTIONAL_COPIES)})
    write(new_notice(ada, "debit_failed"), at=NOON + timedelta(hours=7, minutes=30), realm_id=ada.realm_id)
    copy = Delivery.objects.get(channel="sms")
    assert copy.next_at == NOON + timedelta(hours=22)  # 10:00 of the next morning in Shanghai
    for wake, rest in (("7", "22"), ("8", "23"), ("13", "22"), ("8", "17"), ("", ""), ("-1", "x"), ("٨", "22")):
        with assert_unchanged():
            assert browser.post(TOLD, {"wake": wake, "rest": rest}).status_code == 422
    with pytest.raises(IntegrityError, match="nobody_is_disturbed_at_night"), transaction.atomic():
        Person.objects.filter(pk=ada.pk).update(wake_hour=3)


def test_a_choice_counts_for_what_still_waits(ada: Person) -> None:
    write(new_notice(ada), at=NIGHT, realm_id=ada.realm_id)
    notification_settings.change_settings(ada.id, ["debit_succeeded:sms"], notice_rules.HOURS, by=BY, at=NIGHT)
    assert deliver_texts(NOON + timedelta(days=1), realm_id=ada.realm_id) == []
    assert Delivery.objects.get(channel="sms").reason == "silenced"


def test_what_was_done_to_an_account_is_told_at_night_and_a_sign_in_by_no_text(ada: Person) -> None:
    notification_settings.set_mail_address(ada.id, ADDRESS, by=BY, at=NOON)
    write(new_notice(ada, "second_factor"), new_notice(ada, "signed_in"), at=NIGHT, realm_id=ada.realm_id)
    assert len(deliver_texts(NIGHT, realm_id=ada.realm_id)) == 2 + 1 + 2  # address, sign-in, second factor


def test_an_address_counts_when_its_code_came_back_and_can_be_taken_away(ada: Person) -> None:
    browser = client_for(ada)
    assert "尚未添加" in visible_text(browser.get("/settings/"))
    assert browser.post(MAIL, {"address": f" {ADDRESS} "})["Location"] == MAIL
    assert ADDRESS in visible_text(browser.get(MAIL))
    code = mailed_code()
    with assert_unchanged("django_session"):
        assert browser.post(MAIL, {"code": "12345"}).status_code == 422
    assert browser.post(MAIL, {"code": f"{code[:3]} {code[3:]}"})["Location"] == "/settings/"
    assert "a***@example.com" in visible_text(browser.get("/settings/"))
    ada.refresh_from_db()
    assert (ada.reveal_mail(), ADDRESS.encode() in bytes(ada.mail_sealed or b"")) == (ADDRESS, False)
    assert browser.post(MAIL, {"code": code}).status_code == 422  # once
    assert browser.post(f"{MAIL}/remove")["Location"] == "/settings/"
    before = AccountEvent.objects.count()
    browser.post(f"{MAIL}/remove")
    assert AccountEvent.objects.count() == before
    ada.refresh_from_db()
    assert ada.reveal_mail() is None
    created = list(
        Notice.objects.filter(person=ada, stage="mail_changed").order_by("id").values_list("body", flat=True)
    )
    assert [("已改为 a***@example.com" in created[0]), ("已移除" in created[1]), len(created)] == [True, True, 2]


def test_a_code_is_used_up_by_guessing_and_by_time(ada: Person) -> None:
    browser = client_for(ada)
    browser.post(MAIL, {"address": ADDRESS})
    code = mailed_code()
    wrong = "000000" if code != "000000" else "111111"
    answers = [browser.post(MAIL, {"code": wrong}) for _ in range(verification_codes.ATTEMPTS_MAX)]
    assert {answer.status_code for answer in answers} == {422}
    assert "这个验证码已失效" in visible_text(answers[-1])
    assert browser.post(MAIL, {"code": code}).status_code == 422
    session: dict[str, object] = {}
    late = verification_codes.issue_code(session, "mail", ADDRESS, at=NOON)
    assert (
        verification_codes.verify_code(
            session, "mail", late, at=NOON + verification_codes.CODE_LIFETIME + timedelta(seconds=1)
        )
        is None
    )
    assert verification_codes.verify_code(session, "mail", late, at=NOON) is None
    ada.refresh_from_db()
    assert ada.mail_sealed is None


def test_another_address_forgets_the_code_and_nobody_is_flooded(ada: Person) -> None:
    browser = client_for(ada)
    for answer in (302, 302, 422):
        assert browser.post(MAIL, {"address": ADDRESS}).status_code == answer
    assert LocalMessage.objects.filter(kind="mail").count() == 2
    code = mailed_code()
    browser.post(f"{MAIL}/another")
    assert browser.post(MAIL, {"code": code}).status_code == 422


@pytest.mark.parametrize(
    "address", ["", "x", "a@b", "阿达@例子.中国", "a@example.com\r\nBcc: x@example.com", "a" * 300]
)
def test_what_is_no_address_is_said_so_beside_the_field(ada: Person, address: str) -> None:
    browser = client_for(ada)
    with assert_unchanged():
        refused = browser.post(MAIL, {"address": address})
    assert refused.status_code == 422
    assert "errorlist" in refused.content.decode()


def test_these_pages_are_for_who_is_signed_in_and_ask_the_same_few_questions(ada: Person) -> None:
    for path in (TOLD, MAIL):
        assert Client().get(path)["Location"] == f"/account/login/?next={path}"
    for path in (f"{MAIL}/remove", f"{MAIL}/another"):
        assert client_for(ada).get(path).status_code == 405
    browser = client_for(ada, "en")
    with CaptureQueriesContext(connection) as asked:
        assert "Also notify me by" in visible_text(browser.get(TOLD))
    assert len(asked) <= 6
