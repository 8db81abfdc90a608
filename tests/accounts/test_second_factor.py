"""Second factors of people: app, recovery codes, and no way to bypass them."""

import re
from collections.abc import Iterator
from functools import partial

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.conf import LazySettings
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, get_resolver

from accounts import phones, second_factor, services
from accounts import urls as addresses
from accounts.models import AccountEvent, LocalMessage, Notice, Person, User
from bnpl.urls import CUSTOMER_URLS
from kernel.actor import Actor
from kernel.clock import live_now
from kernel.models import LIVE
from kernel.refusal import NotFound
from personal import urls as personal
from tests.accounts.browser import ADA, CONFIRM_SIGN_IN, NOON, Browser, latest_code
from tests.browsing import client_for, visible_text
from tests.conftest import BY
from tests.portal.conftest import current_code
from tests.threads import run_concurrently
from tests.unchanged import assert_unchanged

STEP, FACTOR, APP = "/account/second-step/", "/settings/second-factor", "/settings/second-factor/app"
CONFIRM, CODES = "/settings/confirm", "/settings/second-factor/codes"
ZH = {"accept-language": "zh-CN"}


@pytest.fixture(autouse=True)
def _no_limit_used_up(settings: LazySettings) -> Iterator[None]:
    settings.EMAIL_BACKEND = "accounts.messaging.LocalMail"
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ada(db: None) -> Person:
    return services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)


def enter_phone_code(person: Person) -> Browser:
    """Sign in as far as the code to the phone."""
    cache.clear()
    browser = Browser()
    phone = User.objects.get(pk=person.user_id).reveal_phone() or ""
    browser.request_sign_in_code(phone)
    browser.send(CONFIRM_SIGN_IN, code=latest_code(phone))
    return browser


def with_app(person: Person) -> tuple[str, list[str]]:
    """Activate an app for the person: its secret and the recovery codes."""
    secret = second_factor.generate_totp_secret()
    assert person.user
    return secret, list(second_factor.activate_app(person.user.id, secret, by=BY, at=NOON))


def test_an_app_is_added_and_asked_for_at_the_next_sign_in(ada: Person) -> None:
    here = enter_phone_code(ada)
    assert here.is_signed_in()
    page = here.client.get(APP, headers=ZH)
    assert "data:image/svg+xml;base64," in page.content.decode()
    secret = page.context["secret"]
    with assert_unchanged("django_session"):
        assert here.send(APP, code="000000").status_code == 422
    assert here.client.get(APP).context["secret"] == secret
    code = current_code(secret)
    assert here.send(APP, code=f"{code[:3]} {code[3:]}")["Location"] == CODES
    assert here.send(APP, code=code)["Location"] == CODES  # the second click of two
    shown = here.client.get(CODES)
    assert shown.context["codes"] == here.client.get(CODES).context["codes"]
    assert len(shown.context["codes"]) == 10
    assert here.send(f"{CODES}/kept")["Location"] == FACTOR
    assert here.client.get(CODES)["Location"] == FACTOR
    assert "还剩 10 个恢复码。" in visible_text(here.client.get(FACTOR, headers=ZH))

    cache.clear()
    there = enter_phone_code(ada)
    assert not there.is_signed_in()
    assert "两步验证" in visible_text(there.client.get(STEP, headers=ZH))
    assert there.send(STEP, code="000000").status_code == 422
    assert not there.is_signed_in()
    cache.clear()
    assert there.send(STEP, code=current_code(secret)).status_code == 302
    assert there.is_signed_in()
    assert Authenticator.objects.get(type="totp").data["secret"] != secret


def test_a_pending_sign_in_opens_no_page(ada: Person) -> None:
    with_app(ada)
    half = enter_phone_code(ada)
    stands = Session.objects.get().session_data
    pages = [*CUSTOMER_URLS, *addresses.OWN, *personal.urlpatterns]
    public = (None, "home", "check_proof", "checked_proof", "proof_keys")
    own = [page for page in pages if page.name not in public]
    assert len(own) > 40
    for pattern in own:
        for asks in (half.client.get, half.client.post):
            Session.objects.update(session_data=stands)  # whoever looks elsewhere begins anew
            answer = asks(address_of(pattern))
            refused = answer.status_code in (404, 405) or answer["Location"].startswith("/account/login/?next=")
            assert refused, pattern.name
            assert not half.is_signed_in()
    Session.objects.update(session_data=stands)
    assert half.client.get(STEP).status_code == 200


