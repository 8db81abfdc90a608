"""Countries for text messages, and the quota for unconfirmed numbers."""

from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from structlog.testing import capture_logs

from accounts import refusals, services
from accounts.models import LocalMessage
from kernel import rate_limits
from kernel.models import LIVE
from portal.services import team
from portal.services.invitation_messages import send_invitation
from tests.accounts.browser import ADA, CONFIRM_SIGN_IN, NOON, SIGN_IN, SIGN_UP, Browser, latest_code
from tests.browsing import visible_text
from tests.conftest import BY, Shop

ABROAD, PHONE = "+447400123456", "/settings/phone"
pytestmark = pytest.mark.django_db


@pytest.fixture
def quota_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    few = rate_limits.Rate(f"texts-{uuid4().hex}", 2, 3600)
    rate = rate_limits.get_rate
    monkeypatch.setattr(rate_limits, "get_rate", lambda name: few if name == "texts" else rate(name))


def unconfirmed_phone(n: int) -> str:
    return f"+86138123400{n:02}"


def test_a_number_of_another_country_is_texted_where_that_is_wanted(browser: Browser, settings: Any) -> None:
    settings.SMS_COUNTRIES = ("86", "852")
    for answer in (browser.request_sign_up_code(ABROAD), browser.request_sign_in_code(ABROAD)):
        assert (answer.status_code, "\u6682\u4e0d\u652f\u6301" in answer.content.decode()) == (200, True)
    assert not LocalMessage.objects.exists()
    browser.request_sign_up_code(ADA)
    settings.SMS_COUNTRIES = ()
    Browser().request_sign_up_code(ABROAD)
    assert set(LocalMessage.objects.values_list("to", flat=True)) == {ADA, ABROAD}


def test_invitations_are_not_sent_to_unsupported_countries(power_bank: Shop, settings: Any) -> None:
    settings.SMS_COUNTRIES = ("86",)
    with pytest.raises(refusals.InvalidPhone):
        team.invite(power_bank.live.id, "viewer", phone=ABROAD, by=BY, at=NOON)


def test_the_quota_limits_unconfirmed_numbers_and_not_confirmed_ones(quota_of_two: None) -> None:
    person = services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    assert person.user
    services.confirm_phone(person.user.id, ADA, by=BY, at=NOON)
    answers = [Browser().request_sign_up_code(unconfirmed_phone(n)).status_code for n in range(2)]
    with capture_logs() as lines:
        answers += [Browser().request_sign_up_code(phone).status_code for phone in (unconfirmed_phone(2), ADA)]
    assert answers == [302, 302, 429, 429]  # a number that has an account looks the same
    assert {line["event"] for line in lines if line["log_level"] == "warning"} == {"texts_to_strangers_stopped"}
    assert LocalMessage.objects.count() == 2
    unknown, known = Browser(), Browser()
    there = {
        unknown.request_sign_in_code(unconfirmed_phone(9))["Location"],
        known.request_sign_in_code(ADA)["Location"],
    }
    assert there == {CONFIRM_SIGN_IN}
    assert LocalMessage.objects.count() == 3
    known.send(CONFIRM_SIGN_IN, code=latest_code(ADA))
    assert known.is_signed_in()


def confirmed_browser(phone: str = ADA) -> Browser:
    """A browser that has just signed in, and so may change the phone number."""
    person = services.register_person(phone, realm_id=LIVE, by=BY, at=NOON)
    assert person.user
    services.confirm_phone(person.user.id, phone, by=BY, at=NOON)
    browser = Browser()
    browser.request_sign_in_code(phone)
    browser.send(CONFIRM_SIGN_IN, code=latest_code(phone))
    return browser


def test_the_quota_limits_phone_changes(quota_of_two: None) -> None:
    here = confirmed_browser()
    answers = []
    for n in range(4):
        here.send(PHONE, another="1")
        answers.append(here.send(PHONE, phone=unconfirmed_phone(n)).status_code)
    assert answers == [302, 302, 422, 422]
    assert LocalMessage.objects.exclude(to=ADA).count() == 2


def test_the_quota_limits_invitations_by_text(quota_of_two: None, power_bank: Shop) -> None:
    sent = []
    for n in range(3):
        made, token = team.invite(power_bank.live.id, "viewer", phone=unconfirmed_phone(n), by=BY, at=NOON)
        sent.append(send_invitation(made, "来电充电宝", token, phone=unconfirmed_phone(n), language="en"))
    assert sent == [True, True, False]
    assert LocalMessage.objects.count() == 2


class FailingSmsBackend:
    """A backend that always fails."""

    def send(self, phone: str, text: str) -> None:
        raise ConnectionError(phone, text)


@pytest.mark.parametrize("path", [SIGN_IN, SIGN_UP])
def test_while_texts_do_not_go_out_the_page_says_so_whosever_number_it_is(path: str, settings: Any) -> None:
    confirmed_browser()
    settings.SMS_BACKEND = f"{__name__}.FailingSmsBackend"
    pages = []
    for phone in (ADA, unconfirmed_phone(1)):
        cache.clear()
        browser = Browser()
        answer = browser.send(path, phone=phone, login=phone)
        pages.append((answer.status_code, visible_text(answer).replace(phone, "")))
        assert browser.client.get(CONFIRM_SIGN_IN).status_code == 302  # nothing is waited for
    assert pages[0] == pages[1]
    assert pages[0][0] == 503
    assert "暂时无法发送短信" in pages[0][1]


def test_failed_texts_are_reported_on_settings_pages(settings: Any) -> None:
    here = confirmed_browser()
    settings.SMS_BACKEND = f"{__name__}.FailingSmsBackend"
    settings.EMAIL_BACKEND = f"{__name__}.NoBackend"
    answers = [here.send(PHONE, phone=unconfirmed_phone(1)), here.send("/settings/mail", address="ada@example.com")]
    answers.append(here.client.post("/settings/confirm?next=/settings/phone", follow=True))
    assert [answer.status_code for answer in answers] == [422, 422, 200]
    assert all("暂时无法发送" in visible_text(answer) for answer in answers)
    assert not any(key.startswith("proof ") for key in here.client.session.keys())  # noqa: SIM118  a session is no mapping
