"""To which numbers texts go, and that those to strangers have an end."""

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
from portal.services.sending import send_invitation
from tests.accounts.signing_in import ADA, CONFIRM_SIGN_IN, NOON, SIGN_IN, SIGN_UP, Browser, code_on
from tests.conftest import BY, Shop
from tests.visiting import words

ABROAD, PHONE = "+447400123456", "/settings/phone"
pytestmark = pytest.mark.django_db


@pytest.fixture
def room_for_two(monkeypatch: pytest.MonkeyPatch) -> None:
    few = rate_limits.Rate(f"texts-{uuid4().hex}", 2, 3600)
    rate = rate_limits.rate
    monkeypatch.setattr(rate_limits, "rate", lambda name: few if name == "texts" else rate(name))


def stranger(n: int) -> str:
    return f"+86138123400{n:02}"


def test_a_number_of_another_country_is_texted_where_that_is_wanted(browser: Browser, settings: Any) -> None:
    settings.SMS_COUNTRIES = ("86", "852")
    for answer in (browser.ask_to_sign_up(ABROAD), browser.ask_to_sign_in(ABROAD)):
        assert (answer.status_code, "\u6682\u4e0d\u652f\u6301" in answer.content.decode()) == (200, True)
    assert not LocalMessage.objects.exists()
    browser.ask_to_sign_up(ADA)
    settings.SMS_COUNTRIES = ()
    Browser().ask_to_sign_up(ABROAD)
    assert set(LocalMessage.objects.values_list("to", flat=True)) == {ADA, ABROAD}


def test_nor_is_anybody_invited_there(power_bank: Shop, settings: Any) -> None:
    settings.SMS_COUNTRIES = ("86",)
    with pytest.raises(refusals.InvalidPhone):
        team.invite(power_bank.live.id, "viewer", phone=ABROAD, by=BY, at=NOON)


def test_texts_to_strangers_end_and_who_has_an_account_comes_in_as_ever(room_for_two: None) -> None:
    person = services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)
    assert person.user
    services.confirm_phone(person.user.id, ADA, by=BY, at=NOON)
    answers = [Browser().ask_to_sign_up(stranger(n)).status_code for n in range(2)]
    with capture_logs() as lines:
        answers += [Browser().ask_to_sign_up(phone).status_code for phone in (stranger(2), ADA)]
    assert answers == [302, 302, 429, 429]  # a number that has an account looks the same
    assert {line["event"] for line in lines if line["log_level"] == "warning"} == {"texts_to_strangers_stopped"}
    assert LocalMessage.objects.count() == 2
    unknown, known = Browser(), Browser()
    there = {unknown.ask_to_sign_in(stranger(9))["Location"], known.ask_to_sign_in(ADA)["Location"]}
    assert there == {CONFIRM_SIGN_IN}
    assert LocalMessage.objects.count() == 3
    known.send(CONFIRM_SIGN_IN, code=code_on(ADA))
    assert known.signed_in()


def confirmed(phone: str = ADA) -> Browser:
    """Somebody has just signed in, and so may change their number."""
    person = services.register_person(phone, realm_id=LIVE, by=BY, at=NOON)
    assert person.user
    services.confirm_phone(person.user.id, phone, by=BY, at=NOON)
    browser = Browser()
    browser.ask_to_sign_in(phone)
    browser.send(CONFIRM_SIGN_IN, code=code_on(phone))
    return browser


def test_so_do_those_to_another_number_that_somebody_types(room_for_two: None) -> None:
    here = confirmed()
    answers = []
    for n in range(4):
        here.send(PHONE, another="1")
        answers.append(here.send(PHONE, phone=stranger(n)).status_code)
    assert answers == [302, 302, 422, 422]
    assert LocalMessage.objects.exclude(to=ADA).count() == 2


def test_so_do_those_by_which_staff_are_invited(room_for_two: None, power_bank: Shop) -> None:
    sent = []
    for n in range(3):
        made, token = team.invite(power_bank.live.id, "viewer", phone=stranger(n), by=BY, at=NOON)
        sent.append(send_invitation(made, "来电充电宝", token, phone=stranger(n), language="en"))
    assert sent == [True, True, False]
    assert LocalMessage.objects.count() == 2


class Away:
    """A sender nobody reaches."""

    def send(self, phone: str, text: str) -> None:
        raise ConnectionError(phone, text)


@pytest.mark.parametrize("path", [SIGN_IN, SIGN_UP])
def test_while_texts_do_not_go_out_the_page_says_so_whosever_number_it_is(path: str, settings: Any) -> None:
    confirmed()
    settings.SMS_BACKEND = f"{__name__}.Away"
    pages = []
    for phone in (ADA, stranger(1)):
        cache.clear()
        browser = Browser()
        answer = browser.send(path, phone=phone, login=phone)
        pages.append((answer.status_code, words(answer).replace(phone, "")))
        assert browser.client.get(CONFIRM_SIGN_IN).status_code == 302  # nothing is waited for
    assert pages[0] == pages[1]
    assert pages[0][0] == 503
    assert "暂时无法发送短信" in pages[0][1]


def test_and_so_do_the_pages_of_whoever_is_signed_in(settings: Any) -> None:
    here = confirmed()
    settings.SMS_BACKEND = f"{__name__}.Away"
    settings.EMAIL_BACKEND = f"{__name__}.NoBackend"
    answers = [here.send(PHONE, phone=stranger(1)), here.send("/settings/mail", address="ada@example.com")]
    answers.append(here.client.post("/settings/confirm?next=/settings/phone", follow=True))
    assert [answer.status_code for answer in answers] == [422, 422, 200]
    assert all("暂时无法发送" in words(answer) for answer in answers)
    assert not any(key.startswith("proof ") for key in here.client.session.keys())  # noqa: SIM118  a session is no mapping
