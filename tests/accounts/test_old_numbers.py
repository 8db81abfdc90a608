"""A number changes hands: what was sent to it before opens nothing after, and nobody keeps one that is not theirs."""

import pytest
from django.core.cache import cache

from accounts import leaving, phones, refusals, services
from accounts.models import AccountEvent, Person, User
from kernel.models import LIVE
from tests.accounts.signing_in import ADA, CONFIRM_SIGN_IN, CONFIRM_SIGN_UP, NOON, SIGN_IN, Browser, code_on, texts_to
from tests.conftest import BY
from tests.visiting import words

PHONE, NEW = "/settings/phone", "+8613912345678"
pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(db: None) -> Person:
    return services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)


def asks(phone: str) -> tuple[Browser, str]:
    """Somebody asks for a code, and reads it off this phone."""
    cache.clear()
    browser = Browser()
    browser.ask_to_sign_in(phone)
    return browser, code_on(phone)


def signed_in(phone: str) -> Browser:
    browser, code = asks(phone)
    browser.send(CONFIRM_SIGN_IN, code=code)
    return browser


def test_a_code_of_the_number_before_signs_in_nobody(ada: Person) -> None:
    here = signed_in(ADA)
    thief, code = asks(ADA)
    here.send(PHONE, phone=NEW)
    assert here.send(PHONE, code=code_on(NEW)).status_code == 302
    answer = thief.send(CONFIRM_SIGN_IN, code=code)
    assert (answer.status_code, answer["Location"]) == (302, SIGN_IN)
    assert not thief.signed_in()
    assert "account_login" not in thief.client.session
    assert "验证码不正确或已过期" in words(thief.client.get(SIGN_IN))
    ada.refresh_from_db()
    assert ada.user
    assert ada.user.reveal_phone() == NEW


def test_nor_does_it_come_back_to_whoever_left(ada: Person) -> None:
    thief, code = asks(ADA)
    leaving.forget_person(ada.id, by=BY, at=NOON)
    assert thief.send(CONFIRM_SIGN_IN, code=code)["Location"] == "/account/inactive/"
    assert not thief.signed_in()
    assert User.objects.get().reveal_phone() is None


def test_a_closed_account_confirms_nothing(ada: Person) -> None:
    assert ada.user_id
    User.objects.update(is_active=False)
    with pytest.raises(refusals.NotTheirPhone):
        services.confirm_phone(ada.user_id, ADA, by=BY, at=NOON)
    assert User.objects.get().phone_verified_at is None


def test_a_sign_up_nobody_confirmed_keeps_no_number_from_whose_it_is(ada: Person) -> None:
    somebody = Browser()
    somebody.ask_to_sign_up(NEW)
    old = code_on(NEW)
    here = signed_in(ADA)
    cache.clear()
    here.send(PHONE, phone=NEW)
    assert here.send(PHONE, code=code_on(NEW)).status_code == 302
    assert here.signed_in()
    assert User.objects.with_phone(NEW) == Person.objects.get().user
    left = User.objects.exclude(pk=ada.user_id).get()
    assert (left.is_active, left.reveal_phone()) == (False, None)
    assert AccountEvent.objects.filter(user=left, kind="sign_up_ended").count() == 1
    somebody.send(CONFIRM_SIGN_UP, code=old)
    assert not somebody.signed_in()
    assert Person.objects.count() == 1


def test_a_number_that_was_confirmed_stays_whose_it_is(ada: Person) -> None:
    other = services.register_person(NEW, realm_id=LIVE, by=BY, at=NOON)
    assert ada.user_id
    with pytest.raises(refusals.PhoneTaken):
        phones.change_phone(ada.user_id, NEW, by=BY, at=NOON)
    assert User.objects.with_phone(NEW) == other.user
    assert not texts_to(NEW)
