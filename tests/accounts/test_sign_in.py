"""Signing up and in by phone and code, through the real pages."""

import pytest
from django.contrib.sessions.models import Session
from django.core import signing
from django.core.cache import cache
from django.test import Client

from accounts import services
from accounts.models import LocalMessage, Person, User
from kernel.actor import Actor
from kernel.models import LIVE, Realm
from tests.accounts.browser import (
    ADA,
    CONFIRM_SIGN_IN,
    CONFIRM_SIGN_UP,
    NOON,
    SIGN_IN,
    SIGN_UP,
    Browser,
    latest_code,
    texts_to,
    wrong_code,
)

BY = Actor.system("test")
pytestmark = pytest.mark.django_db


def test_somebody_signs_up_and_is_a_person_once_the_code_came_back(browser: Browser) -> None:
    assert browser.request_sign_up_code("138 1234 1234")["Location"] == CONFIRM_SIGN_UP
    assert not browser.is_signed_in()
    assert Person.objects.count() == 0
    done = browser.send(CONFIRM_SIGN_UP, code=latest_code(ADA))
    assert (done.status_code, done["Location"]) == (302, "/")
    assert browser.is_signed_in()
    person = Person.objects.get()
    assert person.realm_id == LIVE
    assert person.user
    assert person.user.reveal_phone() == ADA
    assert person.user.phone_verified_at
    assert [e.kind for e in person.user.events.order_by("id")] == [
        "signed_up",
        "phone_confirmed",
        "registered",
        "signed_in",
    ]


def test_a_person_signs_out_and_in_again(browser: Browser) -> None:
    person = services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    assert browser.request_sign_in_code("13812341234")["Location"] == CONFIRM_SIGN_IN
    assert browser.send(CONFIRM_SIGN_IN, code=latest_code(ADA))["Location"] == "/"
    assert browser.is_signed_in()
    assert browser.send("/account/logout/")["Location"] == SIGN_IN
    assert not browser.is_signed_in()
    browser.request_sign_in_code(ADA)
    browser.send(CONFIRM_SIGN_IN, code=latest_code(ADA))
    assert browser.client.session["_auth_user_id"] == str(person.user_id)
    assert len(texts_to(ADA)) == 2


def test_a_sandbox_person_signs_in_on_the_local_stack(browser: Browser, sandbox: Realm) -> None:
    person = services.create_sandbox_person("张三", realm_id=sandbox.id, by=BY, at=NOON)
    phone = (person.user and person.user.reveal_phone()) or ""
    browser.request_sign_in_code(phone)
    browser.send(CONFIRM_SIGN_IN, code=latest_code(phone))
    assert browser.is_signed_in()
    assert Person.objects.get().realm_id == sandbox.id


def test_next_leads_back_to_where_somebody_was_stopped(browser: Browser) -> None:
    services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    asked = browser.send(SIGN_IN, login=ADA, next="/orders/")
    assert asked["Location"] == f"{CONFIRM_SIGN_IN}?next=%2Forders%2F"
    assert browser.send(asked["Location"], code=latest_code(ADA))["Location"] == "/orders/"


def test_next_never_leads_to_another_site(browser: Browser) -> None:
    services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    asked = browser.send(SIGN_IN, login=ADA, next="https://evil.example/")
    assert browser.send(asked["Location"], code=latest_code(ADA), next="//evil.example/")["Location"] == "/"


@pytest.mark.parametrize(
    ("path", "ask"), [(CONFIRM_SIGN_IN, "request_sign_in_code"), (CONFIRM_SIGN_UP, "request_sign_up_code")]
)
def test_after_three_wrong_codes_even_the_right_one_opens_nothing(browser: Browser, path: str, ask: str) -> None:
    if path == CONFIRM_SIGN_IN:
        services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    getattr(browser, ask)(ADA)
    code = latest_code(ADA)
    for _ in range(2):
        assert browser.send(path, code=wrong_code(code)).status_code == 200
    assert browser.send(path, code=wrong_code(code)).status_code == 302
    browser.send(path, code=code)
    assert not browser.is_signed_in()


