"""To which numbers texts go, and that those to strangers have an end."""

from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from accounts import refusals, services
from accounts.models import LocalMessage
from kernel import rates
from kernel.models import LIVE
from portal.services import team
from tests.accounts.signing_in import ADA, CONFIRM_SIGN_IN, NOON, Browser, code_on
from tests.conftest import BY, Shop

ABROAD = "+447400123456"
pytestmark = pytest.mark.django_db


@pytest.fixture
def room_for_two(monkeypatch: pytest.MonkeyPatch) -> None:
    few = rates.Rate(f"texts-{uuid4().hex}", 2, 3600)
    rate = rates.rate
    monkeypatch.setattr(rates, "rate", lambda name: few if name == "texts" else rate(name))


def stranger(n: int) -> str:
    return f"+86138123400{n:02}"


def test_a_number_of_another_country_is_texted_where_that_is_wanted(browser: Browser, settings: Any) -> None:
    settings.SMS_COUNTRIES = ("86", "852")
    for answer in (browser.ask_to_sign_up(ABROAD), browser.ask_to_sign_in(ABROAD)):
        assert (answer.status_code, "\u4e0d\u5411\u8be5\u56fd\u5bb6" in answer.content.decode()) == (200, True)
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