def address_of(pattern: URLPattern) -> str:
    """A URL for this pattern, with example arguments."""
    return "/" + re.sub(r"<int:\w+>", "1", re.sub(r"<str:\w+>", f"ord_{'0' * 32}", str(pattern.pattern)))


def test_the_second_factor_cannot_be_skipped_or_reached_directly(ada: Person) -> None:
    secret, _codes = with_app(ada)
    assert Client().get(STEP)["Location"] == "/account/login/"
    assert Client().post(STEP, {"code": current_code(secret)})["Location"] == "/account/login/"
    half = enter_phone_code(ada)
    for path in ("/account/login/", CONFIRM_SIGN_IN, "/account/phone/verify/", "/account/signup/"):
        half.client.get(path)
        half.send(path, code=latest_code(ADA), phone=ADA)
        assert not half.is_signed_in(), path
    assert not any(name and name.startswith("mfa_") for name in names() - {"mfa_authenticate"})


def names() -> set[str]:
    return {name for name in get_resolver().reverse_dict if isinstance(name, str)}


def test_a_recovery_code_works_once(ada: Person) -> None:
    _secret, codes = with_app(ada)
    for expected in (True, False):
        browser = enter_phone_code(ada)
        browser.send(STEP, code=codes[0])
        assert browser.is_signed_in() is expected


@pytest.mark.django_db(transaction=True)
def test_of_eight_concurrent_uses_of_a_recovery_code_one_succeeds() -> None:
    person = services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    _secret, codes = with_app(person)

    def uses() -> bool:
        return bool(RecoveryCodes(Authenticator.objects.get(type="recovery_codes")).validate_code(codes[3]))

    assert sum(run_concurrently(*(uses for _ in range(8)))) == 1
    assert second_factor.factors_of(User.objects.get(pk=person.user_id)).codes_left == 9


def test_guessing_digits_ends_soon(ada: Person) -> None:
    secret, _codes = with_app(ada)
    half = enter_phone_code(ada)
    for guess in range(12):
        half.send(STEP, code=f"{guess:06}")
    half.send(STEP, code=current_code(secret))
    assert not half.is_signed_in()


def test_changes_require_recent_verification(ada: Person) -> None:
    secret, _codes = with_app(ada)
    key = Authenticator.objects.get(type="totp").pk
    left = client_for(ada)  # signed in some time ago
    with assert_unchanged("django_session"):
        for path in (APP, f"{FACTOR}/passkey", CODES, "/settings/phone", f"{FACTOR}/{key}/remove"):
            answer = left.post(path, {"code": current_code(secret)})
            assert answer["Location"].startswith(f"{CONFIRM}?next="), path
        assert left.post(f"{CONFIRM}?next={FACTOR}", {"code": "000000"}).status_code == 422
    cache.clear()
    assert (
        left.post(f"{CONFIRM}?next=https://evil.example/", {"code": current_code(secret)})["Location"] == "/settings/"
    )
    assert left.post(f"{FACTOR}/{key}/remove")["Location"] == FACTOR
    assert not Authenticator.objects.exists()
    assert left.post(f"{FACTOR}/{key}/remove").status_code == 404


def test_without_a_second_factor_a_code_to_the_phone_verifies(ada: Person) -> None:
    left = client_for(ada)
    asked = left.get(APP)["Location"]
    assert "138****1234" in visible_text(left.get(asked))
    assert left.post(asked)["Location"] == asked
    wrong = "000000" if latest_code(ADA) != "000000" else "111111"
    assert left.post(asked, {"code": wrong}).status_code == 422
    assert left.post(asked, {"code": latest_code(ADA)})["Location"] == APP
    assert left.get(APP).status_code == 200