@pytest.mark.parametrize(
    ("path", "ask"), [(CONFIRM_SIGN_IN, "request_sign_in_code"), (CONFIRM_SIGN_UP, "request_sign_up_code")]
)
def test_concurrent_attempts_are_limited_to_three_as_well(browser: Browser, path: str, ask: str) -> None:
    """Concurrent attempts all read the same session: it is restored between them."""
    if path == CONFIRM_SIGN_IN:
        services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    getattr(browser, ask)(ADA)
    code, before = latest_code(ADA), Session.objects.get().session_data
    answers = []
    for _ in range(5):
        answers.append(browser.send(path, code=wrong_code(code)).status_code)
        Session.objects.update(session_data=before)
    assert answers == [200] * 3 + [429] * 2
    assert browser.send(path, code=code).status_code == 429
    assert not browser.is_signed_in()


def test_an_old_code_does_not_open_what_a_newer_one_was_sent_for(browser: Browser) -> None:
    services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    browser.request_sign_in_code(ADA)
    old = latest_code(ADA)
    second = Browser()
    second.request_sign_in_code(ADA)
    if old != latest_code(ADA):
        second.send(CONFIRM_SIGN_IN, code=old)
        assert not second.is_signed_in()


def test_a_phone_gets_three_codes_a_minute_and_no_more(browser: Browser) -> None:
    services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    for _ in range(3):
        assert Browser().request_sign_in_code(ADA).status_code == 302
    assert browser.request_sign_in_code(ADA).status_code == 200
    assert len(texts_to(ADA)) == 3


def test_a_second_sign_up_of_one_phone_within_seconds_is_told_to_wait(browser: Browser) -> None:
    browser.request_sign_up_code(ADA)
    answer = Browser().request_sign_up_code(ADA)
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    assert len(texts_to(ADA)) == 1


def seen(answer: object, browser: Browser) -> tuple[int, str, str]:
    """What the requester can see: status, redirect and the page behind it, without random values."""
    page = browser.client.get(answer["Location"])  # type: ignore[index]
    text = page.content.decode()
    for token in {part.split('"')[0] for part in text.split('name="csrfmiddlewaretoken" value="')[1:]}:
        text = text.replace(token, "")
    return answer.status_code, answer["Location"], text  # type: ignore[attr-defined,index]


@pytest.mark.parametrize("ask", ["request_sign_in_code", "request_sign_up_code"])
def test_the_pages_do_not_tell_whether_a_number_has_an_account(ask: str) -> None:
    known, unknown = "+8613800000001", "+8613800000002"
    services.register_person(known, realm_id=LIVE, by=BY, at=NOON)
    views = []
    for phone in (known, unknown):
        browser = Browser()
        status, where, page = seen(getattr(browser, ask)(phone), browser)
        wrong = browser.send(where, code="abc")
        views.append((status, where, page.replace(phone, ""), wrong.status_code))
    assert views[0] == views[1]
    assert len(texts_to(known)) == len(texts_to(unknown)) == 1


def test_asking_for_another_code_tells_nothing_either() -> None:
    known, unknown = "+8613800000001", "+8613800000002"
    services.register_person(known, realm_id=LIVE, by=BY, at=NOON)
    answers = []
    for phone in (known, unknown):
        browser = Browser()
        browser.request_sign_up_code(phone)
        cache.clear()  # half a minute passes
        answer = browser.send(CONFIRM_SIGN_UP, action="resend")
        answers.append((answer.status_code, answer["Location"]))
    assert answers == [(302, CONFIRM_SIGN_UP)] * 2
    assert len(texts_to(unknown)) == 2
    assert len(texts_to(known)) == 1


def test_an_empty_code_does_not_sign_in_whom_no_code_was_sent(browser: Browser) -> None:
    browser.request_sign_in_code(ADA)
    assert "/account/signup/" in texts_to(ADA)[0]
    for code in ("", " ", "-"):
        browser.send(CONFIRM_SIGN_IN, code=code)
    assert not browser.is_signed_in()
    assert User.objects.count() == 0


