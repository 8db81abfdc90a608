"""The settings page: account overview, language, devices, and signing other devices out."""

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import rules, services
from accounts.models import AccountEvent, Person
from kernel.models import LIVE, Realm
from tests.accounts.browser import ADA, CONFIRM_SIGN_IN, Browser, latest_code
from tests.accounts.notice_fixtures import NOON, create_person
from tests.browsing import client_for, visible_text, with_user_agent
from tests.conftest import BY
from tests.unchanged import assert_unchanged

PAGE, OTHERS = "/settings/", "/settings/devices/sign-out-others"
ANDROID = "Mozilla/5.0 (Linux; Android 14; V2301A) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36"
WECHAT = f"{ANDROID} MicroMessenger/8.0.44"


@pytest.fixture
def ada(sandbox: Realm) -> Person:
    return create_person(realm_id=sandbox.id)


def sign_out_others(browser: Client) -> str:
    """The URL that signs this browser out."""
    return f"/settings/devices/{UserSession.objects.get(session_key=browser.session.session_key).pk}/sign-out"


def test_the_page_says_who_somebody_is_and_where_they_are_signed_in(ada: Person) -> None:
    with_user_agent(client_for(ada), WECHAT)
    phone = with_user_agent(client_for(ada), ANDROID)
    page = visible_text(phone.get(PAGE))
    assert ada.phone_masked in page
    assert "尚未实名认证" in page
    assert page.index("Chrome · Android 当前设备") < page.index("微信 · Android")
    assert "203.0.113.9" in page
    assert "Signed-in devices" in visible_text(with_user_agent(client_for(ada, "en"), ANDROID).get(PAGE))


def test_one_browser_is_signed_out_and_the_others_stay(ada: Person) -> None:
    lost, laptop, here = (with_user_agent(client_for(ada), agent) for agent in (ANDROID, WECHAT, ANDROID))
    address = sign_out_others(lost)
    assert here.post(address)["Location"] == PAGE
    assert lost.get(PAGE).status_code == 302
    assert (laptop.get(PAGE).status_code, here.get(PAGE).status_code) == (200, 200)
    assert AccountEvent.objects.filter(kind="signed_out_elsewhere", by=f"person:{ada.public_id}").count() == 1
    with assert_unchanged():
        assert here.post(address).status_code == 404


def test_everywhere_but_here_is_signed_out_once(ada: Person) -> None:
    others = [with_user_agent(client_for(ada), WECHAT) for _ in range(3)]
    here = with_user_agent(client_for(ada), ANDROID)
    assert "已退出其他 3 台设备的登录。" in visible_text(here.post(OTHERS, follow=True))
    assert [browser.get(PAGE).status_code for browser in others] == [302] * 3
    assert here.get(PAGE).status_code == 200
    before = AccountEvent.objects.count()
    here.post(OTHERS)
    assert AccountEvent.objects.count() == before


def test_neither_others_sessions_nor_the_current_one_can_be_ended_here(ada: Person) -> None:
    bo = with_user_agent(client_for(create_person("+8613800138001", realm_id=ada.realm_id)), ANDROID)
    here = with_user_agent(client_for(ada), ANDROID)
    with assert_unchanged():
        strange, missing = here.post(sign_out_others(bo)), here.post("/settings/devices/999999999/sign-out")
        assert (strange.status_code, strange.content) == (404, missing.content)
        assert here.post(sign_out_others(here)).status_code == 404
        assert here.get(OTHERS).status_code == 405
        assert Client().post(OTHERS).status_code == 302
    assert bo.get(PAGE).status_code == 200


def test_expired_sessions_are_not_shown_and_queries_do_not_grow(ada: Person) -> None:
    here = with_user_agent(client_for(ada), ANDROID)
    with CaptureQueriesContext(connection) as few:
        here.get(PAGE)
    gone, *_rest = [with_user_agent(client_for(ada), WECHAT) for _ in range(6)]
    Session.objects.filter(session_key=gone.session.session_key).update(expire_date=NOON.replace(year=2000))
    with CaptureQueriesContext(connection) as many:
        page = visible_text(here.get(PAGE))
    assert page.count("微信 · Android IP") == 5
    assert len(many) == len(few)


def test_what_a_browser_says_of_itself_is_text(ada: Person) -> None:
    html = with_user_agent(client_for(ada), "<script>Chrome</script>" * 7).get(PAGE).content.decode()
    assert "<script" not in html
    assert rules.parse_user_agent("") == ("", "")
    assert rules.parse_user_agent(WECHAT) == ("微信", "Android")


def test_a_sign_in_by_code_stands_in_the_list(browser: Browser) -> None:
    services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    browser.request_sign_in_code(ADA)
    browser.send(CONFIRM_SIGN_IN, code=latest_code(ADA))
    assert "当前设备" in visible_text(browser.client.get(PAGE, headers={"accept-language": "zh-CN"}))
