"""Phone numbers that change owners: earlier codes become invalid, and unconfirmed numbers are not reserved."""

import pytest
from django.core.cache import cache

from accounts import erasure, phones, refusals, services
from accounts.models import AccountEvent, Person, User
from kernel.models import LIVE
from tests.accounts.browser import ADA, CONFIRM_SIGN_IN, CONFIRM_SIGN_UP, NOON, SIGN_IN, Browser, latest_code, texts_to
from tests.browsing import visible_text
from tests.conftest import BY

PHONE, NEW = "/settings/phone", "+8613912345678"
pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(db: None) -> Person:
    return services.register_person(ADA, realm_id=LIVE, by=BY, at=NOON)


def request_code(phone: str) -> tuple[Browser, str]:
    """Request a sign-in code for this phone, and read it."""
    cache.clear()
    browser = Browser()
    browser.request_sign_in_code(phone)
    return browser, latest_code(phone)


def sign_in(phone: str) -> Browser:
    browser, code = request_code(phone)
    browser.send(CONFIRM_SIGN_IN, code=code)
    return browser


def test_a_code_of_the_number_before_signs_in_nobody(ada: Person) -> None:
    here = sign_in(ADA)
    thief, code = request_code(ADA)
    here.send(PHONE, phone=NEW)
    assert here.send(PHONE, code=latest_code(NEW)).status_code == 302
    answer = thief.send(CONFIRM_SIGN_IN, code=code)
    assert (answer.status_code, answer["Location"]) == (302, SIGN_IN)
    assert not thief.is_signed_in()
    assert "account_login" not in thief.client.session
    assert "验证码不正确或已过期" in visible_text(thief.client.get(SIGN_IN))
    ada.refresh_from_db()
    assert ada.user
    assert ada.user.reveal_phone() == NEW


def test_an_erased_person_does_not_get_the_number_back(ada: Person) -> None:
    thief, code = request_code(ADA)
    erasure.erase_person(ada.id, by=BY, at=NOON)
    assert thief.send(CONFIRM_SIGN_IN, code=code)["Location"] == "/account/inactive/"
    assert not thief.is_signed_in()
    assert User.objects.get().reveal_phone() is None


def test_a_closed_account_confirms_nothing(ada: Person) -> None:
    assert ada.user_id
    User.objects.update(is_active=False)
    with pytest.raises(refusals.PhoneNotOwned):
        services.confirm_phone(ada.user_id, ADA, by=BY, at=NOON)
    assert User.objects.get().phone_verified_at is None


def test_an_unconfirmed_sign_up_does_not_block_the_number(ada: Person) -> None:
    somebody = Browser()
    somebody.request_sign_up_code(NEW)
    old = latest_code(NEW)
    here = sign_in(ADA)
    cache.clear()
    here.send(PHONE, phone=NEW)
    assert here.send(PHONE, code=latest_code(NEW)).status_code == 302
    assert here.is_signed_in()
    assert User.objects.find_by_phone(NEW) == Person.objects.get().user
    left = User.objects.exclude(pk=ada.user_id).get()
    assert (left.is_active, left.reveal_phone()) == (False, None)
    assert AccountEvent.objects.filter(user=left, kind="sign_up_ended").count() == 1
    somebody.send(CONFIRM_SIGN_UP, code=old)
    assert not somebody.is_signed_in()
    assert Person.objects.count() == 1


def test_a_number_that_was_confirmed_stays_whose_it_is(ada: Person) -> None:
    other = services.register_person(NEW, realm_id=LIVE, by=BY, at=NOON)
    assert ada.user_id
    with pytest.raises(refusals.PhoneTaken):
        phones.change_phone(ada.user_id, NEW, by=BY, at=NOON)
    assert User.objects.find_by_phone(NEW) == other.user
    assert not texts_to(NEW)
