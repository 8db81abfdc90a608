"""What people hear by which way, when they rest, and where they read mail: what is demanded is always sent."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import proofs, reach, wording
from accounts.models import AccountEvent, Delivery, LocalMessage, Notice, Person
from kernel.models import Realm
from kernel.refusal import Invalid
from tests.accounts.telling import BY, NIGHT, NOON, item, sent, someone, tell
from tests.stillness import nothing_moves
from tests.visiting import it_is, visiting, words

TOLD, MAIL = "/settings/notices", "/settings/mail"
ADDRESS = "ada@example.com"


@pytest.fixture(autouse=True)
def _house(settings: LazySettings) -> Iterator[None]:
    settings.NOTICES_STANDING = "tests.accounts.telling.standing"
    settings.EMAIL_BACKEND = "accounts.notices.LocalMail"
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ada(sandbox: Realm) -> Person:
    person = someone(realm_id=sandbox.id)
    it_is(NOON, person)
    return person


def channels(person: Person, stage: str) -> list[str]:
    """The ways by which this person is told such a thing now."""
    told = item(person, stage)
    tell(told, realm_id=person.realm_id)
    copies = Delivery.objects.filter(notice__about=told.about).exclude(state="skipped")
    return sorted(copies.values_list("channel", flat=True))


def mailed_code() -> str:
    found = re.search(r"\b[0-9]{6}\b", LocalMessage.objects.filter(kind="mail").latest("id").text)
    assert found
    return found[0]


def test_what_may_be_silenced_is_and_what_is_demanded_is_not(ada: Person) -> None:
    reach.take_mail(ada.id, ADDRESS, by=BY, at=NOON)
    browser = visiting(ada)
    kept = {"wake": "8", "rest": "22", "want": ["debit_succeeded:mail", "debit_planned:sms", "nonsense"]}
    assert browser.post(TOLD, kept)["Location"] == TOLD
    assert channels(ada, "debit_succeeded") == ["inbox", "mail"]
    assert channels(ada, "refund_succeeded") == ["inbox"]
    for stage in sorted(set(wording.PLACEHOLDERS) - set(wording.OPTIONAL)):
        assert len(channels(ada, stage)) == (2 if stage.startswith(wording.COLLECTION) else 3), stage
    page = browser.get(TOLD).content.decode()
    assert 'value="debit_succeeded:mail" checked' in page
    assert 'value="debit_succeeded:sms" checked' not in page
    assert "始终发送" in page
    with nothing_moves():
        browser.post(TOLD, kept)


def test_what_the_rules_demand_cannot_be_silenced_by_anybody(ada: Person) -> None:
    for name in ("debit_planned:sms", "overdue_1:sms", "second_factor:sms", "debit_succeeded:inbox", "signed_in:sms"):
        with nothing_moves(), pytest.raises(Invalid):
            reach.choose_notices(ada.id, [name], wording.HOURS, by=BY, at=NOON)


def test_whoever_has_no_address_chooses_of_texts_and_keeps_what_they_said_of_mails(ada: Person) -> None:
    reach.choose_notices(ada.id, ["debit_succeeded:mail"], wording.HOURS, by=BY, at=NOON)
    browser = visiting(ada)
    assert ":mail" not in browser.get(TOLD).content.decode()
    browser.post(TOLD, {"wake": "8", "rest": "22"})
    ada.refresh_from_db()
    assert {"debit_succeeded:mail", "debit_succeeded:sms"} < set(ada.silenced)
    assert "due_in_3_days:mail" not in ada.silenced


def test_a_longer_night_is_kept_and_a_shorter_one_is_refused(ada: Person) -> None:
    browser = visiting(ada)
    browser.post(TOLD, {"wake": "10", "rest": "19", "want": sorted(reach.OPTIONAL)})
    tell(item(ada, "debit_failed"), at=NOON + timedelta(hours=7, minutes=30), realm_id=ada.realm_id)
    copy = Delivery.objects.get(channel="sms")
    assert copy.next_at == NOON + timedelta(hours=22)  # 10:00 of the next morning in Shanghai
    for wake, rest in (("7", "22"), ("8", "23"), ("13", "22"), ("8", "17"), ("", ""), ("-1", "x"), ("٨", "22")):
        with nothing_moves():
            assert browser.post(TOLD, {"wake": wake, "rest": rest}).status_code == 422
    with pytest.raises(IntegrityError, match="nobody_is_disturbed_at_night"), transaction.atomic():
        Person.objects.filter(pk=ada.pk).update(wake_hour=3)


def test_a_choice_counts_for_what_still_waits(ada: Person) -> None:
    tell(item(ada), at=NIGHT, realm_id=ada.realm_id)
    reach.choose_notices(ada.id, ["debit_succeeded:sms"], wording.HOURS, by=BY, at=NIGHT)
    assert sent(NOON + timedelta(days=1), realm_id=ada.realm_id) == []
    assert Delivery.objects.get(channel="sms").reason == "silenced"


def test_what_was_done_to_an_account_is_told_at_night_and_a_sign_in_by_no_text(ada: Person) -> None:
    reach.take_mail(ada.id, ADDRESS, by=BY, at=NOON)
    tell(item(ada, "second_factor"), item(ada, "signed_in"), at=NIGHT, realm_id=ada.realm_id)
    assert len(sent(NIGHT, realm_id=ada.realm_id)) == 2 + 1 + 2  # of the address, of the sign-in, of the factor


def test_an_address_counts_when_its_code_came_back_and_can_be_taken_away(ada: Person) -> None:
    browser = visiting(ada)
    assert "尚未添加" in words(browser.get("/settings/"))
    assert browser.post(MAIL, {"address": f" {ADDRESS} "})["Location"] == MAIL
    assert ADDRESS in words(browser.get(MAIL))
    code = mailed_code()
    with nothing_moves("django_session"):
        assert browser.post(MAIL, {"code": "12345"}).status_code == 422
    assert browser.post(MAIL, {"code": f"{code[:3]} {code[3:]}"})["Location"] == "/settings/"
    assert "a***@example.com" in words(browser.get("/settings/"))
    ada.refresh_from_db()
    assert (ada.reveal_mail(), ADDRESS.encode() in bytes(ada.mail_sealed or b"")) == (ADDRESS, False)
    assert browser.post(MAIL, {"code": code}).status_code == 422  # once
    assert browser.post(f"{MAIL}/remove")["Location"] == "/settings/"
    before = AccountEvent.objects.count()
    browser.post(f"{MAIL}/remove")
    assert AccountEvent.objects.count() == before
    ada.refresh_from_db()
    assert ada.reveal_mail() is None
    told = list(Notice.objects.filter(person=ada, stage="mail_changed").order_by("id").values_list("body", flat=True))
    assert [("已改为 a***@example.com" in told[0]), ("已移除" in told[1]), len(told)] == [True, True, 2]


def test_a_code_is_used_up_by_guessing_and_by_time(ada: Person) -> None:
    browser = visiting(ada)
    browser.post(MAIL, {"address": ADDRESS})
    code = mailed_code()
    wrong = "000000" if code != "000000" else "111111"
    answers = [browser.post(MAIL, {"code": wrong}) for _ in range(proofs.TRIES_MAX)]
    assert {answer.status_code for answer in answers} == {422}
    assert "这个验证码已失效" in words(answers[-1])
    assert browser.post(MAIL, {"code": code}).status_code == 422
    session: dict[str, object] = {}
    late = proofs.begin(session, "mail", ADDRESS, at=NOON)
    assert proofs.comes_back(session, "mail", late, at=NOON + proofs.GOOD_FOR + timedelta(seconds=1)) is None
    assert proofs.comes_back(session, "mail", late, at=NOON) is None
    ada.refresh_from_db()
    assert ada.mail_sealed is None


def test_another_address_forgets_the_code_and_nobody_is_flooded(ada: Person) -> None:
    browser = visiting(ada)
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
    browser = visiting(ada)
    with nothing_moves():
        refused = browser.post(MAIL, {"address": address})
    assert refused.status_code == 422
    assert "errorlist" in refused.content.decode()


def test_these_pages_are_for_who_is_signed_in_and_ask_the_same_few_questions(ada: Person) -> None:
    for path in (TOLD, MAIL):
        assert Client().get(path)["Location"] == f"/account/login/?next={path}"
    for path in (f"{MAIL}/remove", f"{MAIL}/another"):
        assert visiting(ada).get(path).status_code == 405
    browser = visiting(ada, "en")
    with CaptureQueriesContext(connection) as asked:
        assert "Also notify me by" in words(browser.get(TOLD))
    assert len(asked) <= 6