def test_who_signs_up_twice_is_told_on_the_phone_and_stays_one(browser: Browser) -> None:
    services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    browser.request_sign_up_code(ADA)
    assert "/account/login/" in texts_to(ADA)[0]
    assert (User.objects.count(), Person.objects.count()) == (1, 1)


def test_a_number_typed_by_a_stranger_still_belongs_to_its_owner(browser: Browser) -> None:
    browser.request_sign_up_code(ADA)
    person = services.register_person(ADA, realm_id=LIVE, ref="c-1", by=BY, at=NOON)
    owner = Browser()
    owner.request_sign_in_code(ADA)
    owner.send(CONFIRM_SIGN_IN, code=latest_code(ADA))
    assert owner.is_signed_in()
    assert Person.objects.get() == person


@pytest.mark.parametrize("phone", ["１３８１２３４１２３４", "12345", "13812341234\0", "x" * 500, ""])
def test_what_is_no_phone_number_is_said_so_beside_the_field(browser: Browser, phone: str) -> None:
    for answer in (browser.request_sign_in_code(phone), browser.request_sign_up_code(phone)):
        assert answer.status_code == 200
        assert "errorlist" in answer.content.decode()
    assert (User.objects.count(), LocalMessage.objects.count()) == (0, 0)


def test_a_closed_account_does_not_open(browser: Browser) -> None:
    services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    User.objects.update(is_active=False)
    browser.request_sign_in_code(ADA)
    assert browser.send(CONFIRM_SIGN_IN, code=latest_code(ADA))["Location"] == "/account/inactive/"
    assert not browser.is_signed_in()
    assert browser.client.get("/account/inactive/").status_code == 200


def test_a_session_at_rest_holds_neither_phone_nor_code(browser: Browser) -> None:
    services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    browser.request_sign_in_code(ADA)
    code = latest_code(ADA)
    raw = Session.objects.get().session_data
    payload = signing.b64_decode(raw.split(":")[0].lstrip(".").encode())
    for clear in (ADA, ADA[3:], code, "account_login"):
        assert clear.encode() not in payload
        assert clear not in raw


def test_a_session_that_does_not_open_is_a_new_one(browser: Browser) -> None:
    browser.request_sign_up_code(ADA)
    session = Session.objects.get()
    session.session_data = session.session_data[:-5] + "xxxxx"
    session.save()
    assert browser.client.get(SIGN_IN).status_code == 200


@pytest.mark.parametrize("path", [SIGN_IN, SIGN_UP])
def test_the_pages_speak_chinese_and_english_and_run_nothing_inline(path: str) -> None:
    chinese = Client().get(path, headers={"accept-language": "zh-CN"}).content.decode()
    english = Client().get(path, headers={"accept-language": "en"}).content.decode()
    assert "手机号" in chinese
    assert "获取验证码" in chinese
    assert "Phone number" in english
    for page in (chinese, english):
        assert "<script" not in page
        assert "style=" not in page
        assert "//" not in page.replace("<!doctype html>", "")


def test_a_text_is_in_the_language_of_whom_it_is_for(browser: Browser) -> None:
    services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    browser.request_sign_in_code(ADA)
    User.objects.update(language="en")
    Browser().request_sign_in_code(ADA)
    chinese, english = texts_to(ADA)
    assert "验证码" in chinese
    assert "Your verification code is" in english


def test_a_colleague_signs_in_to_the_console_by_password_and_not_by_the_peoples_page() -> None:
    services.create_staff("lin", "correct horse battery", roles=["viewer"], by=BY, at=NOON)
    client = Client()
    asked = client.post("/ops/login/", {"username": "lin", "password": "correct horse battery", "next": "/ops/"})
    assert (asked.status_code, asked["Location"]) == (302, "/ops/")
    assert "_auth_user_id" in client.session
    assert Client().post(SIGN_IN, {"login": "lin", "password": "correct horse battery"}).status_code == 200
