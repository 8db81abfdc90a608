"""An agreement addressed to a phone number can only be signed by its owner."""

import pytest

from accounts import services as accounts
from accounts.models import Person
from accounts.refusals import InvalidPhone
from billing.services.sandbox_people import scripted_people
from credit import services as credit
from credit.erasure import close_credit
from credit.models import Agreement
from credit.queries import is_addressed_to
from credit.refusals import MeantForAnother
from kernel.models import LIVE
from tests.api import Api, assert_problem
from tests.browsing import client_for, visible_text
from tests.conftest import BY, NOON, Shop, make_person
from tests.unchanged import assert_unchanged

ADA, OTHER = "+8613812341234", "13900001111"


def asks(shop: Shop, phone: str) -> Agreement:
    return credit.request_agreement(shop.merchant.id, shop.service.id, "u-1", phone=phone, by=BY, at=NOON)


def phone_of(person: Person) -> str:
    assert person.user
    return str(person.user.reveal_phone())


def test_another_person_cannot_sign(power_bank: Shop) -> None:
    meant, other = make_person(power_bank), make_person(power_bank, name="别人")
    agreement = asks(power_bank, phone_of(meant))
    browser, path = client_for(other), f"/sign/{agreement.public_id}"
    with assert_unchanged("django_session"):
        pages = [browser.get(path), browser.post(path, {"terms": "x"}), browser.get(f"{path}/result")]
        pages += [browser.post(f"{path}/identity", {"name": "张三", "id_number": "1"}), browser.get(f"{path}/back")]
        with pytest.raises(MeantForAnother):
            credit.sign_agreement(agreement.id, other.id, by=BY, at=NOON)
    for page in pages:
        assert page.status_code == 403
        assert "商户邀请的是另一位用户" in visible_text(page)
    assert "退出登录" in visible_text(pages[0])

    assert client_for(meant).get(path).status_code == 200
    assert credit.sign_agreement(agreement.id, meant.id, by=BY, at=NOON).decision.approved
    assert Agreement.objects.get().meant_phone is None, "it has served its purpose"


def test_the_api_accepts_a_phone_and_never_returns_it(power_bank: Shop) -> None:
    api = Api(power_bank)
    meant, other = api.person(), api.person()
    body = {"service": power_bank.service.public_id, "person_ref": "u-1"}
    assert_problem(api.post("agreements", body | {"phone": "12"}), 422, "invalid_phone")
    asked = api.post("agreements", body | {"phone": meant["phone"]})
    assert asked.status_code == 201
    assert meant["phone"] not in asked.content.decode()
    sign = f"sandbox/agreements/{asked.json()['id']}/sign"
    assert_problem(api.post(sign, {"person": other["id"]}), 403, "meant_for_another")
    assert api.post(sign, {"person": meant["id"]}).json()["state"] == "active"
    assert api.post("agreements", body).status_code == 201, "whom it means need not be said"


def test_a_new_person_with_that_phone_can_sign(power_bank: Shop) -> None:
    service = power_bank.service
    with assert_unchanged(), pytest.raises(InvalidPhone):
        asks(power_bank, "not a number")
    agreement = asks(power_bank, ADA)
    ada = accounts.register_person(ADA, realm_id=power_bank.realm_id, by=BY, at=NOON)
    bob = accounts.register_person(OTHER, realm_id=LIVE, by=BY, at=NOON)
    assert (is_addressed_to(agreement, ada), is_addressed_to(agreement, bob)) == (True, False)
    assert is_addressed_to(agreement, Person(realm_id=LIVE)) is False
    credit.stop_agreement(agreement.id, by=BY, at=NOON)
    assert not Agreement.objects.filter(service=service, meant_phone__isnull=False).exists()


def test_after_account_closure_nobody_can_sign(power_bank: Shop) -> None:
    person, other = make_person(power_bank), scripted_people(power_bank.realm_id)
    agreement = asks(power_bank, phone_of(person))
    close_credit(person.id, by=BY, at=NOON)
    row = Agreement.objects.get(pk=agreement.pk)
    assert bytes(row.meant_phone or b"") == bytes(32)
    assert [is_addressed_to(row, one) for one in other] == [False]
