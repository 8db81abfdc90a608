"""Settings: how somebody is known, in which language, where they are signed in; and the end of a session elsewhere."""

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import rules, services
from accounts.models import AccountEvent, Person
from kernel.models import LIVE, Realm
from tests.accounts.signing_in import ADA, CONFIRM_SIGN_IN, Browser, code_on
from tests.accounts.telling import NOON, someone
from tests.conftest import BY
from tests.stillness import nothing_moves
from tests.visiting import at_a, visiting, words

PAGE, OTHERS = "/settings/", "/settings/devices/sign-out-others"
ANDROID = "Mozilla/5.0 (Linux; Android 14; V2301A) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36"
WECHAT = f"{ANDROID} MicroMessenger/8.0.44"


@pytest.fixture
def ada(sandbox: Realm) -> Person:
    return someone(realm_id=sandbox.id)


def out(browser: Client) -> str:
    """The address by which this browser is signed out."""
    return f"/settings/devices/{UserSession.objects.get(session_key=browser.session.session_key).pk}/sign-out"


def test_the_page_says_who_somebody_is_and_where_they_are_signed_in(ada: Person) -> None:
    at_a(visiting(ada), WECHAT)
    phone = at_a(visiting(ada), ANDROID)
    page = words(phone.get(PAGE))
    assert ada.phone_masked in page
    assert "尚未实名认证" in page
    assert page.index("Chrome · Android 当前设备") < page.index("微信 · Android")
    assert "203.0.113.9" in page
    assert "Signed-in devices" in words(at_a(visiting(ada, "en"), ANDROID).get(PAGE))


def test_one_browser_is_signed_out_and_the_others_stay(ada: Person) -> None:
    lost, laptop, here = (at_a(visiting(ada), agent) for agent in (ANDROID, WECHAT, ANDROID))
    address = out(lost)
    assert here.post(address)["Location"] == PAGE
    assert lost.get(PAGE).status_code == 302
    assert (laptop.get(PAGE).status_code, here.get(PAGE).status_code) == (200, 200)
    assert AccountEvent.objects.filter(kind="signed_out_elsewhere", by=f"person:{ada.public_id}").count() == 1
    with nothing_moves():
        assert here.post(address).status_code == 404


def test_everywhere_but_here_is_signed_out_once(ada: Person) -> None:
    others = [at_a(visiting(ada), WECHAT) for _ in range(3)]
    here = at_a(visiting(ada), ANDROID)
    assert "已退出其他 3 台设备的登录。" in words(here.post(OTHERS, follow=True))
    assert [browser.get(PAGE).status_code for browser in others] == [302] * 3
    assert here.get(PAGE).status_code == 200
    before = AccountEvent.objects.count()
    here.post(OTHERS)
    assert AccountEvent.objects.count() == before


def test_nobody_signs_others_out_nor_themselves_by_this_door(ada: Person) -> None:
    bo = at_a(visiting(someone("+8613800138001", realm_id=ada.realm_id)), ANDROID)
    here = at_a(visiting(ada), ANDROID)
    with nothing_moves():
        strange, missing = here.post(out(bo)), here.post("/settings/devices/999999999/sign-out")
        assert (strange.status_code, strange.content) == (404, missing.content)
        assert here.post(out(here)).status_code == 404
        assert here.get(OTHERS).status_code == 405
        assert Client().post(OTHERS).status_code == 302
    assert bo.get(PAGE).status_code == 200


def test_a_session_that_ran_out_is_not_shown_and_the_questions_stay_as_many(ada: Person) -> None:
    here = at_a(visiting(ada), ANDROID)
    with CaptureQueriesContext(connection) as few:
        here.get(PAGE)
    gone, *_rest = [at_a(visiting(ada), WECHAT) for _ in range(6)]
    Session.objects.filter(session_key=gone.session.session_key).update(expire_date=NOON.replace(year=2000))
    with CaptureQueriesContext(connection) as many:
        page = words(here.get(PAGE))
    assert page.count("微信 · Android IP") == 5
    assert len(many) == len(few)


def test_what_a_browser_says_of_itself_is_text(ada: Person) -> None:
    html = at_a(visiting(ada), "<script>Chrome</script>" * 7).get(PAGE).content.decode()
    assert "<script" not in html
    assert rules.browser_and_system("") == ("", "")
    assert rules.browser_and_system(WECHAT) == ("微信", "Android")


def test_a_sign_in_by_code_stands_in_the_list(browser: Browser) -> None:
    services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    browser.ask_to_sign_in(ADA)
    browser.send(CONFIRM_SIGN_IN, code=code_on(ADA))
    assert "当前设备" in words(browser.client.get(PAGE, headers={"accept-language": "zh-CN"}))