def test_nobody_removes_what_is_anothers(ada: Person) -> None:
    with_app(ada)
    bo = services.register_person("+8613800138001", realm_id=LIVE, by=BY, at=NOON)
    theirs = enter_phone_code(bo)
    key = Authenticator.objects.get(type="totp").pk
    with assert_unchanged("django_session"):
        strange, missing = theirs.send(f"{FACTOR}/{key}/remove"), theirs.send(f"{FACTOR}/999999/remove")
    assert (strange.status_code, strange.content) == (404, missing.content)
    codes = Authenticator.objects.get(type="recovery_codes").pk
    assert ada.user
    with pytest.raises(NotFound):
        second_factor.remove_factor(ada.user.id, codes, by=BY, at=NOON)


def test_what_was_done_is_told_and_stands_in_the_history(ada: Person) -> None:
    with_app(ada)
    assert ada.user
    second_factor.renew_recovery_codes(ada.user.id, by=BY, at=NOON)
    second_factor.remove_all_factors(ada.user.id, by=Actor.staff(ada.user.id), at=NOON)
    with pytest.raises(NotFound):
        second_factor.remove_all_factors(ada.user.id, by=BY, at=NOON)
    created = list(Notice.objects.filter(person=ada).order_by("id").values_list("body", flat=True))
    assert [text.partition("变更：")[2].partition("。")[0] for text in created] == [
        "已添加验证器",
        "已更换恢复码",
        "客服已关闭两步验证",
    ]
    done = [event.data["done"] for event in AccountEvent.objects.filter(kind="second_factor").order_by("id")]
    assert done == ["app_added", "codes_renewed", "all_removed"]
    assert enter_phone_code(ada).is_signed_in()


def test_a_new_browser_is_told_of_and_a_known_one_is_not(ada: Person) -> None:
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Safari/604.1"
    for agent in ("", phone, phone, ""):
        cache.clear()
        browser = Browser()
        browser.client.defaults["HTTP_USER_AGENT"] = agent
        browser.request_sign_in_code(ADA)
        browser.send(CONFIRM_SIGN_IN, code=latest_code(ADA))
        assert browser.is_signed_in()
    created = Notice.objects.get(stage="signed_in")
    assert "Safari · iPhone" in created.body
    assert not created.deliveries.filter(channel="sms").exists()
    assert AccountEvent.objects.filter(kind="signed_in").count() == 4
    assert live_now() > created.at


PHONE, NEW = "/settings/phone", "+8613900139000"


def change(browser: Browser, code: str) -> HttpResponse:
    return browser.send(PHONE, code=code)


def test_another_phone_signs_in_and_the_one_before_hears_of_it(ada: Person) -> None:
    here, elsewhere = enter_phone_code(ada), enter_phone_code(ada)
    cache.clear()
    assert here.send(PHONE, phone=ADA).status_code == here.send(PHONE, phone="12345").status_code == 422
    assert here.send(PHONE, phone="139 0013 9000")["Location"] == PHONE
    assert change(here, "abc").status_code == 422
    assert change(here, latest_code(NEW))["Location"] == "/settings/"
    assert (here.is_signed_in(), elsewhere.client.get("/settings/").status_code) == (True, 302)
    assert "139****9000" in LocalMessage.objects.filter(to=ADA).latest("id").text
    assert Notice.objects.filter(stage="phone_changed").count() == 1
    ada.refresh_from_db()
    assert enter_phone_code(ada).is_signed_in()
    assert User.objects.find_by_phone(ADA) is None


def test_whether_a_number_is_taken_shows_on_that_phone_only(ada: Person) -> None:
    services.register_person(NEW, realm_id=LIVE, by=BY, at=NOON)
    here = enter_phone_code(ada)
    taken, free = (here.send(PHONE, phone=phone) for phone in (NEW, "+8613900139001"))
    assert (taken.status_code, taken["Location"]) == (free.status_code, free["Location"])
    assert "/account/login/" in LocalMessage.objects.get(to=NEW).text


@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_one_number_at_once_one_gets_it() -> None:
    people = [services.register_person(phone, realm_id=LIVE, by=BY, at=NOON) for phone in (ADA, "+8613800138001")]

    def takes(person: Person) -> bool:
        assert person.user
        try:
            phones.change_phone(person.user.id, NEW, by=BY, at=NOON)
        except services.refusals.PhoneTaken:
            return False
        return True

    assert sorted(run_concurrently(*(partial(takes, person) for person in people))) == [False, True]
