"""Another sign-in code on request, within the limits of the first one; and the language of whoever signs up."""

import pytest
from django.core.cache import cache

from accounts import services
from accounts.models import User
from kernel.actor import Actor
from kernel.models import LIVE
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
)

BY = Actor.system("test")
UNKNOWN = "+8613800000002"
pytestmark = pytest.mark.django_db


def test_a_resent_sign_in_code_opens_and_the_first_no_longer_does(browser: Browser) -> None:
    services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    browser.send(SIGN_IN, login=ADA, next="/orders/")
    first = latest_code(ADA)
    where = f"{CONFIRM_SIGN_IN}?next=%2Forders%2F"
    assert "重新发送" in browser.client.get(where).content.decode()
    assert browser.send(where, action="resend")["Location"] == where
    assert len(texts_to(ADA)) == 2
    if first != latest_code(ADA):
        browser.send(where, code=first)
        assert not browser.is_signed_in()
    assert browser.send(where, code=latest_code(ADA))["Location"] == "/orders/"
    assert browser.is_signed_in()


def test_resending_counts_toward_the_limits_of_a_number(browser: Browser) -> None:
    services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    browser.request_sign_in_code(ADA)
    Browser().request_sign_in_code(ADA)
    assert browser.send(CONFIRM_SIGN_IN, action="resend").status_code == 302
    refused = browser.send(CONFIRM_SIGN_IN, action="resend")
    assert (refused.status_code, len(texts_to(ADA))) == (429, 3)
    assert Browser().request_sign_in_code(ADA).status_code == 200  # the form again, with the reason
    assert len(texts_to(ADA)) == 3


def test_a_sign_in_code_is_resent_twice_and_no_more(browser: Browser) -> None:
    services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    browser.request_sign_in_code(ADA)
    for _ in range(4):
        cache.clear()
        browser.send(CONFIRM_SIGN_IN, action="resend")
    assert len(texts_to(ADA)) == 3
    assert 'value="resend"' not in browser.client.get(CONFIRM_SIGN_IN).content.decode()


def test_resending_a_sign_in_code_does_not_tell_who_has_an_account() -> None:
    services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    answers = []
    for phone in (ADA, UNKNOWN):
        browser = Browser()
        browser.request_sign_in_code(phone)
        answer = browser.send(CONFIRM_SIGN_IN, action="resend")
        page = browser.client.get(CONFIRM_SIGN_IN).content.decode()
        answers.append((answer.status_code, answer["Location"], page.count("<form"), 'value="resend"' in page))
    assert answers[0] == answers[1] == (302, CONFIRM_SIGN_IN, answers[0][2], True)
    assert (len(texts_to(ADA)), len(texts_to(UNKNOWN))) == (2, 1)


def test_whoever_signs_up_in_english_is_told_things_in_english(browser: Browser) -> None:
    browser.client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    browser.send(SIGN_UP, phone=ADA)
    assert texts_to(ADA)[0].startswith("Your verification code is")
    browser.send(CONFIRM_SIGN_UP, code=latest_code(ADA))
    assert User.objects.get().language == "en"
